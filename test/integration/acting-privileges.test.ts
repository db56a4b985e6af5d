/** An account that has exactly what `auto` asks for when it does not start makes every change, on real servers with semi-synchronous replication. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { askInOldWords } from '../support/replication-words.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const acting = { user: 'acting', password: 'acting secret' };
const voting = { user: 'voting', password: 'voting' };

describe.each(CLIENT_DATABASES)('$name', ({ flavor, options }) => {
  const [source, replica] = flavor === 'mysql' ? ['source', 'replica'] : ['master', 'slave'];
  let servers: LocalCluster;
  let witness: LocalCluster;

  beforeAll(async () => {
    const plugins = ['--plugin-load-add=semisync_source.so', '--plugin-load-add=semisync_replica.so'];
    const mysql = [
      ...(flavor === 'mysql' ? plugins : []),
      `--loose-rpl-semi-sync-${replica}-enabled=1`,
      `--loose-rpl-semi-sync-${source}-wait-point=AFTER_SYNC`,
      `--loose-rpl-semi-sync-${source}-timeout=600000`,
    ];
    const common = { php: false, memcached: 0, ...options } as const;
    servers = await startLocalCluster({ ...common, replicas: 2, serverArgs: { mysql } });
    witness = await startLocalCluster({ ...common, replicas: 0 });
    for (const [server, { user, password }] of [
      [servers.primary, acting],
      [witness.primary, voting],
    ] as const)
      await server.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`);
    await servers.primary.query('CREATE TABLE shop.t (id INT PRIMARY KEY)');
    await servers.waitForReplication();
    await servers.primary.query(`SET GLOBAL rpl_semi_sync_${source}_enabled=1`);
  });
  afterAll(async () => {
    await Promise.all([servers?.close(), witness?.close()]);
  });

  const start = async (): Promise<Cluster> =>
    await createCluster({
      mysql: { ...servers.options().mysql, blockMs: 60_000 },
      failover: {
        mode: 'auto',
        credentials: acting,
        replication: servers.accounts.repl,
        witness: [`mysql://${voting.user}:${voting.password}@${witness.primary.id}`],
        leaseMs: 3_000,
      },
    });
  const follows = async (node: LocalDatabaseNode, port: number): Promise<boolean> => {
    const [status] = await askInOldWords(node, flavor, 'SHOW SLAVE STATUS');
    return (
      Number(status?.['Master_Port']) === port &&
      status?.['Slave_IO_Running'] === 'Yes' &&
      status['Slave_SQL_Running'] === 'Yes'
    );
  };
  const waitsForReplicas = async (node: LocalDatabaseNode): Promise<boolean> => {
    const [row] = await node.query(`SELECT @@GLOBAL.rpl_semi_sync_${source}_enabled AS enabled`);
    return Number(row?.['enabled']) === 1;
  };

  test('what is missing is named with the GRANT, and with that nothing is missing for any change', {
    timeout: 300_000,
  }, async () => {
    let cluster: Cluster | undefined;
    const asked: string[] = [];
    // What one account lacks keeps the rest from being looked at.
    for (let round = 0; round < 3 && cluster === undefined; round += 1) {
      const begun = await start().catch((error: Error) => error);
      if (!(begun instanceof Error)) {
        cluster = begun;
        break;
      }
      expect(begun).toMatchObject({ code: 'ERR_CHANGE_REFUSED' });
      const statements = new Set(begun.message.match(/GRANT [^;]*/g) ?? []);
      expect([...statements].filter((sql) => asked.includes(sql))).toEqual([]);
      for (const sql of statements) {
        await (sql.includes(voting.user) ? witness : servers).primary.query(sql);
        asked.push(sql);
      }
      await servers.waitForReplication();
    }
    if (cluster === undefined) throw new Error(`auto does not start: ${asked.join('; ')}`);
    expect(asked.some((sql) => sql.includes(voting.user))).toBe(true);
    await using running = cluster;
    const { failover, mysql } = running;

    const [first, second] = [servers.primary, ...servers.replicas];
    if (second === undefined) throw new Error('no replica');
    await mysql.query('INSERT INTO t VALUES (1)');
    const moved = await failover.switchover({ to: second.id });
    expect(moved).toMatchObject({ ok: true, left: [] });
    await mysql.query('INSERT INTO t VALUES (2)');
    expect(await waitsForReplicas(second)).toBe(true);
    expect(await waitsForReplicas(first)).toBe(false);

    const pause = await failover.pause({ ttlMs: 60_000, reason: 'a test' });
    await pause[Symbol.asyncDispose]();

    let isDone = false;
    failover.on('change-done', ({ plan }) => {
      isDone ||= plan.kind === 'failover';
    });
    const blocked: string[] = [];
    failover.on('failover-blocked', ({ why }) => blocked.push(why));
    await eventually(
      'a replica of the new primary was seen to confirm writes, so that a failover loses nothing',
      async () => (await failover.plan('failover')).loss.known,
    );
    await second.kill();
    await eventually('another node takes over', () => isDone, 90_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${blocked.join('\n')}`);
    });
    await mysql.query('INSERT INTO t VALUES (3)');
    const [writable] = await writableNodes(servers);
    expect(writable?.id).not.toBe(second.id);
    const [{ opId } = { opId: '' }] = (await failover.history()).filter(
      ({ kind, nodes }) => kind === 'change-done' && nodes[0] === second.id,
    );
    await failover.acknowledge(opId, 'a test');

    await second.start();
    await eventually(
      'the old primary follows, and waits for nobody',
      async () => (await follows(second, writable?.port ?? 0)) && !(await waitsForReplicas(second)),
      90_000,
    );
    const votes = await witness.primary.query('SELECT vote FROM ha_meta.vote');
    expect(votes).toEqual([{ vote: writable?.id }]);

    // Taken away later, in whatever mode: the change is not begun, and writes go on.
    await writable?.query(`REVOKE RELOAD ON *.* FROM '${acting.user}'@'%'`);
    await expect(failover.switchover({ to: second.id })).rejects.toMatchObject({
      code: 'ERR_CHANGE_REFUSED',
      message: expect.stringContaining('lacks RELOAD there'),
    });
    await mysql.query('INSERT INTO t VALUES (4)');
  });
});
