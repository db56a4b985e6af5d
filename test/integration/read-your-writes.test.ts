/** A read in a scope sees the scope's writes, wherever it is served; outside scopes it may not, which shows that the check can fail. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { askInOldWords } from '../support/replication-words.js';
import { preparePairs, writeThenRead } from '../support/write-then-read.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const WORKERS = 40;
const PAIRS = 2_000;

describe.each(CLIENT_DATABASES)('$name', ({ name, flavor, options }) => {
  let servers: LocalCluster;
  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      replicas: 2,
      memcached: 0,
      php: false,
      // A function that writes is one of the ways to write.
      serverArgs: { mysql: ['--log-bin-trust-function-creators=1'] },
    });
    await preparePairs(servers, WORKERS);
  });
  afterAll(async () => {
    await servers?.close();
  });

  test('in scopes no read is stale, and replicas serve', async () => {
    const report = await writeThenRead(servers, {
      pairs: PAIRS,
      workers: WORKERS,
      scoped: true,
      delayMs: 400,
    });
    console.log(name, JSON.stringify(report));
    expect(report).toMatchObject({ pairs: expect.any(Number), stale: 0, examples: [] });
    expect(report.pairs).toBeGreaterThanOrEqual(PAIRS);
    expect(report.reads['replica']).toBeGreaterThan(0);
  });

  test('outside scopes some are, so the check above can fail', async () => {
    const report = await writeThenRead(servers, {
      pairs: 500,
      workers: WORKERS,
      scoped: false,
      delayMs: 400,
    });
    console.log(name, JSON.stringify(report));
    expect(report.stale).toBeGreaterThan(0);
  });

  test('who met what another one has just written, with a write that changes nothing or with a lock, sees it', async () => {
    const settings = { ...servers.options().mysql, reads: { maxLagMs: Number.POSITIVE_INFINITY } };
    const [mine, other] = [await createMysqlCluster(settings), await createMysqlCluster(settings)];
    try {
      await other.query('CREATE TABLE met (id INT PRIMARY KEY, v INT)');
      await servers.primary.query('CREATE PROCEDURE shop.add_9() INSERT IGNORE INTO shop.met VALUES (9, 9)');
      await other.query('INSERT INTO met VALUES (1, 1), (2, 1), (3, 1)');
      await servers.waitForReplication();
      // From the first GTID that a connection told, one that tells none has committed nothing.
      await mine.run({}, () => mine.query('UPDATE met SET v = 2 WHERE id = 3'));
      await servers.waitForReplication();
      const apply = (word: string): Promise<unknown> =>
        Promise.all(servers.replicas.map((node) => askInOldWords(node, flavor, `${word} SLAVE SQL_THREAD`)));
      await apply('STOP');
      const query =
        (...texts: string[]) =>
        async (db: Pick<MysqlCluster, 'query'>): Promise<void> => {
          for (const sql of texts) await db.query(sql);
        };
      const transaction =
        (...texts: string[]) =>
        (): Promise<void> =>
          mine.transaction(query(...texts));
      const session = (before: string, after: string) => async (): Promise<void> => {
        await using connection = await mine.getConnection();
        await connection.query(before);
        await connection.query(after);
      };
      const met = async (
        name: string,
        theirs: string,
        ours: (db: Pick<MysqlCluster, 'query'>) => Promise<void>,
        where: string,
        expected: unknown[],
      ): Promise<void> => {
        await other.query(theirs);
        await mine.run({ waitMs: 100 }, async () => {
          await ours(mine);
          expect.soft([name, mine.scope?.token]).not.toEqual([name, '']);
          const [rows] = await mine.query(`SELECT v FROM met WHERE ${where}`);
          expect.soft([name, rows]).toEqual([name, expected]);
        });
      };
      await met(
        'UPDATE to what is there',
        'UPDATE met SET v = 5 WHERE id = 1',
        query('UPDATE met SET v = 5 WHERE id = 1'),
        'id = 1',
        [{ v: 5 }],
      );
      await met(
        'DELETE of what is gone',
        'DELETE FROM met WHERE id = 2',
        query('DELETE FROM met WHERE id = 2'),
        'id = 2',
        [],
      );
      const doors: [name: string, id: number, ours: (db: Pick<MysqlCluster, 'query'>) => Promise<void>][] = [
        ['INSERT IGNORE', 4, query('INSERT IGNORE INTO met VALUES (4, 4)')],
        ['a transaction', 6, transaction('INSERT IGNORE INTO met VALUES (6, 6)', 'SELECT 1')],
        ['find or create', 10, transaction('SELECT v FROM met WHERE id = 10 FOR UPDATE')],
        ['a transaction that reads', 11, transaction('SELECT v FROM met WHERE id = 11')],
        ['FOR UPDATE alone', 12, query('SELECT v FROM met WHERE id = 12 FOR UPDATE')],
        ['a named lock', 13, session("DO GET_LOCK('met', 5)", "DO RELEASE_LOCK('met')")],
        ['a lock on the table', 14, session('LOCK TABLES met READ', 'UNLOCK TABLES')],
        // The last: nobody knows what a procedure did, so its connection tells nothing for a while.
        ['a procedure', 9, query('CALL add_9()')],
      ];
      for (const [name, id, ours] of doors)
        await met(name, `INSERT INTO met VALUES (${id}, ${id})`, ours, `id = ${id}`, [{ v: id }]);
      await apply('START');
    } finally {
      await mine.close();
      await other.close();
    }
  });

  test('a primary that only refuses writes serves the reads that ask for it', async () => {
    const settings = servers.options().mysql;
    const cluster = await createMysqlCluster({
      ...settings,
      monitor: { ...settings.monitor, intervalMs: 200 },
    });
    const { primary } = servers;
    const sql = 'SELECT @@server_id AS id';
    try {
      await primary.query('SET GLOBAL read_only = 1');
      await eventually('no writer', () => cluster.topology().writer.kind === 'no-primary');
      const asked = [{ preference: 'primary' }, { after: '*' }] as const;
      for (const wish of asked) {
        const [rows] = await cluster.query({ sql, ...wish, timeoutMs: 60_000 });
        expect(rows).toEqual([{ id: primary.serverId }]);
      }
      await cluster.run({ preference: 'primary' }, () => {
        expect(cluster.explain('SELECT 1')).toMatchObject({ node: primary.id, role: 'primary' });
        expect(cluster.explain('DELETE FROM shop.held').node).toBeUndefined();
      });
    } finally {
      await primary.query('SET GLOBAL read_only = 0');
      await cluster.close();
    }
  });

  // Only MariaDB logs what nobody sees yet where a probe looks: MySQL's `gtid_executed` has it when it is visible.
  if (options.flavor === 'mariadb') {
    test('what a replica has logged, and does not show yet, is not taken for applied', async () => {
      await servers.primary.query('CREATE TABLE shop.held (id INT PRIMARY KEY)');
      await servers.waitForReplication();
      const settings = servers.options().mysql;
      const cluster = await createMysqlCluster({
        ...settings,
        reads: { maxLagMs: Number.POSITIVE_INFINITY },
        monitor: { ...settings.monitor, intervalMs: 200 },
        scope: { waitMs: 50 },
      });
      const onReplicas = async (sql: string): Promise<unknown> =>
        await Promise.all(servers.replicas.map((replica) => replica.query(sql)));
      try {
        // A replica that is ready to be a semi-synchronous primary waits for an acknowledgement that nobody gives.
        await onReplicas("SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'");
        await onReplicas('SET GLOBAL rpl_semi_sync_master_timeout = 120000');
        await onReplicas('SET GLOBAL rpl_semi_sync_master_enabled = 1');
        await cluster.run({}, async () => {
          await cluster.query('INSERT INTO shop.held VALUES (1)');
          const token = cluster.scope?.token;
          await eventually('the monitor sees it in the logs', () =>
            cluster
              .topology()
              .nodes.every((node) => node.state === 'up' && node.facts.gtidState?.includes(`${token}`)),
          );
          for (const replica of servers.replicas)
            expect(await replica.query('SELECT id FROM shop.held')).toEqual([]);
          const [rows] = await cluster.query('SELECT id FROM shop.held');
          expect(rows).toEqual([{ id: 1 }]);
        });
      } finally {
        await onReplicas('SET GLOBAL rpl_semi_sync_master_enabled = 0');
        await cluster.close();
      }
    });
  }
});
