/** In place of a mysql2 pool: the same types, the callback API, streams, prepared statements, and the options of statements. */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { type Pool as CallbackPoolType, createPool, type ResultSetHeader, type RowDataPacket } from 'mysql2';
import type { Pool, PoolConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ONE_CLIENT_DATABASE } from './client-databases.js';
import { connectionListenerStory } from './connection-listeners.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let cluster: MysqlCluster;
/** The cluster where mysql2's own type is expected. */
let pool: Pool;
let callbacks: CallbackPoolType;
let primary: number;

const ROWS = 3000;

beforeAll(async () => {
  servers = await startLocalCluster({
    ...ONE_CLIENT_DATABASE.options,
    replicas: 1,
    memcached: 0,
    php: false,
  });
  primary = servers.primary.serverId;
  await servers.primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))');
  await servers.primary.query(`INSERT INTO shop.t (v) SELECT REPEAT('x', 200) FROM shop.seq_1_to_${ROWS}`);
  await servers.waitForReplication();
  const options = servers.options().mysql;
  const primaryUrl = `${options.primary}?multipleStatements=true`;
  const [replicaUrl] = options.replicas;
  cluster = await createMysqlCluster({
    ...options,
    primary: primaryUrl,
    replicas: [`${replicaUrl}?multipleStatements=true`],
    pool: { max: 3 },
  });
  pool = cluster;
  callbacks = pool.pool;
});

afterAll(async () => {
  await cluster?.close();
  await servers?.close();
});

function poolIsIdle(): Promise<unknown> {
  return eventually('all connections are back', () =>
    cluster.stats().every(({ inFlight, pool: { borrowed } }) => inFlight === 0 && borrowed === 0),
  );
}

function called<T>(work: (done: (error: unknown, value?: T) => void) => void): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    work((error, value) => (error ? reject(error) : resolve(value)));
  });
}

describe.each(['query', 'execute'] as const)("what the caller's own typeCast throws in %s", (mode) => {
  const own = new Error('not this one');
  const typeCast = (field: { readonly name: string; string(): string | null }, next: () => unknown) => {
    if (field.name !== 'v') return next();
    if (field.string() === 'spoilt') throw own;
    return 'cast';
  };
  type Side = Pick<MysqlConnection, 'query' | 'execute'>;
  /** Sends a statement in the mode. */
  const ask = (on: Side, sql: string, values: string[] = []): Promise<[RowDataPacket[], unknown]> =>
    mode === 'query' ? on.query<RowDataPacket[]>(sql, values) : on.execute<RowDataPacket[]>(sql, values);
  const cast = (on: Side, sql: string): Promise<unknown> =>
    mode === 'query' ? on.query({ sql, typeCast }) : on.execute({ sql, typeCast });
  const rowsOf = async (v: string) =>
    (await servers.primary.query('SELECT id FROM shop.t WHERE v = ?', [v])).length;

  test('is what he gets, once the answer was read: nothing is sent again or lost', async () => {
    const routed: string[] = [];
    const listen = ({ sql }: { readonly sql: string }): number => routed.push(sql);
    cluster.on('route', listen);
    const sql = "SELECT 'spoilt' AS v, 1 AS n UNION ALL SELECT 'x', 2 UNION ALL SELECT NULL, 3";
    await expect(cast(cluster, sql)).rejects.toBe(own);
    cluster.off('route', listen);
    expect(routed).toEqual([sql]);
    const connection = await cluster.getConnection();
    await connection.beginTransaction();
    const [[{ id }] = [{ id: 0 }]] = await connection.query<RowDataPacket[]>('SELECT CONNECTION_ID() AS id');
    await ask(connection, 'INSERT INTO t (v) VALUES (?)', [`${mode} kept`]);
    await expect(cast(connection, sql)).rejects.toBe(own);
    const returning = `INSERT INTO t (v) VALUES ('spoilt') RETURNING v`;
    await expect(cast(connection, returning)).rejects.toBe(own);
    expect((await connection.query('SELECT CONNECTION_ID() AS id'))[0]).toEqual([{ id }]);
    await connection.commit();
    connection.release();
    expect([await rowsOf(`${mode} kept`), await rowsOf('spoilt')]).toEqual([1, 1]);
    // Outside a transaction it is known as well what became of it.
    await cluster.query("DELETE FROM t WHERE v = 'spoilt'");
    await expect(cast(cluster, returning)).rejects.toBe(own);
    expect(await rowsOf('spoilt')).toBe(1);
    await cluster.query("DELETE FROM t WHERE v = 'spoilt' OR v = ?", [`${mode} kept`]);
    await poolIsIdle();
    expect(cluster.stats().map(({ faults }) => faults)).toEqual(cluster.stats().map(() => 0));
  });

  test('ends a stream after the rows before it', async () => {
    const sql = "SELECT 'x' AS v UNION ALL SELECT 'y' UNION ALL SELECT 'spoilt' UNION ALL SELECT 'z'";
    const events: unknown[] = [];
    await new Promise((resolve) => {
      const command = callbacks[mode]({ sql, typeCast: typeCast as never });
      command.on('result', (row) => events.push({ ...row }));
      command.on('error', (error) => events.push(error));
      command.on('end', resolve);
    });
    expect(events).toEqual([{ v: 'cast' }, { v: 'cast' }, own]);
    const stream = callbacks[mode]({ sql, typeCast: typeCast as never }).stream();
    await expect(stream.toArray()).rejects.toBe(own);
    await poolIsIdle();
  });

  test('is what he gets where it is the typeCast of a node, and the connection serves on', async () => {
    const options = servers.options().mysql;
    const casting = await createMysqlCluster({
      primary: { url: options.primary, typeCast: typeCast as never },
      discover: false,
      monitor: options.monitor,
    });
    const connection = await casting.getConnection();
    const id = await ask(connection, 'SELECT CONNECTION_ID() AS id');
    await expect(ask(connection, "SELECT 'spoilt' AS v")).rejects.toBe(own);
    expect((await ask(connection, 'SELECT 1 AS v'))[0]).toEqual([{ v: 'cast' }]);
    const prepared = await connection.prepare('SELECT ? AS v');
    await expect(prepared.execute(['spoilt'])).rejects.toBe(own);
    expect((await prepared.execute(['fine']))[0]).toEqual([{ v: 'cast' }]);
    await prepared.close();
    expect((await ask(connection, 'SELECT CONNECTION_ID() AS id'))[0]).toEqual(id[0]);
    connection.release();
    await casting.close();
  });
});

