/** Writes that are hard to see: a scope's reads see them, on replicas that are a minute late. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

type Row = Record<string, unknown>;

const LATE = { maxLagMs: 3_600_000, waitMs: 50 };

describe.each(CLIENT_DATABASES)('on $name', ({ options }) => {
  const isMysql = options.flavor === 'mysql';
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let version = 0;

  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      replicas: 1,
      memcached: 0,
      php: false,
      serverArgs: { mysql: ['--log-bin-trust-function-creators=1'] },
    });
    for (const sql of [
      'CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)',
      'INSERT INTO shop.t VALUES (1, 0)',
      'CREATE FUNCTION shop.f() RETURNS INT BEGIN UPDATE shop.t SET v = v + 1; DO SLEEP(0.5); RETURN 1; END',
      'CREATE VIEW shop.counted AS SELECT 1 AS id, shop.f() AS called',
    ])
      await servers.primary.query(sql);
    await servers.waitForReplication();
    const { mysql } = servers.options();
    // On a busy machine a server is slow and not down.
    const monitor = { ...mysql.monitor, timeoutMs: 10_000 };
    cluster = await createMysqlCluster({ ...mysql, monitor, startTimeoutMs: 60_000 });
    await cluster.query('SELECT 1');
    for (const sql of isMysql
      ? ['STOP REPLICA', 'CHANGE REPLICATION SOURCE TO SOURCE_DELAY=60', 'START REPLICA']
      : ['STOP SLAVE', 'CHANGE MASTER TO MASTER_DELAY=60', 'START SLAVE'])
      await servers.replicas[0]?.query(sql);
    const [replica] = servers.replicas;
    await eventually('the replica is seen to be late and may serve', () => {
      const seen = cluster.topology().nodes.find(({ id }) => id === replica?.id);
      const isLate = seen?.state === 'up' && seen.facts.channels[0]?.delayMs === 60_000;
      return isLate && cluster.run(LATE, () => cluster.explain('SELECT 1').node === replica?.id);
    });
  });
  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });
  beforeEach(() => {
    version += 100;
  });

  async function value(db: Pick<MysqlCluster, 'query'> = cluster): Promise<number> {
    const [rows] = await db.query('SELECT v FROM t WHERE id = 1');
    return Number((rows as unknown as Row[])[0]?.['v']);
  }

  async function truth(): Promise<number> {
    const [row] = await servers.primary.query('SELECT v FROM shop.t');
    return Number(row?.['v']);
  }

  /** Runs `fn` in a scope to which late replicas are good enough. */
  function late<T>(fn: () => Promise<T>): Promise<T> {
    return cluster.run(LATE, fn);
  }

  test('a view that writes: refused by the replica, it is a write of the scope', async () => {
    await late(async () => {
      const before = await value();
      await cluster.query('SELECT called FROM counted WHERE id = 1');
      expect(cluster.scope?.wrote).toBe(true);
      expect(await value()).toBe(await truth());
      expect(await value()).toBeGreaterThan(before);
    });
    // It is known by now: not even tried on a replica, whatever its values are.
    expect(cluster.explain('SELECT called FROM counted WHERE id = 2')).toMatchObject({ kind: 'unknown' });
  });

  test('a view that writes is not sent a second time when its connection is lost', async () => {
    const sql = 'SELECT called AS again FROM counted WHERE id = 1';
    const call = late(() => cluster.query(sql)).catch((error: unknown) => error);
    for (let killed = false; !killed; await sleep(20)) {
      const [row] = await servers.primary.query(
        "SELECT id FROM information_schema.processlist WHERE state = 'User sleep'",
      );
      if (row === undefined) continue;
      await servers.primary.query(`KILL ${Object.values(row)[0]}`);
      killed = true;
    }
    expect(await call).toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' });
  });

  test.each([
    ['the trackers are off', ['BEGIN', 'UPDATE', 'COMMIT']],
    [
      'the trackers are off, and the transaction goes on',
      ['BEGIN', 'UPDATE', 'COMMIT AND CHAIN', 'ROLLBACK'],
    ],
    ['the trackers are off, autocommit too', ['SET autocommit = 0', 'UPDATE', 'COMMIT']],
  ])('%s', async (_, texts) => {
    const off = isMysql ? "session_track_gtids = 'OFF'" : "session_track_system_variables = 'autocommit'";
    await late(async () => {
      const connection = await cluster.getConnection();
      try {
        await connection.query(`UPDATE t SET v = ${version - 1}`);
        await connection.query(`SET SESSION ${off}`);
        for (const text of texts)
          await connection.query(text.replace('UPDATE', `UPDATE t SET v = ${version}`));
        // Not yet given back: another connection reads.
        expect(await value()).toBe(version);
      } finally {
        connection.release();
      }
    });
  });

  if (!isMysql)
    test('a procedure that commits in two domains', async () => {
      // Nobody looks before the call: that the primary has a second domain is not known then.
      await using cluster = await createMysqlCluster({
        ...servers.options().mysql,
        monitor: { ...servers.options().mysql.monitor, intervalMs: 3_600_000 },
      });
      const late = <T>(fn: () => Promise<T>): Promise<T> => cluster.run(LATE, fn);
      await servers.primary.query('SET SESSION gtid_domain_id = 3');
      await servers.primary.query('CREATE TABLE shop.other (id INT)');
      await servers.primary.query('SET SESSION gtid_domain_id = 0');
      await servers.primary.query(
        `CREATE OR REPLACE PROCEDURE shop.both_domains(n INT) BEGIN
         SET SESSION gtid_domain_id = 0; UPDATE shop.t SET v = n;
         SET SESSION gtid_domain_id = 3; INSERT INTO shop.other VALUES (n);
         SET SESSION gtid_domain_id = 0; END`,
      );
      await late(async () => {
        await cluster.query(`CALL both_domains(${version})`);
        expect(cluster.scope?.token).toMatch(/^\*/);
        expect(await value(cluster)).toBe(version);
        expect(cluster.scope?.token).toMatch(/^(?=.*\b0-1-)(?=.*\b3-1-)/);
      });
    });
});
