/** A replica whose channel (MariaDB: connection) has a name, on real servers: it is told of, and nothing relies on it. */
import { describe, expect, test } from 'vitest';
import type { PreflightCheck } from '../../src/failover/preflight/preflight.js';
import { type Cluster, createCluster, type FailoverOptions } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { writableNodes } from '../support/crash-at-step.js';
import { askInOldWords } from '../support/replication-words.js';

const CHANNEL = 'main';

describe.each(DATABASES)('$name', ({ flavor, options }) => {
  const isMysql = flavor === 'mysql';
  const statusOf = async (node: LocalDatabaseNode): Promise<Readonly<Record<string, unknown>>> => {
    const sql = isMysql ? 'SHOW REPLICA STATUS' : 'SHOW ALL SLAVES STATUS';
    const [row] = await askInOldWords(node, flavor, sql);
    const { Channel_Name, Connection_name = Channel_Name, ...rest } = row ?? {};
    const { Master_Port, Slave_IO_Running, Slave_SQL_Running } = rest;
    return { name: Connection_name, port: Master_Port, io: Slave_IO_Running, sql: Slave_SQL_Running };
  };
  /** Makes `node` follow `source` over the channel called `name`, and no other one. */
  const follow = async (
    node: LocalDatabaseNode,
    source: LocalDatabaseNode,
    { repl }: LocalCluster['accounts'],
    name: string,
  ): Promise<void> => {
    const word = isMysql ? 'SOURCE' : 'MASTER';
    const settings =
      `${word}_HOST='127.0.0.1', ${word}_PORT=${source.port}, ${word}_USER='${repl.user}', ${word}_PASSWORD='${repl.password}', ` +
      `${word}_CONNECT_RETRY=1, ${word}_HEARTBEAT_PERIOD=1, ` +
      (isMysql
        ? 'SOURCE_RETRY_COUNT=86400, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1'
        : 'MASTER_SSL=0, MASTER_USE_GTID=slave_pos');
    const channel = isMysql && name !== '' ? ` FOR CHANNEL '${name}'` : '';
    const connection = !isMysql && name !== '' ? ` '${name}'` : '';
    await node.query(
      isMysql
        ? `CHANGE REPLICATION SOURCE TO ${settings}${channel}`
        : `CHANGE MASTER${connection} TO ${settings}`,
    );
    await node.query(isMysql ? `START REPLICA${channel}` : `START SLAVE${connection}`);
  };

  test('it is refused by `auto`, left where it is by a switchover and a failover, and mended as preflight says', {
    timeout: 300_000,
  }, async () => {
    await using servers = await startLocalCluster({ ...options, php: false, memcached: 0, replicas: 3 });
    await using third = await startLocalCluster({ ...options, php: false, memcached: 0, replicas: 0 });
    const [first, , named] = servers.replicas;
    if (first === undefined || named === undefined) throw new Error('not three replicas');
    const old = servers.primary;
    await servers.primary.query('CREATE TABLE shop.kept (id INT PRIMARY KEY)');
    await servers.waitForReplication();
    await named.query(isMysql ? 'STOP REPLICA' : 'STOP SLAVE');
    await named.query(isMysql ? 'RESET REPLICA ALL' : 'RESET SLAVE ALL');
    await follow(named, old, servers.accounts, CHANNEL);
    const follows = (port: number, io: string) => ({ name: CHANNEL, port, io, sql: 'Yes' });
    await eventually(
      'it replicates over its channel',
      async () => JSON.stringify(await statusOf(named)) === JSON.stringify(follows(old.port, 'Yes')),
    );
    const start = async (more: FailoverOptions): Promise<Cluster> =>
      await createCluster({
        mysql: servers.options().mysql ?? {},
        failover: {
          credentials: servers.accounts.admin,
          replication: servers.accounts.repl,
          witness: `mysql://${third.accounts.admin.user}:${third.accounts.admin.password}@${third.primary.id}`,
          maxLoss: 'any',
          leaseMs: 3_000,
          ...more,
        },
      });
    await expect(start({ mode: 'auto' })).rejects.toMatchObject({
      code: 'ERR_CHANGE_REFUSED',
      message: expect.stringContaining(`${named.id}: it replicates over the channel 'main'`),
    });
    await using cluster = await start({
      mode: 'approve',
      hooks: { approve: () => ({ veto: 'it is done by hand' }) },
    });
    const check = async (): Promise<readonly PreflightCheck[]> =>
      (await cluster.failover.preflight()).checks.filter(({ name }) => name === 'unnamed-channel');
    expect((await check()).map(({ node, result }) => [node, result])).toEqual(
      servers.databases.map(({ id }) => [id, id === named.id ? 'fail' : 'pass']),
    );

    expect(await cluster.failover.switchover({ to: first.id })).toMatchObject({ ok: true, left: [] });
    expect(await statusOf(named)).toEqual(follows(old.port, 'Yes'));
    await expect(cluster.failover.plan('switchover', named.id)).rejects.toMatchObject({
      code: 'ERR_CHANGE_REFUSED',
      message: expect.stringContaining(`${named.id}: it`),
    });
    expect(await cluster.failover.switchover({ to: old.id })).toMatchObject({ ok: true, left: [] });
    await cluster.mysql.query('INSERT INTO kept VALUES (1)', { blockMs: 30_000 });

    await old.kill();
    const result = await cluster.failover.failover({ force: true, acceptLoss: true });
    expect(result).toMatchObject({ ok: true, left: [] });
    // What it has is not to grow any more, should the old primary go on without anybody's seeing it.
    expect(await statusOf(named)).toEqual(follows(old.port, 'No'));
    await cluster.mysql.query('INSERT INTO kept VALUES (2)', { blockMs: 30_000 });
    await old.start();
    await expect(cluster.failover.rejoin(named.id)).rejects.toMatchObject({
      code: 'ERR_CHANGE_REFUSED',
      message: expect.stringContaining("it replicates over the channel 'main'"),
    });

    const [failed] = (await check()).filter((each) => each.result === 'fail');
    const remedies = [...(failed?.detail ?? '').matchAll(/`([^`]+)`/g)].map(([, sql]) => sql ?? '');
    expect(remedies).toHaveLength(2);
    for (const sql of remedies) await named.query(sql);
    const primary = await eventually('the old primary takes no writes', async () => {
      const [one, second] = await writableNodes(servers);
      return second === undefined && one !== old ? one : undefined;
    });
    await follow(named, primary, servers.accounts, '');
    await eventually(
      'every row is everywhere',
      async () => (await named.query('SELECT * FROM shop.kept')).length === 2,
    );
    expect((await check()).filter((each) => each.result === 'fail')).toEqual([]);
    await eventually('the old primary follows', async () => {
      const status = await statusOf(old);
      return status['port'] === primary.port && status['io'] === 'Yes';
    });
    expect(await cluster.failover.switchover({ to: named.id })).toMatchObject({ ok: true });
  });
});