test('the cluster and its connections have the types of mysql2', async () => {
  const connection: PoolConnection = await pool.getConnection();
  const typed: MysqlConnection & PoolConnection = await cluster.getConnection();
  const [rows] = await connection.query<RowDataPacket[]>('SELECT 1 AS one');
  expect(rows[0]?.['one']).toBe(1);
  connection.release();
  pool.releaseConnection(typed);
  await poolIsIdle();
});

test('the options of a statement are honoured', async () => {
  const [arrays] = await pool.query({ sql: 'SELECT 1 AS a, 2 AS b', rowsAsArray: true });
  expect(arrays).toEqual([[1, 2]]);
  const [nested] = await pool.query({ sql: 'SELECT t.id FROM t WHERE id = 1', nestTables: true });
  expect(nested).toEqual([{ t: { id: 1 } }]);
  const [cast] = await pool.query({
    sql: 'SELECT id FROM t WHERE id = 1',
    typeCast: (field, next) => (field.name === 'id' ? `#${field.string()}` : next()),
  });
  expect(cast).toEqual([{ id: '#1' }]);
  const [named] = await pool.query({
    sql: 'SELECT :x AS x, :y AS y',
    values: { x: 1, y: 'z' },
    namedPlaceholders: true,
  });
  expect(named).toEqual([{ x: 1, y: 'z' }]);
  const [executed] = await pool.execute({ sql: 'SELECT ? AS x', rowsAsArray: true }, [7]);
  expect(executed).toEqual([[7]]);
  const [several] = await pool.query('SELECT 1 AS one; SELECT 2 AS two');
  expect(several).toEqual([[{ one: 1 }], [{ two: 2 }]]);
});

test('escaping is that of the driver', () => {
  expect(pool.escape("it's")).toBe("'it\\'s'");
  expect(pool.escapeId('a.b')).toBe('`a`.`b`');
  expect(pool.format('SELECT ?? FROM ?? WHERE x = ?', ['a', 't', 1])).toBe('SELECT `a` FROM `t` WHERE x = 1');
  expect(callbacks.format('?', [new Date(0)])).toBe(pool.format('?', [new Date(0)]));
});

test('the callback pool answers callbacks, with values or without', async () => {
  const rows = await called((done) => callbacks.query('SELECT @@server_id AS id', done));
  expect(rows).toEqual([{ id: servers.replicas[0]?.serverId }]);
  const more = await called((done) => callbacks.execute('SELECT ? AS v', [3], done));
  expect(more).toEqual([{ v: 3 }]);
  await expect(called((done) => callbacks.query('SELECT * FROM missing', done))).rejects.toMatchObject({
    errno: 1146,
  });
  expect(callbacks.promise()).toBe(cluster);
});

