/** Reads on replicas, writes on the primary, and everything that ties a session to one connection. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { EVERY_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

type Row = Record<string, unknown>;

async function rowsOf(db: Pick<MysqlConnection, 'query'>, sql: string, values?: unknown[]): Promise<Row[]> {
  const [rows] = await db.query(sql, values as never);
  return rows as unknown as Row[];
}

async function serverOf(db: Pick<MysqlConnection, 'query'>): Promise<number> {
  const [row] = await rowsOf(db, 'SELECT @@server_id AS id');
  return row?.['id'] as number;
}

describe.each(EVERY_CLIENT_DATABASE)('on $name', ({ options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let primary: number;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, memcached: 0, php: false });
    primary = servers.primary.serverId;
    await servers.primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40))');
    await servers.waitForReplication();
    cluster = await createMysqlCluster({
      ...servers.options().mysql,
      pool: { max: 3 },
    });
  });

  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  async function poolIsIdle(): Promise<void> {
    await eventually('all connections are back', () =>
      cluster.stats().every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0),
    );
  }

  test('reads run on every replica and never on the primary', async () => {
    const seen = new Set<number>();
    for (let call = 0; call < 40; call += 1) seen.add(await serverOf(cluster));
    expect([...seen].sort()).toEqual(servers.replicas.map(({ serverId }) => serverId).sort());
  });

  test('what is written through execute is on the primary at once and on the replicas soon', async () => {
    const [header] = await cluster.execute('INSERT INTO t (v) VALUES (?)', ['first']);
    const { insertId } = header as unknown as { insertId: number };
    const onPrimary = await servers.primary.query('SELECT v FROM shop.t WHERE id = ?', [insertId]);
    expect(onPrimary).toEqual([{ v: 'first' }]);
    await servers.waitForReplication();
    const [row] = await rowsOf(cluster, 'SELECT v, @@server_id AS id FROM t WHERE id = ?', [insertId]);
    expect(row?.['v']).toBe('first');
    expect(row?.['id']).not.toBe(primary);
  });

  test('a statement that is not understood goes to the primary', async () => {
    const [row] = await rowsOf(
      cluster,
      'SELECT CONNECTION_ID() AS c, @@server_id AS id, GET_LOCK("x", 0) AS l',
    );
    expect(row?.['id']).toBe(primary);
  });

  test('a connection reads from a replica until its first write, and from the primary after it', async () => {
    const connection = await cluster.getConnection();
    expect(connection.threadId).toBeUndefined();
    expect(await serverOf(connection)).not.toBe(primary);
    expect(connection.threadId).toBeTypeOf('number');
    await connection.query('INSERT INTO t (v) VALUES ("second")');
    const thread = connection.threadId;
    expect(await serverOf(connection)).toBe(primary);
    const [row] = await rowsOf(connection, 'SELECT v FROM t WHERE id = LAST_INSERT_ID()');
    expect(row).toEqual({ v: 'second' });
    expect(connection.threadId).toBe(thread);
    connection.release();
    await poolIsIdle();
  });

  test('a ping stays on the connection that the last statement was on', async () => {
    const connection = await cluster.getConnection();
    await rowsOf(connection, 'SELECT 1');
    const reading = connection.threadId;
    await connection.ping();
    expect(connection.threadId).toBe(reading);
    const [header] = await connection.query('INSERT INTO t (v) VALUES ("third")');
    const { insertId } = header as unknown as { insertId: number };
    const writing = connection.threadId;
    await connection.ping();
    await cluster.query('INSERT INTO t (v) VALUES ("of another one")');
    expect(await serverOf(connection)).toBe(primary);
    expect(await rowsOf(connection, 'SELECT LAST_INSERT_ID() AS id')).toEqual([{ id: insertId }]);
    expect(connection.threadId).toBe(writing);
    connection.release();
    await poolIsIdle();
  });

  test('one read may ask for more than the scope around it', async () => {
    const sql = 'SELECT @@server_id AS id';
    const idOf = async (options: object): Promise<number> => {
      const [rows] = await cluster.query({ sql, ...options });
      return (rows as unknown as { id: number }[])[0]?.id as number;
    };
    expect(await idOf({ preference: 'primary' })).toBe(primary);
    expect(await idOf({ maxLagMs: 60_000 })).not.toBe(primary);
    // No measurement is younger than this.
    expect(await idOf({ maxLagMs: 0 })).toBe(primary);
    await cluster.run({ preference: 'primary' }, async () => {
      expect(await idOf({ preference: 'replica' })).not.toBe(primary);
      expect(await idOf({})).toBe(primary);
    });
    await expect(idOf({ preference: 'replica', maxLagMs: 0 })).rejects.toMatchObject({
      code: 'ERR_NO_REPLICA',
    });
    const wrong = [{ maxLagMs: -1 }, { preference: 'slave' }, { maxlagms: 1 }, { maxLagWithoutPrimaryMS: 1 }];
    for (const options of wrong) {
      await expect(idOf(options)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    }
  });

  test('the picture of the nodes can be written as JSON', () => {
    const written = JSON.parse(JSON.stringify(cluster.topology()));
    expect(written).toMatchObject({ writer: { kind: 'primary', node: servers.primary.id } });
    expect(written).not.toHaveProperty('primaryRecord');
  });

  test('every checkout is a fresh object', async () => {
    const first = await cluster.getConnection();
    first.release();
    const second = await cluster.getConnection();
    expect(second).not.toBe(first);
    await expect(first.query('SELECT 1')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    second.release();
  });

  test('a transaction in text stays on the primary from BEGIN to COMMIT', async () => {
    const connection = await cluster.getConnection();
    await connection.query('BEGIN');
    const ids = [await serverOf(connection)];
    await connection.query('INSERT INTO t (v) VALUES ("third")');
    ids.push(await serverOf(connection));
    await connection.query('COMMIT');
    connection.release();
    expect(ids).toEqual([primary, primary]);
  });

  test('a read-only transaction takes one replica as a whole', async () => {
    const connection = await cluster.getConnection();
    await connection.query('START TRANSACTION READ ONLY');
    const threads: unknown[] = [];
    for (let call = 0; call < 5; call += 1) {
      expect(await serverOf(connection)).not.toBe(primary);
      threads.push(connection.threadId);
    }
    await connection.query('COMMIT');
    connection.release();
    expect(new Set(threads).size).toBe(1);
  });

  test('what is announced for the next transaction is known to the node that it begins on', async () => {
    const seesCommitted = async (begin: string): Promise<unknown> => {
      // What earlier tests wrote must not reach the replica between the two counts.
      await servers.waitForReplication();
      const connection = await cluster.getConnection();
      await connection.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
      await connection.query(begin);
      const before = await rowsOf(connection, 'SELECT COUNT(*) AS n FROM t');
      const id = await serverOf(connection);
      await servers.primary.query('INSERT INTO shop.t (v) VALUES ("meanwhile")');
      await servers.waitForReplication();
      const [after] = await rowsOf(connection, 'SELECT COUNT(*) AS n FROM t');
      await connection.query('COMMIT');
      connection.release();
      return { replica: id !== primary, more: Number(after?.['n']) - Number(before[0]?.['n']) };
    };
    expect(await seesCommitted('START TRANSACTION READ ONLY')).toEqual({ replica: true, more: 1 });
    expect(await seesCommitted('START TRANSACTION')).toEqual({ replica: false, more: 1 });
  });

  test('a transaction that was announced as read-only begins on a replica, and the next one on the primary', async () => {
    const connection = await cluster.getConnection();
    await connection.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY');
    await connection.query('BEGIN');
    expect(await serverOf(connection)).not.toBe(primary);
    await expect(connection.query('INSERT INTO t (v) VALUES ("never")')).rejects.toMatchObject({
      errno: 1792,
    });
    await connection.query('COMMIT');
    expect(await serverOf(connection)).not.toBe(primary);
    // The refused write left nothing there that a later question could be about.
    expect(await rowsOf(connection, "SELECT IS_USED_LOCK('announced') AS l")).toEqual([{ l: null }]);
    await connection.query('BEGIN');
    expect(await serverOf(connection)).toBe(primary);
    await connection.query('ROLLBACK');
    await connection.query('SET TRANSACTION READ ONLY');
    await connection.query('SET TRANSACTION READ WRITE');
    await connection.query('BEGIN');
    expect(await serverOf(connection)).toBe(primary);
    await connection.query('INSERT INTO t (v) VALUES ("announced to write")');
    await connection.query('COMMIT');
    connection.release();
    expect(await servers.primary.query('SELECT v FROM shop.t WHERE v = "announced to write"')).toHaveLength(
      1,
    );
  });

  test('a read-write transaction never begins on the replica of a read-only one', async () => {
    const connection = await cluster.getConnection();
    await connection.query('START TRANSACTION READ ONLY');
    expect(await serverOf(connection)).not.toBe(primary);
    await connection.query('START TRANSACTION');
    expect(await serverOf(connection)).toBe(primary);
    await connection.query('INSERT INTO t (v) VALUES ("fourth")');
    await connection.query('COMMIT');
    connection.release();
    expect(await servers.primary.query('SELECT v FROM shop.t WHERE v = "fourth"')).toHaveLength(1);
  });

  test('a procedure is not called on the replica of a read-only transaction', async () => {
    const connection = await cluster.getConnection();
    await connection.query('START TRANSACTION READ ONLY');
    await connection.query('SELECT 1');
    await expect(connection.query('CALL anything()')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    await connection.query('COMMIT');
    connection.release();
    await poolIsIdle();
  });

  test('autocommit off keeps everything on the primary until it is on again', async () => {
    const connection = await cluster.getConnection();
    await connection.query('SET autocommit = 0');
    expect(await serverOf(connection)).toBe(primary);
    await connection.query('INSERT INTO t (v) VALUES ("gone")');
    connection.release();
    await poolIsIdle();
    expect(await servers.primary.query('SELECT v FROM shop.t WHERE v = "gone"')).toEqual([]);
  });

  test('nothing of one borrower reaches the next: variables, temporary tables, transactions, database', async () => {
    const connection = await cluster.getConnection();
    await connection.query('SET @secret = 42');
    await connection.query('CREATE TEMPORARY TABLE mine (n INT)');
    await connection.query('BEGIN');
    await connection.query('INSERT INTO t (v) VALUES ("open")');
    connection.release();
    await poolIsIdle();
    const others = await Promise.all([1, 2, 3].map(() => cluster.getConnection()));
    for (const other of others) {
      await other.query('INSERT INTO t (v) VALUES ("other")');
      expect(await rowsOf(other, 'SELECT @secret AS s')).toEqual([{ s: null }]);
      await expect(other.query('SELECT * FROM mine')).rejects.toMatchObject({ errno: 1146 });
      other.release();
    }
    expect(await servers.primary.query('SELECT v FROM shop.t WHERE v = "open"')).toEqual([]);

    const wanderer = await cluster.getConnection();
    await wanderer.query('USE information_schema');
    await wanderer.query('SELECT 1');
    wanderer.release();
    await poolIsIdle();
    for (let call = 0; call < 9; call += 1) {
      expect(await rowsOf(cluster, 'SELECT DATABASE() AS d')).toEqual([{ d: servers.database }]);
    }
  });

  test('settings follow a connection from the replica to the primary', async () => {
    const connection = await cluster.getConnection();
    await connection.query('SET time_zone = "+05:30"');
    await connection.query('SET NAMES latin1');
    const settings = 'SELECT @@session.time_zone AS z, @@character_set_client AS c, @@server_id AS id';
    const [before] = await rowsOf(connection, settings);
    await connection.query('INSERT INTO t (v) VALUES ("settled")');
    const [after] = await rowsOf(connection, settings);
    connection.release();
    expect(before).toMatchObject({ z: '+05:30', c: 'latin1' });
    expect(before?.['id']).not.toBe(primary);
    expect(after).toMatchObject({ z: '+05:30', c: 'latin1', id: primary });
    await poolIsIdle();
    const [fresh] = await rowsOf(cluster, settings);
    expect(fresh).toMatchObject({ c: 'utf8mb4' });
    expect(fresh?.['z']).not.toBe('+05:30');
  });

  test('a user variable ties the connection to the primary', async () => {
    const connection = await cluster.getConnection();
    await connection.query('SET @a = 5');
    expect(await rowsOf(connection, 'SELECT @a AS a, @@server_id AS id')).toEqual([{ a: 5, id: primary }]);
    connection.release();
  });

  test('SHOW WARNINGS belongs to the statement before it', async () => {
    const connection = await cluster.getConnection();
    await connection.query('SELECT CAST("1x" AS SIGNED)');
    const warnings = await rowsOf(connection, 'SHOW WARNINGS');
    connection.release();
    expect(warnings).toHaveLength(1);
  });

  test('statements of one connection run in the order of their calls', async () => {
    const connection = await cluster.getConnection();
    await connection.query('CREATE TEMPORARY TABLE steps (n INT AUTO_INCREMENT PRIMARY KEY, v INT)');
    const calls = Array.from({ length: 50 }, (_, v) =>
      connection.query(v % 3 === 0 ? 'SELECT ?' : 'INSERT INTO steps (v) VALUES (?)', [v]),
    );
    await Promise.all(calls);
    const rows = await rowsOf(connection, 'SELECT v FROM steps ORDER BY n');
    connection.release();
    const expected = Array.from({ length: 50 }, (_, v) => v).filter((v) => v % 3 !== 0);
    expect(rows.map(({ v }) => v)).toEqual(expected);
  });

  test('many holders of replica connections that all turn to writing cannot block each other', async () => {
    const holders = await Promise.all(Array.from({ length: 12 }, () => cluster.getConnection()));
    const work = holders.map(async (holder) => {
      await serverOf(holder);
      await holder.query({ sql: 'INSERT INTO t (v) VALUES ("held")', timeoutMs: 10_000 });
      const id = await serverOf(holder);
      holder.release();
      return id;
    });
    expect(new Set(await Promise.all(work))).toEqual(new Set([primary]));
    await poolIsIdle();
  });

  test('a scope that wrote reads its own writes; outside a scope nothing sticks', async () => {
    const count = async (): Promise<number> =>
      Number((await rowsOf(cluster, "SELECT COUNT(*) AS n FROM t WHERE v = 'scoped'"))[0]?.['n']);
    await cluster.run({}, async () => {
      expect(await serverOf(cluster)).not.toBe(primary);
      const before = await count();
      await cluster.query('INSERT INTO t (v) VALUES ("scoped")');
      expect(await count()).toBe(before + 1);
      await cluster.run({ maxLagMs: 60_000 }, async () => expect(await count()).toBe(before + 1));
    });
    await cluster.query('INSERT INTO t (v) VALUES ("unscoped")');
    expect(await serverOf(cluster)).not.toBe(primary);
    await cluster.run({ consistency: 'eventual' }, async () => {
      await cluster.query('INSERT INTO t (v) VALUES ("eventual")');
      expect(await serverOf(cluster)).not.toBe(primary);
    });
    await cluster.run({ preference: 'primary' }, async () => expect(await serverOf(cluster)).toBe(primary));
  });

  test('a session that is tied to a replica reads there what its scope must see, or is refused', async () => {
    const own = await createMysqlCluster({
      ...servers.options().mysql,
      // On a busy machine a server is slow and not down.
      monitor: { ...servers.options().mysql.monitor, timeoutMs: 10_000 },
      reads: { maxLagMs: 60_000 },
      scope: { waitMs: 100 },
    });
    const sql = "SELECT COUNT(*) AS n FROM t WHERE v = 'tied'";
    const connection = await own.getConnection();
    await connection.query('START TRANSACTION READ ONLY');
    await connection.query('SET @kept = 5');
    await connection.query('COMMIT');
    expect(await rowsOf(connection, sql)).toEqual([{ n: 0 }]);
    const replica = servers.replicas.find(({ id }) => id === connection.node);
    if (replica === undefined) throw new Error(`${connection.node} is no replica`);
    const tied = (why: RegExp): object => ({
      code: 'ERR_NO_REPLICA',
      message: expect.stringMatching(new RegExp(`user-variable.* ties it to ${replica.id}.*${why.source}`)),
    });
    // Nothing is applied there while the lock is held.
    await replica.query('FLUSH TABLES WITH READ LOCK');
    try {
      const [written] = await own.query("INSERT INTO t (v) VALUES ('tied')");
      expect(await rowsOf(connection, sql)).toEqual([{ n: 0 }]);
      const after = await own.token(written);
      const isLate = tied(/it did not have .* within 100 ms/);
      await expect(connection.query({ sql, after })).rejects.toMatchObject(isLate);
      await expect(connection.execute({ sql, after })).rejects.toMatchObject(isLate);
      await own.run({ after }, async () => {
        for (const text of [sql, 'SET @n = (SELECT COUNT(*) FROM t)', 'START TRANSACTION READ ONLY'])
          await expect(connection.query(text), text).rejects.toMatchObject(isLate);
        await own.run({ consistency: 'eventual' }, async () =>
          expect(await rowsOf(connection, sql)).toEqual([{ n: 0 }]),
        );
      });
      await own.run({}, async () => {
        await own.query("INSERT INTO t (v) VALUES ('tied')");
        await expect(connection.query(sql)).rejects.toMatchObject(isLate);
        expect(await rowsOf(own, sql)).toEqual([{ n: 2 }]);
      });
      await expect(connection.query({ sql, preference: 'primary' })).rejects.toMatchObject(
        tied(/preference is 'primary'/),
      );
      // No measurement is younger than this.
      await expect(connection.query({ sql, maxLagMs: 0 })).rejects.toMatchObject(tied(/behind|unknown/));
      const waiting = own.run({ after, waitMs: 60_000 }, () => rowsOf(connection, sql));
      const waits =
        "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO REGEXP '^SELECT (MASTER_GTID_WAIT|WAIT_FOR_EXECUTED_GTID_SET)'";
      await eventually('it waits there', async () => (await replica.query(waits)).length === 1);
      await replica.query('UNLOCK TABLES');
      expect(Number((await waiting)[0]?.['n'])).toBeGreaterThan(0);
    } finally {
      await replica.query('UNLOCK TABLES');
    }
    const [row] = await rowsOf(connection, 'SELECT @kept AS kept, @@server_id AS id');
    expect([Number(row?.['kept']), row?.['id']]).toEqual([5, replica.serverId]);
    connection.release();
    await own.close();
  });

  test('a read whose replica stops while its connections are waited for goes elsewhere', async () => {
    const { replicas, ...settings } = servers.options().mysql;
    const [first] = servers.replicas;
    const word = options.flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    await using client = await createMysqlCluster({
      ...settings,
      replicas: replicas.slice(0, 1),
      discover: false,
      pool: { max: 1 },
    });
    await using holder = await client.getConnection();
    await holder.query('START TRANSACTION READ ONLY');
    expect(await serverOf(holder)).toBe(first?.serverId);
    const queued = serverOf(client);
    await first?.query(`STOP ${word} SQL_THREAD`);
    try {
      await eventually(
        'the replica is left out',
        () => client.explain('SELECT 1').node === servers.primary.id,
      );
      await holder.query('COMMIT');
      holder.release();
      expect(await queued).toBe(primary);
    } finally {
      await first?.query(`START ${word} SQL_THREAD`);
    }
    const since = performance.now();
    await eventually('all replicas were looked at again, and serve', () => {
      const isSeen = cluster.topology().nodes.every((node) => node.state === 'up' && node.seenAt > since);
      const { considered } = cluster.explain('SELECT 1');
      return isSeen && considered.filter(({ fit }) => fit).length === servers.replicas.length;
    });
  });

  test('explain says what happens, and the route event says that it happened', async () => {
    const routes: unknown[] = [];
    const listen = (event: unknown): number => routes.push(event);
    cluster.on('route', listen);
    await cluster.query('SELECT 1 + ?', [1]);
    cluster.off('route', listen);
    const explained = cluster.explain('SELECT 1 + ?');
    expect(explained).toMatchObject({ kind: 'read', role: 'replica', because: 'it only reads' });
    expect(explained.considered.map(({ fit }) => fit)).toEqual([false, true, true]);
    expect(routes).toHaveLength(1);
    expect(routes[0]).toMatchObject({
      sql: 'SELECT 1 + ?',
      kind: 'read',
      role: 'replica',
      because: 'it only reads',
    });
    expect(cluster.explain('DELETE FROM t')).toMatchObject({ kind: 'write', role: 'primary' });
  });

  test('a statement that begins a transaction is refused on the pool itself', async () => {
    await expect(cluster.query('BEGIN')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    await expect(cluster.beginTransaction()).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test('errors of the server come as the driver gives them, and the connection serves on', async () => {
    const connection = await cluster.getConnection();
    await expect(connection.query('SELECT * FROM missing')).rejects.toMatchObject({
      code: 'ER_NO_SUCH_TABLE',
      errno: 1146,
    });
    expect(await rowsOf(connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await expect(connection.execute('SELECT ?', [undefined as never])).rejects.toThrow(/undefined/);
    expect(await rowsOf(connection, 'SELECT 2 AS two')).toEqual([{ two: 2 }]);
    connection.release();
    await poolIsIdle();
  });
});
