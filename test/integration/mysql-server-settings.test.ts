/** Servers whose settings are not the usual ones: what they change for transactions, autocommit and the size of statements. */
import type { PoolConnection as CallbackConnection } from 'mysql2';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { EVERY_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

describe.each(EVERY_CLIENT_DATABASE)('on $name', ({ options }) => {
  const skip = options.flavor === 'mysql' ? 'replica_skip_errors' : 'slave_skip_errors';
  let servers: LocalCluster;
  let cluster: MysqlCluster;

  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      replicas: 1,
      memcached: 0,
      php: false,
      serverArgs: {
        mysql: [
          '--innodb-rollback-on-timeout=1',
          '--innodb-lock-wait-timeout=1',
          '--init-connect=SET autocommit=0',
          '--max-allowed-packet=1M',
          '--binlog-ignore-db=scratch',
          `--${skip.replaceAll('_', '-')}=1062`,
        ],
      },
    });
    await servers.primary.query('CREATE TABLE shop.t (id INT PRIMARY KEY, n LONGTEXT) ENGINE=InnoDB');
    await servers.waitForReplication();
    const reads = { partialReplicas: 'all' } as const;
    cluster = await createMysqlCluster({ ...servers.options().mysql, pool: { max: 4 }, reads });
  });

  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  beforeEach(async () => {
    await servers.primary.query("REPLACE INTO shop.t VALUES (1, '100'), (2, '100')");
    await servers.primary.query('DELETE FROM shop.t WHERE id > 2');
  });

  async function values(): Promise<unknown[]> {
    const rows = await servers.primary.query('SELECT n FROM shop.t ORDER BY id');
    return rows.map(({ n }) => n);
  }

  async function poolIsIdle(): Promise<void> {
    await eventually('all connections are back', () =>
      cluster.stats().every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0),
    );
  }

  test('what the primary leaves out of its binary log, or a replica passes over, is missing there: it serves only whom that is fine', async () => {
    await using strict = await createMysqlCluster(servers.options().mysql);
    const read = strict.explain('SELECT n FROM t');
    expect(read.node).toBe(servers.primary.id);
    expect(read.considered.find(({ node }) => node === servers.replicas[0]?.id)?.reason).toContain(
      `it has only a part of the data (${skip}=1062 on ${servers.replicas[0]?.id}, Binlog_Ignore_DB=scratch on ${servers.primary.id})`,
    );
    expect(strict.topology().warnings.map(({ code }) => code)).toEqual(['partial-replica']);
    expect(cluster.topology().warnings).toEqual([]);
    expect(cluster.explain('SELECT n FROM t').node).toBe(servers.replicas[0]?.id);
  });

  test('a lock that is waited for in vain takes the whole transaction back: no half of it is committed', async () => {
    const blocker = await cluster.getConnection();
    await blocker.beginTransaction();
    await blocker.query("UPDATE t SET n = '1' WHERE id = 1");
    const after: unknown[] = [];
    const careless = cluster.transaction(async (db) => {
      await db.query("INSERT INTO t VALUES (3, 'first half')");
      await expect(db.query("UPDATE t SET n = '2' WHERE id = 1")).rejects.toMatchObject({ errno: 1205 });
      const refused = await db.query("INSERT INTO t VALUES (4, 'second half')").catch((error) => error);
      after.push(refused);
    });
    await expect(careless).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    expect(after).toMatchObject([{ code: 'ERR_TRANSACTION_LOST' }]);
    // Also when the function does nothing more: its commit would be a commit of nothing.
    const lastly = cluster.transaction(async (db) => {
      await db.query("INSERT INTO t VALUES (3, 'first half')");
      await db.query("UPDATE t SET n = '2' WHERE id = 1").catch(() => undefined);
    });
    await expect(lastly).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    await blocker.rollback();
    blocker.release();
    expect(await values()).toEqual(['100', '100']);
    await poolIsIdle();
  });

  test('an error that takes only its statement back leaves the transaction open', async () => {
    await cluster.transaction(async (db) => {
      await db.query("INSERT INTO t VALUES (3, 'kept')");
      await expect(db.query('SELECT 1 FROM nowhere')).rejects.toMatchObject({ errno: 1146 });
      await expect(db.query("UPDATE t SET n = REPEAT('x', 9) WHERE id = ELT(1)")).rejects.toMatchObject({
        errno: 1582,
      });
      await db.query("INSERT INTO t VALUES (4, 'kept')");
    });
    expect(await values()).toEqual(['100', '100', 'kept', 'kept']);
    await poolIsIdle();
  });

  test('autocommit is on whatever the server begins with, also after a reset, and off only for who says so', async () => {
    // What a client without a word of its own begins with, on these servers.
    const { host, port } = servers.primary;
    const { user, password } = servers.accounts.app;
    const plain = await createConnection({ host, port, user, password });
    expect((await plain.query('SELECT @@autocommit AS v'))[0]).toEqual([{ v: 0 }]);
    await plain.end();
    await cluster.query("INSERT INTO t VALUES (3, 'by the pool')");
    const connection = await cluster.getConnection();
    await connection.query('SET autocommit = 0');
    await connection.query("INSERT INTO t VALUES (4, 'taken back')");
    await connection.rollback();
    await connection.query("INSERT INTO t VALUES (5, 'forgotten')");
    // The next borrower of the same connection, which was reset.
    connection.release();
    await poolIsIdle();
    await cluster.execute("INSERT INTO t VALUES (6, 'by the pool')");
    expect(await values()).toEqual(['100', '100', 'by the pool', 'by the pool']);
  });

  test('a statement that is longer than the server takes is refused with its size, and harms neither node nor connection', async () => {
    const connection = await cluster.getConnection();
    await connection.beginTransaction();
    await connection.query("INSERT INTO t VALUES (3, 'before')");
    const { threadId } = connection;
    const tooLong = {
      code: 'ER_NET_PACKET_TOO_LARGE',
      errno: 1153,
      message: expect.stringContaining('1048576'),
    };
    const sql = 'INSERT INTO t VALUES (4, ?)';
    // The second is only too long once its quotes are escaped, the third once its bytes are written as text.
    const long = ['x'.repeat(1_048_600), "'".repeat(600_000), Buffer.alloc(600_000)];
    for (const value of long) {
      await expect(connection.query(sql, [value])).rejects.toMatchObject(tooLong);
      await expect(cluster.query(`SELECT LENGTH(?)`, [value])).rejects.toMatchObject(tooLong);
    }
    await expect(connection.execute(sql, ['x'.repeat(1_048_600)])).rejects.toMatchObject(tooLong);
    await expect(connection.query(`SELECT '${'x'.repeat(1_048_600)}'`)).rejects.toMatchObject(tooLong);
    // What is just short enough is sent, in the same transaction.
    await connection.query(sql, ['x'.repeat(1_048_000)]);
    await connection.execute('INSERT INTO t VALUES (5, ?)', ["'".repeat(600_000)]);
    expect(connection.threadId).toBe(threadId);
    await connection.commit();
    connection.release();
    expect((await values()).map((value) => String(value).length)).toEqual([3, 3, 6, 1_048_000, 600_000]);
    expectHealthy();
    await poolIsIdle();
  });

  test('the length is that of what would be sent: numbers, dates, JSON, keys, at any depth', async () => {
    const connection = await cluster.getConnection();
    await connection.beginTransaction();
    const { threadId } = connection;
    await connection.query("INSERT INTO t VALUES (3, 'before')");
    const tooLong = { code: 'ER_NET_PACKET_TOO_LARGE', errno: 1153 };
    const day = new Date();
    const rows = Array.from({ length: 30_000 }, (_, index) => [1_700_000_000_000 + index, day]);
    await expect(connection.query('INSERT INTO t VALUES ?', [rows])).rejects.toMatchObject(tooLong);
    let nested: unknown = 'x'.repeat(1_048_600);
    for (let depth = 1; depth <= 12; depth += 1) nested = [nested];
    for (const db of [connection, cluster]) {
      await expect(db.query('SELECT 1 FROM DUAL WHERE 2 IN (?)', [nested])).rejects.toMatchObject(tooLong);
    }
    const numbers = { points: Array.from({ length: 120_000 }, (_, index) => index + 0.123_456_789) };
    const keys = Object.fromEntries(
      Array.from({ length: 40_000 }, (_, index) => [`a long name of a key ${index}`, 1]),
    );
    const sql = 'INSERT INTO t VALUES (4, ?)';
    for (const document of [numbers, keys, nested]) {
      // Twice: the second time the driver has the statement prepared already.
      for (const _ of [1, 2]) {
        await expect(connection.execute(sql, [document] as never)).rejects.toMatchObject(tooLong);
      }
    }
    // A stream of it fails as well, whether it is prepared already or not.
    const callback = await new Promise<CallbackConnection>((resolve, reject) =>
      cluster.callbackPool().getConnection((error, got) => (error ? reject(error) : resolve(got))),
    );
    for (const _ of [1, 2]) {
      const stream = callback.execute('INSERT INTO t VALUES (6, ?)', ['x'.repeat(1_048_600)]).stream();
      await expect(stream.toArray()).rejects.toMatchObject(tooLong);
    }
    callback.release();
    const handle = await connection.prepare('SELECT LENGTH(?)');
    await expect(handle.execute(['x'.repeat(1_048_600)])).rejects.toMatchObject(tooLong);
    await handle.close();
    const long = `SELECT '${'x'.repeat(1_048_600)}'`;
    await expect(connection.execute(long)).rejects.toMatchObject(tooLong);
    await expect(connection.prepare(long)).rejects.toMatchObject(tooLong);
    // Nothing of it was noticed: the transaction goes on where it was.
    await connection.query("INSERT INTO t VALUES (5, 'after')");
    await connection.commit();
    expect(connection.threadId).toBe(threadId);
    connection.release();
    expect(await values()).toEqual(['100', '100', 'before', 'after']);
    expectHealthy();
    await poolIsIdle();
  });

  test('the last byte that the server takes is sent, and the next is not', async () => {
    const head = "SELECT LENGTH('') AS n".length;
    const answers: unknown[] = [];
    for (let bytes = 1_048_571 - head; bytes <= 1_048_577 - head; bytes += 1) {
      const sql = `SELECT LENGTH('${'x'.repeat(bytes)}') AS n`;
      const answer = cluster.query(sql).then(
        ([rows]) => (rows as unknown as [{ n: number }])[0].n,
        (error: { code: unknown }) => error.code,
      );
      answers.push(await answer);
    }
    // One byte of command, and with MySQL's attributes of queries two more, belong to the packet.
    const fit = options.flavor === 'mysql' ? 2 : 4;
    const sent = Array.from({ length: fit }, (_, index) => 1_048_571 - head + index);
    expect(answers).toEqual([...sent, ...Array.from({ length: 7 - fit }, () => 'ER_NET_PACKET_TOO_LARGE')]);
    expectHealthy();
  });

  function expectHealthy(): void {
    for (const { breakers, faults } of cluster.stats()) {
      expect(faults).toBe(0);
      expect(Object.values(breakers).map(({ phase }) => phase)).toEqual(['closed', 'closed', 'closed']);
    }
  }
});