test('a callback connection reads from a replica, then writes and reads on the primary', async () => {
  const connection = await called<import('mysql2').PoolConnection>((done) => callbacks.getConnection(done));
  if (connection === undefined) throw new Error('no connection');
  const id = 'SELECT @@server_id AS id';
  expect(await called((done) => connection.query(id, done))).toEqual([{ id: servers.replicas[0]?.serverId }]);
  await called((done) => connection.beginTransaction(done));
  await called((done) => connection.query('INSERT INTO t (v) VALUES (?)', ['cb'], done));
  expect(await called((done) => connection.query(id, done))).toEqual([{ id: primary }]);
  await called((done) => connection.rollback(done));
  await called((done) => connection.ping(done));
  connection.release();
  await poolIsIdle();
});

test('what a callback throws is the process’s concern, and the connection serves on', async () => {
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
  callbacks.query('SELECT * FROM missing', () => {
    throw new Error('careless');
  });
  expect(await thrown).toMatchObject({ message: 'careless' });
  for (const listener of before) process.on('uncaughtException', listener);
  await poolIsIdle();
  const [rows] = await pool.query('SELECT 1 AS one');
  expect(rows).toEqual([{ one: 1 }]);
});

test('rows come as events, and as a stream that a slow reader slows down', async () => {
  const events: number[] = [];
  await new Promise<void>((resolve, reject) => {
    callbacks
      .query('SELECT id FROM t ORDER BY id LIMIT 5')
      .on('result', (row) => events.push((row as unknown as { id: number }).id))
      .on('error', reject)
      .on('end', () => resolve());
  });
  expect(events).toEqual([1, 2, 3, 4, 5]);

  let read = 0;
  let held = 0;
  const stream = callbacks.query('SELECT * FROM t ORDER BY id').stream({ highWaterMark: 10 });
  for await (const row of stream) {
    read += 1;
    if (read === 1) held = stream.readableLength;
    expect((row as { id: number }).id).toBe(read);
  }
  expect(read).toBe(ROWS);
  expect(held).toBeLessThan(ROWS / 2);
  await poolIsIdle();
});

test('of several results, the rows of a stream have the number of their own, as with mysql2', async () => {
  const sql = 'SELECT 1 AS a UNION SELECT 2; SELECT 3 AS b; DO 1; SELECT 4 AS c';
  const reference = createPool({ uri: servers.options().mysql.primary, multipleStatements: true });
  const seen: unknown[][] = [];
  for (const source of [reference, callbacks]) {
    const numbers: unknown[] = [];
    const stream = source.query(sql).stream();
    stream.on('result', (_row: unknown, index: unknown) => numbers.push(index));
    await stream.toArray();
    seen.push(numbers);
  }
  await called((done) => reference.end(done));
  expect(seen).toEqual([
    [0, 0, 1, undefined, 3],
    [0, 0, 1, undefined, 3],
  ]);
  await poolIsIdle();
});

test('an execution with named placeholders and no values says that they are missing', async () => {
  const statement = { sql: 'SELECT ? AS v', namedPlaceholders: true };
  for (const none of [null, undefined]) {
    await expect(pool.execute(statement, none as never)).rejects.toThrow('placeholders');
  }
});

test('events are of the request that asked, not of the one that opened the connection', async () => {
  const other = await createMysqlCluster({
    ...servers.options().mysql,
    reads: { preference: 'primary' },
    pool: { max: 2 },
  });
  const events = other.callbackPool();
  const row = 'SELECT id FROM shop.t WHERE id = 1';
  const gaveUp = new Error('it gives up');
  try {
    await servers.primary.query('CREATE TABLE shop.told (id INT PRIMARY KEY)');
    let isMade = (): void => undefined;
    const made = new Promise<void>((resolve) => {
      isMade = resolve;
    });
    let giveUp = (): void => undefined;
    const end = new Promise<void>((resolve) => {
      giveUp = resolve;
    });
    const first = other.run({}, () =>
      other.transaction(async (transaction) => {
        await transaction.query('SELECT id FROM shop.t WHERE id = 2 FOR UPDATE');
        // Both connections are opened for this request.
        await other.query(row);
        isMade();
        await end;
        throw gaveUp;
      }),
    );
    await Promise.race([made, first]);
    await other.run({}, async () => {
      const mine = other.scope;
      const seen: unknown[] = [];
      const note = () => seen.push(other.scope === mine);
      await called((done) =>
        events.query(row).on('fields', note).on('result', note).on('error', done).on('end', done),
      );
      const stream = events.query(row).stream().on('data', note);
      await called((done) => stream.on('error', done).on('end', done));
      expect(seen).toEqual([true, true, true]);
    });
    // A transaction that is begun in an event is one of its own, which the end of the other does not take back.
    await called((done) =>
      events.query(row).on('result', () => {
        expect(other.scope).toBeUndefined();
        const work = other.transaction((connection) => connection.query('INSERT INTO shop.told VALUES (1)'));
        work.then(() => done(undefined), done);
      }),
    );
    giveUp();
    await expect(first).rejects.toBe(gaveUp);
    expect(await servers.primary.query('SELECT id FROM shop.told')).toEqual([{ id: 1 }]);
  } finally {
    await other.close();
  }
});

