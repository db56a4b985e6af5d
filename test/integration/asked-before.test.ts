/** What a statement asks about the one before it, in whatever it does: it is answered as on one connection, or refused, never made up. */
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { firstReplica } from '../support/first-replica.js';
import { askInOldWords } from '../support/replication-words.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

type Asking = Pick<MysqlConnection, 'query'>;

const NOTED = 'SELECT n FROM notes ORDER BY id DESC LIMIT 1';
const note = (value: string): string => `INSERT INTO notes (n) VALUES (${value})`;

describe.each(CLIENT_DATABASES)('on $name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let plain: mysql.Connection;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    for (const sql of [
      'CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)',
      'INSERT INTO shop.t (v) VALUES (1), (2), (3), (4), (5)',
      'CREATE TABLE shop.notes (id INT AUTO_INCREMENT PRIMARY KEY, n INT)',
      'CREATE PROCEDURE shop.bump() UPDATE t SET v = v + 1 WHERE id <= 3',
      'CREATE PROCEDURE shop.keep(n INT) INSERT INTO notes (n) VALUES (n)',
      'CREATE FUNCTION shop.twice(n INT) RETURNS INT DETERMINISTIC NO SQL RETURN 2 * n',
      "CREATE PROCEDURE shop.refuse() SIGNAL SQLSTATE '45000'",
      'CREATE PROCEDURE shop.other() BEGIN COMMIT; START TRANSACTION; UPDATE t SET v = v + 1 WHERE id <= 2; END',
      "CREATE PROCEDURE shop.half() BEGIN COMMIT; SIGNAL SQLSTATE '45000'; END",
      ...(flavor === 'mysql'
        ? []
        : [
            'CREATE SEQUENCE shop.numbers',
            'CREATE TABLE shop.numbered (id INT DEFAULT NEXTVAL(shop.numbers), n INT)',
          ]),
    ])
      await servers.primary.query(sql);
    await servers.waitForReplication();
    const { mysql: given } = servers.options();
    const several = (url: unknown): string => `${String(url)}?multipleStatements=true`;
    cluster = await createMysqlCluster({
      ...given,
      primary: several(given.primary),
      replicas: (given.replicas ?? []).map(several),
    });
    plain = await mysql.createConnection(several(given.primary));
  });

  afterAll(async () => {
    await plain?.end();
    await cluster?.close();
    await servers?.close();
  });

  const replica = (): LocalDatabaseNode => firstReplica(servers);

  const replicaServes = (): boolean =>
    cluster.explain('SELECT 1').considered.some(({ node, fit }) => node === replica().id && fit);

  beforeEach(() => eventually('the replica serves', replicaServes));

  /** What the last of several statements answers; those that begin with `!` must fail. */
  async function lastOf(db: Asking | mysql.Connection, statements: readonly string[]): Promise<unknown> {
    let rows: unknown;
    for (const sql of statements) {
      if (sql.startsWith('!'))
        await expect(db.query(sql.slice(1))).rejects.toMatchObject({ errno: expect.any(Number) });
      else [rows] = await db.query(sql);
    }
    return Object.values((rows as object[] | undefined)?.[0] ?? {}).map(Number);
  }

  async function asPlain(statements: readonly string[]): Promise<unknown> {
    await plain.beginTransaction();
    try {
      return await lastOf(plain, statements);
    } finally {
      await plain.rollback();
    }
  }

  describe('inside transaction(fn)', () => {
    test.each([
      ['a write after a call', ['CALL bump()', note('ROW_COUNT()'), NOTED]],
      [
        'a change after a call',
        [
          'CALL bump()',
          note('0'),
          'CALL bump()',
          'UPDATE notes SET n = ROW_COUNT() ORDER BY id DESC LIMIT 1',
          NOTED,
        ],
      ],
      ['SET after a call', ['CALL bump()', 'SET @n = ROW_COUNT()', 'SELECT @n']],
      ['SET after a call that failed', ['!CALL refuse()', 'SET @n = @@error_count', 'SELECT @n']],
      ['GET DIAGNOSTICS after a call', ['CALL bump()', 'GET DIAGNOSTICS @n = ROW_COUNT', 'SELECT @n']],
      ['SELECT after a call that failed', ['!CALL refuse()', 'SELECT @@error_count']],
    ])('%s is told what it would be on one connection', async (_, statements) => {
      const wanted = await asPlain(statements);
      expect(await cluster.transaction((tx) => lastOf(tx, statements))).toEqual(wanted);
    });

    test.each([
      ['a write after a call that failed', ['!CALL refuse()'], note('@@error_count')],
      ['the value of a call', ['UPDATE t SET v = v + 1 WHERE id <= 3'], 'CALL keep(ROW_COUNT())'],
    ])('%s is refused, and goes with a SELECT before', async (_, first, asking) => {
      const value = `SELECT ${asking.includes('error') ? '@@error_count' : 'ROW_COUNT()'}`;
      const wanted = await asPlain([...first, value]);
      await cluster.transaction(async (tx) => {
        await lastOf(tx, first);
        await expect(tx.query(asking)).rejects.toMatchObject({
          code: 'ERR_UNSUPPORTED',
          message: expect.stringContaining('SELECT'),
        });
        await lastOf(tx, first);
        expect(await lastOf(tx, [value])).toEqual(wanted);
        await tx.query(note('7'));
      });
      expect(await lastOf(plain, [NOTED])).toEqual([7]);
    });

    test.each([
      ['GET DIAGNOSTICS', 'GET DIAGNOSTICS @n = ROW_COUNT'],
      ['SET', 'SET @n = ROW_COUNT()'],
      ['a write', note('ROW_COUNT()')],
    ])('%s after a procedure that began another transaction does not hide that', async (_, asking) => {
      const before = await lastOf(plain, ['SELECT SUM(v) FROM t']);
      const counted = await lastOf(plain, ['SELECT COUNT(*) FROM notes']);
      const done = cluster.transaction(async (tx) => {
        await tx.query('CALL other()');
        await tx.query(asking);
        await tx.query(note('8'));
      });
      await expect(done).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' });
      expect(await lastOf(plain, ['SELECT SUM(v) FROM t'])).toEqual(before);
      expect(await lastOf(plain, ['SELECT COUNT(*) FROM notes'])).toEqual(counted);
    });

    test('SET after a procedure that committed and failed does not hide that', async () => {
      const done = cluster.transaction(async (tx) => {
        await tx.query(note('9'));
        await expect(tx.query('CALL half()')).rejects.toMatchObject({ errno: 1644 });
        await tx.query('SET @n = @@error_count');
        await tx.query(note('10'));
      });
      await expect(done).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' });
      expect(await lastOf(plain, [NOTED])).toEqual([9]);
    });
  });

  describe('inside a transaction() inside another', () => {
    const UPDATE = 'UPDATE t SET v = v + 1 WHERE id <= 3';

    test.each([
      ['SELECT ROW_COUNT()', UPDATE],
      [note('ROW_COUNT()'), UPDATE],
      ['SET @n = ROW_COUNT()', UPDATE],
      ['SELECT FOUND_ROWS(), ROW_COUNT()', 'SELECT id FROM t WHERE id <= 4'],
      ['GET DIAGNOSTICS @n = ROW_COUNT', UPDATE],
      ['SELECT @@warning_count', "SELECT CAST('1x' AS SIGNED)"],
      ['SHOW WARNINGS', "SELECT CAST('1x' AS SIGNED)"],
    ])('%s is not told of our savepoints instead of what was before them', async (asking, before) => {
      const refused = {
        code: 'ERR_UNSUPPORTED',
        message: expect.stringMatching(/savepoint.*before.*as a value/s),
      };
      await cluster.transaction(async (tx) => {
        await tx.query(before);
        await cluster.transaction(async (inner) => {
          await expect(inner.query(asking)).rejects.toMatchObject(refused);
          await inner.query(before);
          await inner.query(asking);
          await inner.query(before);
        });
        await expect(tx.query(asking)).rejects.toMatchObject(refused);
        await tx.query(before);
        await tx.query(asking);
        const failed = cluster.transaction(() => Promise.reject(new Error('undone')));
        await expect(failed).rejects.toThrow('undone');
        await expect(tx.query(asking)).rejects.toMatchObject(refused);
        // A statement that failed is one, too.
        await expect(tx.query('CALL refuse()')).rejects.toMatchObject({ errno: 1644 });
        await tx.query('SELECT @@error_count');
      });
    });

    if (flavor === 'mariadb')
      test('whether a transaction is open is told there, and after a read on a replica, as whatever was before does not matter', async () => {
        const asking = 'SELECT @@in_transaction';
        await cluster.transaction(async (tx) => {
          await tx.query('UPDATE t SET v = v + 1 WHERE id <= 3');
          expect(await cluster.transaction((inner) => lastOf(inner, [asking]))).toEqual([1]);
          expect(await lastOf(tx, ['!CALL refuse()', note('@@in_transaction'), NOTED])).toEqual([1]);
        });
        await using connection = await cluster.getConnection();
        const told = await lastOf(connection, ['SELECT 1', 'SET @n = @@in_transaction', 'SELECT @n']);
        expect(told).toEqual([0]);
        expect(await lastOf(connection, ['BEGIN', asking])).toEqual([1]);
        await connection.query('ROLLBACK');
      });

    test('how many rows were found, and the number of the last row, are what they were: our savepoints leave them alone', async () => {
      const read = 'SELECT id FROM t WHERE id <= 4';
      const asking = 'SELECT FOUND_ROWS(), LAST_INSERT_ID()';
      await cluster.transaction(async (tx) => {
        const wanted = await lastOf(tx, [note('5'), read, asking]);
        await tx.query(read);
        expect(await cluster.transaction((inner) => lastOf(inner, [asking]))).toEqual(wanted);
        await tx.query(read);
        await cluster.transaction(() => undefined);
        expect(await lastOf(tx, [asking])).toEqual(wanted);
        await tx.query(read);
        await expect(cluster.transaction(() => Promise.reject(new Error('undone')))).rejects.toThrow(
          'undone',
        );
        expect(await lastOf(tx, [asking])).toEqual(wanted);
      });
    });

    test('how many rows were found may be the value of a call, before which a savepoint is set', async () => {
      await cluster.transaction(async (tx) => {
        await tx.query('SELECT id FROM t WHERE id <= 4');
        await tx.query('CALL keep(FOUND_ROWS())');
        expect(await lastOf(tx, [NOTED])).toEqual([4]);
      });
    });
  });

  test('a write on a connection is told of the call before it that failed', async () => {
    const statements = ['!CALL refuse()', note('@@error_count'), NOTED];
    const wanted = await lastOf(plain, statements);
    await using connection = await cluster.getConnection();
    expect(await lastOf(connection, statements)).toEqual(wanted);
  });

  describe('after a read on a replica', () => {
    const READ = 'SELECT id FROM t';
    const WARNS = "SELECT CAST('1x' AS SIGNED) FROM t";

    test.each([
      [READ, 'SET @f = FOUND_ROWS()'],
      [READ, 'SELECT FOUND_ROWS() INTO @f'],
      [READ, 'SELECT @f := FOUND_ROWS()'],
      [READ, note('FOUND_ROWS()')],
      [READ, 'SELECT FOUND_ROWS() AS n FROM t LIMIT 1 FOR UPDATE'],
      [READ, 'CALL keep(FOUND_ROWS())'],
      [READ, 'SET @a = 1; SELECT FOUND_ROWS()'],
      [READ, 'SET @f = ROW_COUNT()'],
      [WARNS, 'SET @w = @@warning_count'],
      [WARNS, 'GET DIAGNOSTICS @w = NUMBER'],
    ])('%s; %s is refused, and what is not about it goes on', async (read, asking) => {
      await using connection = await cluster.getConnection();
      await connection.query(read);
      expect(connection.node).toBe(replica().id);
      await expect(connection.query(asking)).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
        node: replica().id,
        message: expect.stringMatching(/transaction.*SELECT/s),
      });
      // It was not sent, so that the answer is still there.
      const wanted = await lastOf(plain, [read, 'SELECT FOUND_ROWS(), @@warning_count']);
      expect(await lastOf(connection, ['SELECT FOUND_ROWS(), @@warning_count'])).toEqual(wanted);
      await connection.query(note('1'));
      expect(connection.node).toBe(servers.primary.id);
    });

    test.each([
      'CREATE PROCEDURE shop.own() UPDATE t SET v = ROW_COUNT()',
      'CREATE EVENT shop.own ON SCHEDULE EVERY 1 DAY DO UPDATE t SET v = ROW_COUNT()',
      'CREATE VIEW shop.own AS SELECT FOUND_ROWS() AS n',
      'CREATE OR REPLACE VIEW shop.own AS SELECT ROW_COUNT() AS n',
      'ALTER VIEW shop.own AS SELECT LAST_INSERT_ID() AS n',
      'UPDATE t SET v = v; INSERT INTO notes (n) VALUES (ROW_COUNT())',
      'UPDATE t SET v = LAST_INSERT_ID(v)',
    ])('%s asks nothing about it', async (sql) => {
      await using connection = await cluster.getConnection();
      await connection.query(READ);
      // Whether the server lets it is another question.
      await connection.query(sql).catch((error) => expect([1044, 1142]).toContain(error.errno));
      expect(connection.node).toBe(servers.primary.id);
    });

    test('what a read-only transaction counted is not asked of the primary', async () => {
      await using connection = await cluster.getConnection();
      await connection.query('START TRANSACTION READ ONLY');
      await connection.query('SELECT SQL_CALC_FOUND_ROWS id FROM t LIMIT 1');
      await connection.query('COMMIT');
      await expect(connection.query(note('FOUND_ROWS()'))).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    });
  });

  describe('where what the scope wrote is waited for on the replica', () => {
    test.each([
      [
        'START TRANSACTION READ ONLY',
        'SELECT SQL_CALC_FOUND_ROWS * FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3) d LIMIT 1',
        'FOUND_ROWS()',
      ],
      ["SET time_zone = '+01:00'", "SELECT CAST('1x' AS SIGNED) FROM t", '@@warning_count'],
    ])('%s; %s; %s is what it was before', async (begin, read, asked) => {
      const value = `SELECT ${asked} AS asked`;
      const both = `${value}, (SELECT COUNT(*) FROM notes) AS n`;
      const [wanted] = (await lastOf(plain, [read, both])) as number[];
      await cluster.run({ waitMs: 20_000 }, async () => {
        await using connection = await cluster.getConnection();
        await connection.query(begin);
        await connection.query(read);
        expect(connection.node).toBe(replica().id);
        await cluster.query(note('11'));
        const [count] = (await lastOf(plain, ['SELECT COUNT(*) FROM notes'])) as number[];
        expect(await lastOf(connection, [both])).toEqual([wanted, count]);
      });
    });
  });

  test('in the database information_schema, a table of the server is asked of the primary without the name of that', async () => {
    const sql = 'SELECT ID FROM PROCESSLIST';
    const nodeOf = async (text: string): Promise<unknown> => {
      await using connection = await cluster.getConnection();
      await connection.query('USE information_schema');
      await connection.query(text);
      return connection.node;
    };
    expect(await nodeOf(sql)).toBe(servers.primary.id);
    expect(await nodeOf('SELECT COUNT(*) FROM TABLES')).toBe(replica().id);
    const { mysql: given } = servers.options();
    const there = (url: unknown): string => String(url).replace(/\/\w+$/, '/information_schema');
    await using other = await createMysqlCluster({
      ...given,
      primary: there(given.primary),
      replicas: (given.replicas ?? []).map(there),
    });
    expect(other.explain(sql)).toMatchObject({ role: 'primary' });
    expect(cluster.explain(sql)).toMatchObject({ role: 'replica' });
  });

  describe('when the connection is gone', () => {
    const READ = "SELECT CAST('1x' AS SIGNED) FROM t";

    async function lose(connection: MysqlConnection): Promise<void> {
      const { node, threadId } = connection;
      const server = node === replica().id ? replica() : servers.primary;
      await server.query(`KILL ${threadId}`);
      await eventually('the session is gone', async () => {
        const left = await server.query(
          `SELECT id FROM information_schema.processlist WHERE id = ${threadId}`,
        );
        return left.length === 0;
      });
    }

    test.each([
      'UPDATE t SET v = v + 1 WHERE id = 1',
      'DELETE FROM t WHERE id = 0',
      'CALL bump()',
      '!INSERT INTO t (id) VALUES (1)',
    ])('the id of the last insert is not that of somebody else after %s', async (between) => {
      await using connection = await cluster.getConnection();
      await connection.query(note('1'));
      await lose(connection);
      await cluster.query(note('2'));
      // A write that is the first to find out may have happened.
      await connection.ping();
      await lastOf(connection, [between]);
      const gone = { code: 'ERR_CONNECTION_LOST' };
      await expect(connection.query(note('LAST_INSERT_ID()'))).rejects.toMatchObject(gone);
      await expect(connection.query('SELECT LAST_INSERT_ID()')).rejects.toMatchObject(gone);
      // The next one that it gets itself is known.
      const [{ insertId }] = await connection.query<mysql.ResultSetHeader>(note('3'));
      expect(await lastOf(connection, ['SELECT LAST_INSERT_ID()'])).toEqual([insertId]);
    });

    test.each([
      'INSERT INTO notes (id, n) VALUES (?, 1)',
      'INSERT INTO notes (id, n) VALUES (1, 1) ON DUPLICATE KEY UPDATE n = n + 1',
      'REPLACE INTO notes (id, n) VALUES (?, 1)',
      'INSERT INTO notes (id, n) SELECT ?, 1',
    ])('an id that %s names itself is none that it got', async (named) => {
      await using connection = await cluster.getConnection();
      await connection.query(note('1'));
      await lose(connection);
      await cluster.query(note('2'));
      await connection.ping();
      const [{ insertId }] = await connection.query<mysql.ResultSetHeader>(named, [900_000]);
      expect(insertId).not.toBe(0);
      const gone = { code: 'ERR_CONNECTION_LOST' };
      await expect(connection.query(note('LAST_INSERT_ID()'))).rejects.toMatchObject(gone);
      await expect(connection.query('SELECT LAST_INSERT_ID()')).rejects.toMatchObject(gone);
      const both = `UPDATE t SET v = v; ${note('LAST_INSERT_ID()')}`;
      await expect(connection.query(both)).rejects.toMatchObject(gone);
      const [got] = await connection.query<mysql.ResultSetHeader>(note('3'));
      // Nothing comes between an insert and what asks about its outcome.
      await expect(connection.query('SELECT LAST_INSERT_ID(), ROW_COUNT()')).rejects.toMatchObject(gone);
      await connection.query(note('LAST_INSERT_ID()'));
      expect(await lastOf(connection, [NOTED])).toEqual([got.insertId]);
      await plain.query('DELETE FROM notes WHERE id >= 900000');
      expect(await lastOf(connection, ['SELECT LAST_INSERT_ID()'])).not.toEqual([got.insertId]);
    });

    test('to look whether an insert got its id leaves no rows counted that nobody asked for', async () => {
      await using connection = await cluster.getConnection();
      await connection.query(note('1'));
      await lose(connection);
      await connection.ping();
      await connection.query(note('2'));
      await connection.query('SELECT id FROM t WHERE id <= 4');
      await connection.query('SET @id = LAST_INSERT_ID()');
      await expect(connection.query('SELECT FOUND_ROWS()')).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
      });
    });

    if (flavor === 'mariadb')
      test.each([
        ['SELECT NEXTVAL(numbers)', 'LASTVAL(numbers)'],
        ['INSERT INTO numbered (n) VALUES (1)', 'PREVIOUS VALUE FOR numbers'],
      ])('what a sequence gave to %s is not what it gave somebody else', async (advances, asked) => {
        await using connection = await cluster.getConnection();
        await connection.query(advances);
        const [own] = (await lastOf(connection, [`SELECT ${asked}`])) as number[];
        await connection.query(note(asked));
        expect(await lastOf(connection, [NOTED])).toEqual([own]);
        await lose(connection);
        await cluster.query('SELECT NEXTVAL(numbers)');
        const gone = { code: 'ERR_CONNECTION_LOST', message: expect.stringContaining('sequence') };
        await connection.ping();
        await expect(connection.query(note(asked))).rejects.toMatchObject(gone);
        await connection.query('UPDATE t SET v = v + 1 WHERE id = 1');
        for (const asking of [note(asked), `SELECT ${asked}`, `SET @last = ${asked}`])
          await expect(connection.query(asking), asking).rejects.toMatchObject(gone);
        // Which sequences an insert advances no text shows.
        await connection.query('INSERT INTO numbered (n) VALUES (2)');
        await expect(connection.query(note(asked))).rejects.toMatchObject(gone);
      });

    test.each([
      'SHOW WARNINGS',
      'SELECT @@warning_count',
      'SELECT ROW_COUNT()',
      'SELECT FOUND_ROWS()',
      'SET @f = FOUND_ROWS()',
      note('FOUND_ROWS()'),
    ])('%s tells so after a read, and nothing is made up', async (asking) => {
      await using connection = await cluster.getConnection();
      await connection.query(READ);
      await lose(connection);
      await expect(connection.query(asking)).rejects.toMatchObject({
        code: expect.stringMatching(
          /^(ERR_CONNECTION_LOST|PROTOCOL_CONNECTION_LOST|ECONNRESET|EPIPE|ERR_UNSUPPORTED)$/,
        ),
      });
      // Whoever goes on without it can.
      expect(await lastOf(connection, ['SELECT 4'])).toEqual([4]);
    });

    test.each([
      note('LAST_INSERT_ID()'),
      'SET @id = LAST_INSERT_ID()',
      note('ROW_COUNT()'),
      'SET @n = ROW_COUNT()',
    ])('%s tells so after a write', async (asking) => {
      await using connection = await cluster.getConnection();
      await connection.query('INSERT INTO t (v) VALUES (1)');
      await lose(connection);
      // Whoever sends before the end of the connection is known does not know what became of that.
      await expect(connection.query(asking)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_(CONNECTION_LOST|OUTCOME_UNKNOWN)$/),
      });
    });
  });

  test.each([note('1'), 'SET @page = 2', 'BEGIN', 'SET autocommit = 0'])(
    'how many rows a read on a replica found is not known on the primary, after: %s',
    async (sql) => {
      await using db = await cluster.getConnection();
      await db.query('SELECT id FROM t');
      await db.query(sql);
      for (const asking of ['SELECT FOUND_ROWS()', note('FOUND_ROWS()')])
        await expect(db.query(asking)).rejects.toMatchObject({
          code: 'ERR_UNSUPPORTED',
          message: expect.stringContaining(`which was on ${replica().id}`),
        });
      // A read there has rows of its own.
      await db.query('SELECT id FROM t WHERE id <= 2 FOR UPDATE');
      expect((await db.query('SELECT FOUND_ROWS() AS n'))[0]).toEqual([{ n: 2 }]);
    },
  );

  const FOUND = 'SELECT FOUND_ROWS()';

  test.each([
    [['!SELECT nope FROM t'], FOUND],
    [['!SELECT id FROM nope'], note('FOUND_ROWS()')],
    [[note('1')], `SET @a = 1; ${FOUND}`],
    [[note('1')], `${note('1')}; ${FOUND}`],
    [[], `${note('1')}; ${note('FOUND_ROWS()')}`],
    [[], `UPDATE t SET v = v; SHOW WARNINGS; ${FOUND}`],
    [[note('1'), 'DO 1'], FOUND],
    [[note('1'), 'SHOW WARNINGS'], FOUND],
    [[note('1'), 'EXPLAIN SELECT id FROM t'], FOUND],
  ])('what does not count rows on every server does not hide that: %s; %s', async (statements, asking) => {
    await using db = await cluster.getConnection();
    await db.query('SELECT id FROM t');
    expect(db.node).toBe(replica().id);
    await lastOf(db, statements);
    await expect(db.query(asking)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining(`which was on ${replica().id}`),
    });
  });

  test.each([
    ['SELECT twice(id) FROM t WHERE id <= 2', 2],
    ["SELECT GET_LOCK('asked', 0)", 1],
    ['WITH x AS (SELECT id FROM t WHERE id <= 3) SELECT * FROM x FOR UPDATE', 3],
    ['(SELECT id FROM t WHERE id <= 3 FOR UPDATE)', 3],
    ['SET @a = 1; SELECT id FROM t WHERE id <= 2', 2],
  ])('%s on the primary has rows of its own', async (sql, found) => {
    await using db = await cluster.getConnection();
    await db.query('SELECT id FROM t');
    await db.query(sql);
    expect(db.node).toBe(servers.primary.id);
    expect(await lastOf(db, [FOUND])).toEqual([found]);
  });

  test('what a read left on a connection that was given back since, others may have read over', async () => {
    const { mysql: given } = servers.options();
    const narrow = await createMysqlCluster({ ...given, pool: { max: 1 } });
    try {
      await eventually('the replica serves', () => narrow.explain('SELECT 1').node === replica().id);
      await using db = await narrow.getConnection();
      await db.query('SELECT id FROM t');
      const { threadId } = db;
      await db.query('SHOW PROCESSLIST');
      expect(db.node).toBe(servers.primary.id);
      await narrow.query('SELECT id FROM t WHERE id <= 1');
      await db.query('START TRANSACTION READ ONLY');
      await db.query('DO 1');
      expect(db.threadId).toBe(threadId);
      await expect(db.query(FOUND)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    } finally {
      await narrow.close();
    }
  });

  test('what a read on a replica left is not known any more once something is prepared on the primary', async () => {
    await using db = await cluster.getConnection();
    await db.query('SELECT id FROM t');
    const handle = await db.prepare('SELECT FOUND_ROWS() AS n');
    await expect(db.query('SHOW WARNINGS')).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('has gone on to another server since'),
    });
    await handle.close();
  });

  test('whoever holds the only connection of a pool waits beside it for what the replica lacks', async () => {
    const { mysql: given } = servers.options();
    const narrow = await createMysqlCluster({
      ...given,
      pool: { max: 1 },
      reads: { maxLagMs: Number.POSITIVE_INFINITY },
    });
    try {
      await narrow.run({ waitMs: 5_000 }, async () => {
        await using reader = await narrow.getConnection();
        await reader.query('START TRANSACTION READ ONLY');
        await reader.query('SELECT 1');
        await askInOldWords(replica(), flavor, 'STOP SLAVE SQL_THREAD');
        await narrow.query('UPDATE t SET v = 70 WHERE id = 5');
        const read = reader.query('SELECT v, FOUND_ROWS() AS f FROM t WHERE id = 5');
        await askInOldWords(replica(), flavor, 'START SLAVE SQL_THREAD');
        expect((await read)[0]).toEqual([{ v: 70, f: 1 }]);
        await reader.query('COMMIT');
      });
    } finally {
      await narrow.close();
    }
  });

  test('a login that is refused once is no reason against a replica that serves over another connection', async () => {
    const { mysql: given } = servers.options();
    const other = await createMysqlCluster(given);
    const { user } = servers.accounts.app;
    const account = async (state: string): Promise<void> => {
      await servers.primary.query(`ALTER USER '${user}'@'%' ACCOUNT ${state}`);
      await servers.waitForReplication();
    };
    const refusal = (): string | undefined =>
      other.topology().nodes.find(({ id }) => id === replica().id)?.refusal;
    try {
      await eventually('the replica serves', () => other.explain('SELECT 1').node === replica().id);
      await other.query('SELECT 1');
      await account('LOCK');
      const sleeps = Array.from({ length: 3 }, () => other.query('SELECT SLEEP(0.3)').catch(() => undefined));
      await Promise.all(sleeps);
      await account('UNLOCK');
      expect(refusal()).toBeUndefined();
      expect(other.explain('SELECT 1').node).toBe(replica().id);
    } finally {
      await account('UNLOCK');
      await other.close();
    }
  });

  // The last one: the servers are not what they were.
  test('what was left on the primary before is not asked of the next one, also where nothing comes between', async () => {
    const { mysql: given } = servers.options();
    await using narrow = await createMysqlCluster({ ...given, pool: { max: 4 } });
    const asked: [string, string][] = [
      [note('1'), note('LAST_INSERT_ID()')],
      [note('1'), 'SELECT LAST_INSERT_ID()'],
    ];
    if (flavor === 'mariadb') asked.push(['SELECT NEXTVAL(numbers)', note('LASTVAL(numbers)')]);
    const left = await Promise.all(
      asked.map(async ([leaves]) => {
        const connection = await narrow.getConnection();
        await connection.query(leaves);
        return connection;
      }),
    );
    const next = replica();
    await servers.promote(next);
    await eventually('the client knows', () => {
      const { writer } = narrow.topology();
      return writer.kind === 'primary' && writer.node === next.id;
    });
    for (const [index, connection] of left.entries()) {
      const asking = asked[index]?.[1] ?? '';
      for (let time = 0; time < 2; time += 1)
        await expect(connection.query(asking), asking).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
      // Whoever goes on without it can.
      await connection.query('UPDATE t SET v = v + 1 WHERE id = 1');
      expect(connection.node).toBe(next.id);
      await expect(connection.query(asking), asking).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
      connection.release();
    }
  });
});
