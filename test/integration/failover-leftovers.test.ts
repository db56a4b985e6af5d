/** What a failover meets that nobody prepared, or that was killed: no tables of the manager, and an old primary that has more. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster, type FailoverOptions } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { byFileAndPosition } from '../support/by-file-and-position.js';
import { everywhere, writableNodes } from '../support/crash-at-step.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const TIMEOUT = { timeout: 180_000 };

describe.each(CLIENT_DATABASES)('$name', ({ options, flavor }) => {
  const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
  let servers: LocalCluster;
  let open: Cluster | undefined;
  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
  }, 120_000);
  afterAll(async () => {
    await open?.close();
    await servers?.close();
  });

  async function start(more: Partial<FailoverOptions>): Promise<Cluster> {
    const { admin, repl } = servers.accounts;
    const failover = {
      mode: 'auto',
      credentials: admin,
      replication: repl,
      leaseMs: 2_000,
      ...more,
    } as const;
    open = await createCluster({ mysql: servers.options().mysql, failover });
    return open;
  }
  async function sourceOf(node: LocalDatabaseNode | undefined): Promise<number> {
    const [row] = (await node?.query(`SHOW ${word} STATUS`)) ?? [];
    return Number(row?.['Source_Port'] ?? row?.['Master_Port'] ?? 0);
  }

  test('nobody ever made the tables of the manager: the failover makes them', TIMEOUT, async () => {
    const [old] = await writableNodes(servers);
    await old?.kill();
    const cluster = await start({ automatic: false, maxLoss: 'any' });
    expect(await cluster.failover.failover({ acceptLoss: true })).toMatchObject({ ok: true });
    const [primary] = await writableNodes(servers);
    expect(await primary?.query('SELECT primary_node FROM ha_meta.topology')).toEqual([
      { primary_node: primary?.id },
    ]);
    await cluster.close();
    await old?.start();
    // Of a crash: nothing of it is to be kept here.
    await old?.query(`SET GLOBAL read_only=1`);
    const again = await start({ maxLoss: 'any' });
    await eventually('all follow', async () => {
      const rest = servers.databases.filter((node) => node !== primary);
      if (!(await Promise.all(rest.map(sourceOf))).every((port) => port === primary?.port)) return false;
      const known = rest.map((node) => node.query('SELECT epoch FROM ha_meta.topology').catch(() => []));
      return (await Promise.all(known)).every(({ length }) => length === 1);
    });
    await again.close();
  });

  test(
    'a killed failover is finished when the old primary is back with what nobody received',
    TIMEOUT,
    async () => {
      const [old] = await writableNodes(servers);
      const [next, other] = servers.databases.filter((node) => node !== old);
      if (old === undefined || next === undefined || other === undefined)
        throw new Error('three nodes are needed');
      // Else the one that is stopped later may have more than the new primary, and could not follow it.
      await everywhere(servers, old);
      for (const node of [next, other]) await node.query(`STOP ${word}`);
      await old.query('CREATE TABLE shop.tail (id INT PRIMARY KEY)');
      await old.kill();
      // What the process had done when it was killed: the new primary has its epoch, and nobody follows it yet.
      await next.query(`RESET ${word} ALL`);
      await next.query('SET GLOBAL read_only=0');
      const [row] = await next.query<{ cluster: string; epoch: number }>(
        'SELECT cluster, epoch FROM ha_meta.topology',
      );
      await next.query('UPDATE ha_meta.topology SET epoch=epoch+1, primary_node=?, op_id=?', [
        next.id,
        'killed',
      ]);
      await next.query(
        'INSERT INTO ha_meta.operation (op_id, cluster, kind, from_node, to_node, actor, began_at) ' +
          "VALUES ('killed', ?, 'failover', ?, ?, 'h:1', UTC_TIMESTAMP(6) - INTERVAL 10 SECOND)",
        [row?.cluster, old.id, next.id],
      );
      await old.start();
      await old.query('SET GLOBAL read_only=1');
      const cluster = await start({ maxLoss: 'any' });
      const diverged: string[] = [];
      cluster.failover.on('node-diverged', ({ node }) => diverged.push(node));
      await eventually(
        'the other one follows the new primary',
        async () => (await sourceOf(other)) === next.port,
      );
      expect(await writableNodes(servers)).toEqual([next]);
      await eventually('the old one is told', () => diverged.includes(old.id));
      await eventually('the change is ended', async () => {
        const [ended] = await next.query("SELECT ended_at FROM ha_meta.operation WHERE op_id='killed'");
        return ended?.['ended_at'] !== null;
      });
    },
  );

  test('without GTIDs a primary that was merely started again stays the primary', TIMEOUT, async () => {
    await open?.close();
    await servers.close();
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
    await servers.primary.query('CREATE TABLE shop.kept (id INT PRIMARY KEY)');
    await byFileAndPosition(servers);
    (servers.primary as { startsReadOnly?: boolean }).startsReadOnly = true;
    const cluster = await start({ maxLoss: 'any' });
    await cluster.mysql.query({ sql: 'INSERT INTO kept VALUES (1)', timeoutMs: 30_000 });
    // A restart that takes long would be a death to whoever sees it.
    await cluster.close();
    await servers.primary.restart();
    const again = await start({ maxLoss: 'any' });
    await eventually('it takes writes again', async () => (await writableNodes(servers)).length > 0);
    await again.mysql.query('INSERT INTO kept VALUES (2)', { blockMs: 30_000 });
    expect(await writableNodes(servers)).toEqual([servers.primary]);
    for (const replica of servers.replicas) {
      expect(await sourceOf(replica)).toBe(servers.primary.port);
      await eventually(
        'it has every row',
        async () => (await replica.query('SELECT * FROM shop.kept')).length === 2,
      );
    }
  });
});