test('a stream inside a connection holds its place in the queue', async () => {
  const connection = await called<import('mysql2').PoolConnection>((done) => callbacks.getConnection(done));
  if (connection === undefined) throw new Error('no connection');
  const seen: string[] = [];
  const stream = connection.query('SELECT id FROM t LIMIT 50').stream();
  const after = called((done) => connection.query('SELECT 1 AS one', done)).then(() => seen.push('after'));
  for await (const row of stream) if ((row as { id: number }).id > 0) seen.push('row');
  await after;
  expect(seen).toEqual([...Array.from({ length: 50 }, () => 'row'), 'after']);
  connection.release();
  await poolIsIdle();
});

test('a stream that is given up frees its connection soon, without an error', async () => {
  const sql = 'SELECT a.id FROM t a JOIN t b JOIN t c';
  const stream = callbacks.query(sql).stream();
  for await (const _ of stream) break;
  await poolIsIdle();
  await eventually('the server has ended it', async () => {
    const running = await servers.replicas[0]?.query(
      "SELECT * FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT a.id FROM t a%'",
    );
    return running?.length === 0;
  });
});

test('the error of a stream reaches its reader', async () => {
  const stream = callbacks.query('SELECT * FROM missing').stream();
  const reading = (async () => {
    for await (const _ of stream) throw new Error('there are no rows');
  })();
  await expect(reading).rejects.toMatchObject({ errno: 1146 });
  await poolIsIdle();
});

test('a prepared statement ties its connection until it is closed', async () => {
  const connection = await cluster.getConnection();
  const statement = await connection.prepare('SELECT ? + 1 AS n, @@server_id AS id');
  const same = await connection.prepare('SELECT ? + 1 AS n, @@server_id AS id');
  expect((await statement.execute([1]))[0]).toEqual([{ n: 2, id: primary }]);
  await statement.close();
  await expect(statement.execute([1])).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  expect((await same.execute([2]))[0]).toEqual([{ n: 3, id: primary }]);
  connection.release();
  // As with mysql2, to close it late is no mistake; to use it is.
  await same.close();
  await expect(same.execute([2])).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  await poolIsIdle();
});

test.each([
  ['reset', (connection: MysqlConnection) => connection.reset()],
  ['changeUser', (connection: MysqlConnection) => connection.changeUser({})],
])(
  'a prepared statement ends with %s, and is never executed on a connection of somebody else',
  async (_name, end) => {
    const connection = await cluster.getConnection();
    const statement = await connection.prepare('SELECT ? + 1 AS n');
    expect((await statement.execute([1]))[0]).toEqual([{ n: 2 }]);
    await end(connection);
    await expect(statement.execute([1])).rejects.toMatchObject({
      code: 'ERR_CLOSED',
      message: expect.stringContaining('prepare it again'),
    });
    await statement.close();
    const again = await connection.prepare('SELECT ? + 1 AS n');
    expect((await again.execute([2]))[0]).toEqual([{ n: 3 }]);
    await again.close();
    connection.release();
    await poolIsIdle();
  },
);

test('another user, and another database, end with the checkout', async () => {
  await servers.primary.query("CREATE USER other@'%' IDENTIFIED BY 'pw'");
  await servers.primary.query("GRANT SELECT ON shop.* TO other@'%'");
  const connection = await cluster.getConnection();
  await connection.changeUser({ user: 'other', password: 'pw', database: 'information_schema' });
  const who = 'SELECT SUBSTRING_INDEX(CURRENT_USER(), "@", 1) AS user, DATABASE() AS db';
  expect((await connection.query(who))[0]).toEqual([{ user: 'other', db: 'information_schema' }]);
  connection.release();
  await poolIsIdle();
  for (let call = 0; call < 4; call += 1) {
    const next = await cluster.getConnection();
    const [rows] = await next.query(`${who} FOR UPDATE`);
    expect(rows).toEqual([{ user: servers.accounts.app.user, db: servers.database }]);
    next.release();
  }
});

describe('another database of the same tables', () => {
  const NAMES = 'SELECT v FROM who';
  const inserted = 'INSERT INTO who (v) VALUES (?)';
  const valuesIn = async (database: string): Promise<readonly unknown[]> =>
    (await servers.primary.query(`SELECT v FROM ${database}.who ORDER BY v`)).map((row) => row['v']);

  beforeAll(async () => {
    await servers.primary.query('CREATE DATABASE tenant');
    const { user } = servers.accounts.app;
    await servers.primary.query(`GRANT ALL ON tenant.* TO ${user}@'%'`);
    await servers.primary.query("CREATE USER narrow@'%' IDENTIFIED BY 'pw'");
    await servers.primary.query("GRANT SELECT ON tenant.* TO narrow@'%'");
  });
  // Each begins with one row in each database that names it.
  beforeEach(async () => {
    for (const database of ['shop', 'tenant']) {
      await servers.primary.query(`CREATE OR REPLACE TABLE ${database}.who (v VARCHAR(50))`);
      await servers.primary.query(`INSERT INTO ${database}.who VALUES ('${database}')`);
    }
    await servers.waitForReplication();
  });

  test('what was prepared before USE is prepared anew, on whichever connection it comes to', async () => {
    const one = await createMysqlCluster({ ...servers.options().mysql, pool: { max: 1 } });
    try {
      // Each node's only connection has them prepared in `shop` now.
      for (let turn = 0; turn < 4; turn += 1) await one.execute(NAMES);
      await one.execute(inserted, ['of the shop']);
      const connection = await one.getConnection();
      await connection.query('USE tenant');
      expect((await connection.execute(NAMES))[0]).toEqual([{ v: 'tenant' }]);
      await connection.execute(inserted, ['of the tenant']);
      expect(await valuesIn('tenant')).toEqual(['of the tenant', 'tenant']);
      await connection.query('USE shop');
      await connection.execute(inserted, ['again of the shop']);
      connection.release();
      expect(await valuesIn('shop')).toEqual(['again of the shop', 'of the shop', 'shop']);
      expect(await valuesIn('tenant')).toEqual(['of the tenant', 'tenant']);
    } finally {
      await one.close();
    }
  });

  test('what was prepared under one sql_mode is read anew under another one', async () => {
    const connection = await cluster.getConnection();
    await connection.query("SET SESSION sql_mode = ''");
    expect((await connection.execute('SELECT "v" AS a FROM who'))[0]).toEqual([{ a: 'v' }]);
    await connection.query("SET SESSION sql_mode = 'ANSI_QUOTES'");
    expect((await connection.execute('SELECT "v" AS a FROM who'))[0]).toEqual([{ a: 'shop' }]);
    connection.release();
  });

  const WHO = "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS user, DATABASE() AS db, @a AS a";

  test('a reset keeps the database and the user, as the server does', async () => {
    const connection = await cluster.getConnection();
    await connection.query('USE tenant');
    await connection.query('SET @a = 1');
    await connection.reset();
    const { user } = servers.accounts.app;
    expect((await connection.query(WHO))[0]).toEqual([{ user, db: 'tenant', a: null }]);
    await connection.changeUser({ user: 'narrow', password: 'pw', database: 'tenant' });
    await connection.query('SET @a = 1');
    await connection.reset();
    expect((await connection.query(WHO))[0]).toEqual([{ user: 'narrow', db: 'tenant', a: null }]);
    connection.release();
    await poolIsIdle();
    const next = await cluster.getConnection();
    expect((await next.query(`${WHO} FOR UPDATE`))[0]).toEqual([{ user, db: 'shop', a: null }]);
    next.release();
  });

  test('a change of the user that is refused leaves the database as it was', async () => {
    const connection = await cluster.getConnection();
    await connection.query('USE tenant');
    const wrong = { user: 'narrow', password: 'wrong', database: 'tenant' };
    await expect(connection.changeUser(wrong)).rejects.toMatchObject({ errno: 1045 });
    await connection.query("INSERT INTO who VALUES ('after it')");
    connection.release();
    expect([await valuesIn('shop'), await valuesIn('tenant')]).toEqual([['shop'], ['after it', 'tenant']]);
  });

  test.each([
    [
      'whose next change is refused',
      async (connection: MysqlConnection) =>
        connection.changeUser({ user: 'narrow', password: 'wrong' }).catch(() => undefined),
    ],
    [
      'whose connection is lost',
      async (connection: MysqlConnection) => {
        await servers.primary.query(`KILL ${connection.threadId}`);
        await eventually('it is noticed', () =>
          connection.query('SELECT 1').then(
            () => false,
            () => true,
          ),
        );
      },
    ],
  ])("another user %s never becomes the pool's", async (_, happens) => {
    const connection = await cluster.getConnection();
    await connection.changeUser({ user: 'narrow', password: 'pw', database: 'tenant' });
    await happens(connection);
    for (const work of [
      () => connection.query('SELECT 1'),
      () => connection.rollback(),
      () => connection.reset(),
      () => connection.query("INSERT INTO who VALUES ('as somebody else')"),
    ])
      await expect(work()).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
    await connection.changeUser({ user: 'narrow', password: 'pw', database: 'tenant' });
    expect((await connection.query(WHO))[0]).toMatchObject([{ user: 'narrow', db: 'tenant' }]);
    connection.release();
    expect([await valuesIn('shop'), await valuesIn('tenant')]).toEqual([['shop'], ['tenant']]);
  });
});

test('a reset leaves the connection of a distributed transaction, which outlives it', async () => {
  const connection = await cluster.getConnection();
  for (const text of ["XA START 'left'", "XA END 'left'", "XA PREPARE 'left'"]) await connection.query(text);
  const before = connection.threadId;
  await connection.reset();
  const [rows] = await connection.query<RowDataPacket[]>('SELECT CONNECTION_ID() AS id FOR UPDATE');
  expect(rows[0]?.['id']).not.toBe(before);
  connection.release();
  await eventually('it can be ended elsewhere', async () => {
    const prepared = await servers.primary.query('XA RECOVER');
    if (prepared.length === 0) return true;
    await servers.primary.query("XA ROLLBACK 'left'").catch(() => undefined);
    return false;
  });
});

test('what is chained to a read-only transaction is read-only, too', async () => {
  const connection = await cluster.getConnection();
  try {
    for (const end of ['COMMIT', 'ROLLBACK']) {
      await connection.query('START TRANSACTION READ ONLY');
      await connection.query('SELECT COUNT(*) FROM t');
      await connection.query(`${end} AND CHAIN`);
      await expect(connection.query("INSERT INTO t (v) VALUES ('chained')")).rejects.toMatchObject({
        errno: 1792,
      });
      await connection.rollback();
    }
  } finally {
    connection.release();
  }
  expect(await servers.primary.query("SELECT id FROM shop.t WHERE v = 'chained'")).toEqual([]);
});

test('what a write left is there after a read-only transaction on the same connection', async () => {
  const connection = await cluster.getConnection();
  const [header] = await connection.query<ResultSetHeader>("INSERT INTO t (v) VALUES ('kept')");
  await connection.query('START TRANSACTION READ ONLY');
  await connection.query('SELECT COUNT(*) FROM t');
  await connection.query('START TRANSACTION');
  expect((await connection.query('SELECT LAST_INSERT_ID() AS id'))[0]).toEqual([{ id: header.insertId }]);
  await connection.rollback();
  connection.release();
});

test('reset forgets what the session had, and keeps the checkout', async () => {
  const connection = await cluster.getConnection();
  await connection.query('SET @a = 1');
  await connection.reset();
  expect((await connection.query('SELECT @a AS a'))[0]).toEqual([{ a: null }]);
  connection.release();
});

test('reset forgets the last id, and is not told that of another borrower', async () => {
  const [connection, other] = [await cluster.getConnection(), await cluster.getConnection()];
  await connection.query("INSERT INTO t (v) VALUES ('mine')");
  await other.query("INSERT INTO t (v) VALUES ('of another one')");
  other.release();
  await connection.reset();
  const [header] = await connection.query('INSERT INTO t (v) VALUES (LAST_INSERT_ID())');
  const { insertId } = header as unknown as { insertId: number };
  expect((await connection.query('SELECT v FROM t WHERE id = ?', [insertId]))[0]).toEqual([{ v: '0' }]);
  await connection.reset();
  // What is read next is read from a replica again.
  const [[free]] = await connection.query<RowDataPacket[]>('SELECT @@server_id AS id');
  expect(free?.['id']).not.toBe(servers.primary.serverId);
  connection.release();
  await poolIsIdle();
});

test('a reset of a connection that is gone goes on with another one', async () => {
  const connection = await cluster.getConnection();
  await connection.query('SET @a = 1');
  await servers.primary.query(`KILL ${connection.threadId}`);
  await connection.reset();
  expect((await connection.query('SELECT @a AS a'))[0]).toEqual([{ a: null }]);
  connection.release();
  await poolIsIdle();
});

describe('a listener of `connection`', () => connectionListenerStory(() => servers));

describe('a server without room for another prepared statement', () => {
  const limit = (count: number): Promise<unknown> =>
    servers.primary.query(`SET GLOBAL max_prepared_stmt_count = ${count}`);
  const prepared = async (): Promise<number> => {
    const sql = "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'";
    return Number((await servers.primary.query(sql))[0]?.['Value']);
  };
  afterEach(() => limit(16382));

  test('is made room on by closing what the connection keeps, but not what is held', async () => {
    const connection = await cluster.getConnection();
    await connection.beginTransaction();
    const held = await connection.prepare('SELECT ? AS held');
    for (const n of [1, 2, 3, 4]) await connection.execute(`SELECT ? + ${n} AS n`, [0]);
    const count = await prepared();
    await limit(count);
    const [header] = await connection.execute('INSERT INTO t (v) VALUES (?)', ['room']);
    expect(header).toMatchObject({ affectedRows: 1 });
    expect(await prepared()).toBe(count - 3);
    await limit(await prepared());
    const another = await connection.prepare('SELECT ? AS another');
    expect((await another.execute(['b']))[0]).toEqual([{ another: 'b' }]);
    expect((await held.execute(['a']))[0]).toEqual([{ held: 'a' }]);
    const [rows] = await connection.query('SELECT COUNT(*) AS n FROM t WHERE v = "room"');
    expect(rows).toEqual([{ n: 1 }]);
    await connection.rollback();
    connection.release();
    await poolIsIdle();
  });

  test('refuses it, and it is not sent in another way', async () => {
    const connection = await cluster.getConnection();
    await connection.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'");
    await limit(0);
    // Put into a text with backslashes, this value would end its string and go on as SQL.
    const value = "' OR 1 = 1 -- ";
    const refused = { errno: 1461, message: expect.stringContaining('raise `max_prepared_stmt_count`') };
    await expect(connection.execute('DELETE FROM t WHERE v = ?', [value])).rejects.toMatchObject(refused);
    await expect(connection.execute('SELECT ? AS v FOR UPDATE', [{ a: 1 }])).rejects.toMatchObject(refused);
    await expect(connection.prepare('SELECT ? AS v')).rejects.toMatchObject(refused);
    connection.release();
    await expect(pool.execute('INSERT INTO t (v) VALUES (?)', ['x'])).rejects.toMatchObject(refused);
    const left = await servers.primary.query<{ n: number }>('SELECT COUNT(*) AS n FROM shop.t');
    expect(left[0]?.n).toBeGreaterThanOrEqual(ROWS);
    await poolIsIdle();
  });

  test('does not let a procedure be called twice that prepared statements itself', async () => {
    await servers.primary.query('CREATE TABLE shop.calls (n INT)');
    await servers.primary.query(
      "CREATE PROCEDURE shop.prepares() BEGIN INSERT INTO shop.calls VALUES (1); PREPARE s FROM 'DO 0'; END",
    );
    const connection = await cluster.getConnection();
    await connection.execute('CALL prepares()');
    await connection.execute('SELECT ? AS kept FOR UPDATE', [1]);
    await connection.query('DEALLOCATE PREPARE s');
    await limit(await prepared());
    await expect(connection.execute('CALL prepares()')).rejects.toMatchObject({ errno: 1461 });
    connection.release();
    expect(await servers.primary.query('SELECT COUNT(*) AS n FROM shop.calls')).toEqual([{ n: 2 }]);
    await poolIsIdle();
  });
});

test('a limit holds for every call of a connection, and a misspelt one rejects', async () => {
  const connection = await cluster.getConnection();
  const aborted = { signal: AbortSignal.abort() };
  const calls = (limits: object): [string, () => Promise<unknown>][] => [
    ['prepare', () => connection.prepare({ sql: 'SELECT 1', ...limits })],
    ['prepare, apart', () => connection.prepare('SELECT 1', limits)],
    ['changeUser', () => connection.changeUser({ user: 'other' }, limits)],
    ['ping', () => connection.ping(limits)],
    ['reset', () => connection.reset(limits)],
    ['beginTransaction', () => connection.beginTransaction(limits)],
    ['commit', () => connection.commit(limits)],
    ['rollback', () => connection.rollback(limits)],
    ['query', () => connection.query({ sql: 'SELECT 1', ...limits })],
    ['execute', () => connection.execute({ sql: 'SELECT 1', ...limits })],
    ['getConnection', () => cluster.getConnection(limits)],
    ['ping of the pool', () => cluster.ping(limits)],
    ['query of the pool', () => cluster.query({ sql: 'SELECT 1', ...limits })],
    ['token', () => cluster.token(undefined, limits)],
    ['transaction', () => cluster.transaction(() => 1, limits)],
  ];
  // Something is under way, so that each of them waits.
  const busy = connection.query('SELECT SLEEP(0.2) FROM (SELECT 1) one FOR UPDATE');
  for (const [name, call] of calls(aborted)) {
    await expect(call(), name).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  }
  for (const [name, call] of calls({ timeoutms: 5 })) {
    await expect(call(), name).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  }
  await busy;
  const slow = await connection.prepare({ sql: 'SELECT SLEEP(?) AS s', timeoutMs: 60_000 });
  await expect(slow.execute([30], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  connection.release();
  await poolIsIdle();
});

test('LOAD DATA LOCAL loads what the stream gives, through the pool and through a connection', async () => {
  await servers.primary.query('CREATE TABLE shop.loaded (id INT PRIMARY KEY, v VARCHAR(50))');
  await servers.primary.query('SET GLOBAL local_infile = 1');
  const sql = "LOAD DATA LOCAL INFILE 'books.tsv' INTO TABLE loaded";
  const asked: string[] = [];
  const [header] = await pool.query({
    sql,
    infileStreamFactory: (path) => {
      asked.push(path);
      return Readable.from(['1\tone\n', Buffer.from('2\ttwo\n')]);
    },
  });
  expect(header).toMatchObject({ affectedRows: 2 });
  expect(asked).toEqual(['books.tsv']);
  const [[session]] = (await pool.query('SELECT CONNECTION_ID() AS id FOR UPDATE')) as unknown as [
    { id: number }[],
  ];
  // Without a stream, or with one that fails, nothing is unknown and the connection serves on.
  await expect(pool.query(sql)).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
    message: expect.stringContaining('infileStreamFactory'),
  });
  const missing = (path: string): Readable => createReadStream(`/there/is/no/${path}`);
  await expect(pool.query({ sql, infileStreamFactory: missing })).rejects.toMatchObject({ code: 'ENOENT' });
  const connection = await pool.getConnection();
  await connection.beginTransaction();
  await connection.query('INSERT INTO loaded VALUES (3, "three")');
  await expect(connection.query({ sql, infileStreamFactory: missing })).rejects.toMatchObject({
    code: 'ENOENT',
  });
  await connection.commit();
  connection.release();
  await poolIsIdle();
  const processes = 'SELECT ID AS id FROM information_schema.PROCESSLIST WHERE ID =';
  expect(await servers.primary.query(`${processes} ${session?.id}`)).toEqual([session]);
  expect(await servers.primary.query('SELECT id FROM shop.loaded ORDER BY id')).toEqual([
    { id: 1 },
    { id: 2 },
    { id: 3 },
  ]);
});

test('a leak is told with the line of the application, however the connection was taken', async () => {
  const options = servers.options().mysql;
  const own = await createMysqlCluster({ ...options, pool: { leakAfterMs: 50, max: 10 } });
  const told: string[] = [];
  const listener = ({ name, detail }: Error & { detail?: string }): void => {
    if (name === 'StormlampLeakWarning') told.push(detail ?? '');
  };
  process.on('warning', listener);
  // Of more frames than an error keeps by itself.
  const deeply = <T>(depth: number, work: () => T): T => (depth === 0 ? work() : deeply(depth - 1, work));
  const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const slow = 'SELECT SLEEP(2) FROM (SELECT 1) one FOR UPDATE';
  const ways: Record<string, () => Promise<unknown>> = {
    async heldConnection() {
      const connection = await deeply(20, () => own.getConnection());
      await later();
      await connection.query('SELECT 1 FOR UPDATE');
      return connection;
    },
    async slowQuery() {
      await deeply(20, () => own.query(slow));
    },
    async slowTransaction() {
      let attempts = 0;
      await own.transaction(async (db) => {
        attempts += 1;
        if (attempts === 1) throw Object.assign(new Error('once more'), { errno: 1213 });
        await db.query(slow);
      });
    },
    async callbackConnection() {
      const connection = await called<import('mysql2').PoolConnection>((done) =>
        own.pool.getConnection(done as never),
      );
      await called((done) => connection?.query('SELECT 1 FOR UPDATE', done));
      return connection;
    },
    async slowStream() {
      for await (const _ of own.pool.query(slow).stream()) await later();
    },
  };
  try {
    const work = Promise.all(Object.values(ways).map((way) => way()));
    for (const name of Object.keys(ways)) {
      await eventually(`the place of ${name}`, () =>
        told.some((detail) => detail.includes(name) && detail.split('\n')[1]?.includes(import.meta.filename)),
      );
    }
    expect(told.join('\n')).not.toMatch(/src\/mysql\//);
    for (const taken of await work) (taken as { release?(): void } | undefined)?.release?.();
  } finally {
    process.off('warning', listener);
    await own.close();
  }
});

test('await using gives a connection back', async () => {
  {
    await using connection = await cluster.getConnection();
    await connection.query('INSERT INTO t (v) VALUES ("using")');
  }
  await poolIsIdle();
});
