/** What keeps calls away from nodes: two primaries, none, isolation, and a function that was promised to only read. */
import { connect, createServer } from 'node:net';
import { raw } from 'mysql2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { ONE_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let cluster: MysqlCluster;

beforeAll(async () => {
  servers = await startLocalCluster({
    ...ONE_CLIENT_DATABASE.options,
    replicas: 3,
    memcached: 0,
    php: false,
  });
  await servers.primary.query('CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)');
  await servers.primary.query(
    'CREATE FUNCTION shop.sneaky() RETURNS INT MODIFIES SQL DATA DETERMINISTIC BEGIN INSERT INTO shop.t (v) VALUES (7); RETURN 7; END',
  );
  await servers.primary.query('CREATE FUNCTION shop.honest() RETURNS INT DETERMINISTIC RETURN 5');
  await servers.waitForReplication();
  cluster = await start();
});

afterAll(async () => {
  await cluster?.close();
  await servers?.close();
});

function start(options: MysqlOptions = {}): Promise<MysqlCluster> {
  return createMysqlCluster({ ...servers.options().mysql, ...options });
}

async function serverOf(db: MysqlCluster, sql = 'SELECT @@server_id AS id'): Promise<unknown> {
  const [rows] = await db.query(sql);
  return (rows as unknown as { id: number }[])[0]?.id;
}

function primaryNode(): string {
  return `127.0.0.1:${servers.primary.port}`;
}

function replica(index: number): LocalDatabaseNode {
  const node = servers.replicas[index];
  if (node === undefined) throw new Error(`replica ${index} is needed`);
  return node;
}

test('a stored function goes to the primary, unless it was promised to only read', async () => {
  const trusting = await start({ functions: { readOnly: ['honest'] } });
  const sql = 'SELECT honest(), @@server_id AS id';
  expect(await serverOf(cluster, sql)).toBe(servers.primary.serverId);
  expect(await serverOf(trusting, sql)).not.toBe(servers.primary.serverId);
  await trusting.close();
});

test('a function that was promised to only read and writes is refused by the replica, and run on the primary', async () => {
  const deceived = await start({ functions: { readOnly: ['sneaky'] } });
  const routes: string[] = [];
  deceived.on('route', ({ role }) => routes.push(role));
  expect(await serverOf(deceived, 'SELECT sneaky(), @@server_id AS id')).toBe(servers.primary.serverId);
  expect(routes).toEqual(['replica', 'primary']);
  expect(await servers.primary.query('SELECT COUNT(*) AS n FROM shop.t WHERE v = 7')).toEqual([{ n: 1 }]);
  await deceived.close();
});

test('what a read-only transaction left on a replica is still there after it, and refused where it cannot follow', async () => {
  const connection = await cluster.getConnection();
  await connection.query('START TRANSACTION READ ONLY');
  await connection.query('SELECT @kept := 5');
  await connection.query('COMMIT');
  const sql = 'SELECT @kept AS kept, @@server_id AS id';
  const [rows] = await connection.query(sql);
  const [row] = rows as unknown as { kept: number; id: number }[];
  expect(Number(row?.kept)).toBe(5);
  expect(row?.id).not.toBe(servers.primary.serverId);
  for (const write of ['INSERT INTO t (v) VALUES (@kept)', 'BEGIN', "SELECT GET_LOCK('a', 0)"]) {
    await expect(connection.query(write)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('user-variable'),
    });
  }
  await connection.query('SET @kept = 6');
  expect(Number(((await connection.query(sql))[0] as unknown as { kept: number }[])[0]?.kept)).toBe(6);
  connection.release();
  // A variable that was only read is none that was set.
  const reading = await cluster.getConnection();
  await reading.query('START TRANSACTION READ ONLY');
  expect((await reading.query('SELECT @kept AS kept'))[0]).toEqual([{ kept: null }]);
  await reading.query('COMMIT');
  await reading.query('INSERT INTO t (v) VALUES (56)');
  expect((await reading.query('SELECT @kept AS kept'))[0]).toEqual([{ kept: null }]);
  reading.release();
  expect(await servers.primary.query('SELECT COUNT(*) AS n FROM shop.t WHERE v = 56')).toEqual([{ n: 1 }]);
  // What only tells of the statement before is no reason to stay.
  const counting = await cluster.getConnection();
  await counting.query('START TRANSACTION READ ONLY');
  await counting.query('SELECT SQL_CALC_FOUND_ROWS 1 LIMIT 1');
  await counting.query('COMMIT');
  await counting.query('INSERT INTO t (v) VALUES (55)');
  counting.release();
  expect(await servers.primary.query('SELECT COUNT(*) AS n FROM shop.t WHERE v = 55')).toEqual([{ n: 1 }]);
});

test('what becomes of an array of values after the call counts nowhere', async () => {
  for (const name of ['tenant_a', 'tenant_b']) {
    await servers.primary.query(`CREATE DATABASE ${name}`);
    await servers.primary.query(`CREATE TABLE ${name}.note (v INT)`);
  }
  await servers.primary.query("GRANT ALL ON `tenant\\_%`.* TO 'app'@'%'");
  await servers.waitForReplication();
  const connection = await cluster.getConnection();
  const [database, zone] = [['tenant_a'], ['+02:00']];
  await connection.query('USE ??', database);
  await connection.execute({ sql: 'SET time_zone = ?', values: zone });
  expect((await connection.query('SELECT COUNT(*) AS n FROM note'))[0]).toEqual([{ n: 0 }]);
  expect(connection.node).not.toBe(primaryNode());
  database[0] = 'tenant_b';
  zone[0] = '-05:00';
  const values = [0];
  const writes = [1, 2, 3].map((value) => {
    values[0] = value;
    return connection.query('INSERT INTO note VALUES (?)', values);
  });
  await Promise.all(writes);
  const [where] = await connection.query('SELECT DATABASE() AS d, @@time_zone AS z FOR UPDATE');
  expect(where).toEqual([{ d: 'tenant_a', z: '+02:00' }]);
  connection.release();
  const written = await servers.primary.query('SELECT GROUP_CONCAT(v ORDER BY v) AS v FROM tenant_a.note');
  expect(written).toEqual([{ v: '1,2,3' }]);
  expect(await servers.primary.query('SELECT * FROM tenant_b.note')).toEqual([]);
});

test('a session that sets one thing again and again is tied nowhere, and one that sets many things to the primary', async () => {
  const connection = await cluster.getConnection();
  for (let turn = 0; turn < 20; turn += 1) {
    await connection.query('USE shop');
    await connection.query("SET time_zone = '+01:00'");
    await connection.query('SELECT 1');
  }
  expect(connection.node).not.toBe(primaryNode());
  await connection.query('INSERT INTO t (v) VALUES (77)');
  await connection.beginTransaction();
  await connection.rollback();
  connection.release();
  const many = await cluster.getConnection();
  for (let turn = 0; turn < 20; turn += 1) {
    await many.query(`SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES'), time_zone = '+0${turn % 10}:00'`);
    await many.query('SELECT 1');
  }
  const [now] = await many.query('SELECT @@time_zone AS z');
  expect([many.node, now]).toEqual([primaryNode(), [{ z: '+09:00' }]]);
  await many.query('INSERT INTO t (v) VALUES (78)');
  many.release();
});

test('characters that would become quotes are seen at any depth, and behind any object', async () => {
  class Hidden {
    readonly #text: string;
    constructor(text: string) {
      this.#text = text;
    }
    toString(): string {
      return this.#text;
    }
  }
  const { primary } = servers.options().mysql;
  const latin = await start({ primary: { url: primary as string, charset: 'latin1' }, replicas: [] });
  const sql = 'SELECT 1 AS a FROM DUAL WHERE 2 IN (?)';
  let value: unknown = '\u0127) UNION SELECT CURRENT_USER() -- ';
  for (let depth = 1; depth <= 14; depth += 1) {
    value = [value];
    await expect(latin.query({ sql: `${sql}/*p*/`, values: value as never })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
  }
  const hidden = { v: new Hidden('\u0127, v = 5 -- ') };
  await expect(latin.query('INSERT INTO t SET ?', [hidden as never])).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
  });
  expect((await latin.query('SELECT ? AS a', ['\u00e4\u00ff']))[0]).toEqual([{ a: '\u00e4\u00ff' }]);
  await latin.close();
});

test('another user whose password is wrong is tried once', async () => {
  await servers.primary.query("CREATE USER tenant@'%' IDENTIFIED BY 'right'");
  await servers.primary.query("GRANT SELECT ON shop.* TO tenant@'%'");
  await servers.primary.query('SET GLOBAL max_password_errors = 2');
  try {
    for (let turn = 0; turn < 3; turn += 1) {
      const connection = await cluster.getConnection();
      await expect(connection.changeUser({ user: 'tenant', password: 'wrong' })).rejects.toMatchObject({
        errno: 1045,
      });
      // A login that is right forgets those that were not.
      await connection.changeUser({ user: 'tenant', password: 'right' });
      connection.release();
    }
  } finally {
    await servers.primary.query('SET GLOBAL max_password_errors = 4294967295');
  }
});

test('with `maxQueue: 0` whoever comes when the only connection is being reset is served', async () => {
  const small = await start({ pool: { max: 1, maxQueue: 0 } });
  for (let turn = 0; turn < 10; turn += 1) {
    await small.transaction(async (tx) => {
      await tx.query('SELECT 1');
    });
    const connection = await small.getConnection();
    await connection.query('SELECT @a := 1');
    await expect(small.query('SELECT 1 FOR UPDATE')).rejects.toMatchObject({ code: 'ERR_POOL_QUEUE_FULL' });
    connection.release();
  }
  await small.close();
});

test('values that are long as JSON, as numbers or deep inside are measured before they are sent', async () => {
  for (const node of servers.databases) await node.query('SET GLOBAL max_allowed_packet = 1048576');
  try {
    const own = await start({ pool: { max: 2 } });
    const numbers = Array.from({ length: 60_000 }, (_, index) => [index + 0.123456789, new Date(0)]);
    let deep: unknown = 'x'.repeat(1_500_000);
    for (let depth = 0; depth < 12; depth += 1) deep = [deep];
    const keys = Object.fromEntries(
      Array.from({ length: 40_000 }, (_, at) => [`some_long_name_${at}`, true]),
    );
    for (const values of [[numbers], [deep], [{ keys }], [{ toJSON: () => deep }]]) {
      await expect(own.execute('SELECT LENGTH(?) AS n', values as never)).rejects.toMatchObject({
        code: 'ER_NET_PACKET_TOO_LARGE',
      });
    }
    for (const values of [[numbers], [deep]]) {
      await expect(own.query('INSERT INTO t (v) VALUES ?', values as never)).rejects.toMatchObject({
        code: 'ER_NET_PACKET_TOO_LARGE',
      });
    }
    expect(own.stats().map(({ faults }) => faults)).toEqual(servers.databases.map(() => 0));
    await own.close();
  } finally {
    for (const node of servers.databases) await node.query('SET GLOBAL max_allowed_packet = 16777216');
  }
});

test('credentials without a user log nobody in', async () => {
  const { primary } = servers.options().mysql;
  for (const given of [undefined, {}, { user: '', password: 'x' }, { user: undefined, password: 'x' }, 5]) {
    const own = start({
      primary: { url: primary as string, credentials: () => given as never },
      replicas: [],
    });
    const failure = await own.then(
      async (opened) => {
        try {
          return await opened.query('SELECT 1').catch((error: unknown) => error);
        } finally {
          await opened.close();
        }
      },
      (error: unknown) => error,
    );
    expect(String(failure), String(given)).toContain('gave nothing to log in');
  }
});

test('a connection that was paused is read again by the next borrower, and when it is released busy', async () => {
  const small = await start({ pool: { max: 1 } });
  for (let turn = 0; turn < 2; turn += 1) {
    const connection = await small.getConnection();
    await connection.query('INSERT INTO t (v) VALUES (66)');
    connection.pause();
    const under = turn === 0 ? undefined : connection.query('SELECT 1 AS one FOR UPDATE');
    connection.release();
    if (under !== undefined) expect((await under)[0]).toEqual([{ one: 1 }]);
    await small.query({ sql: 'SELECT 1 FOR UPDATE', timeoutMs: 5_000 });
  }
  const connection = await small.getConnection();
  await connection.query('SELECT 1 FOR UPDATE');
  connection.pause();
  const late = connection.query('SELECT 2 AS two FOR UPDATE');
  setImmediate(() => connection.resume());
  expect((await late)[0]).toEqual([{ two: 2 }]);
  connection.release();
  await small.close();
});

test('variables that a procedure set are not asked of another connection, and a lock is kept as often as it was taken', async () => {
  await servers.primary.query('CREATE PROCEDURE shop.sets() BEGIN SET @told = 5; END');
  const connection = await cluster.getConnection();
  await connection.query('CALL sets()');
  await servers.primary.query(`KILL ${connection.threadId}`);
  await eventually('the connection is seen to be gone', async () => {
    await connection.query('SELECT 1').catch(() => undefined);
    return connection.query('SELECT @told AS told').then(
      ([rows]) => expect(rows).toEqual([{ told: 5 }]),
      (error: { code?: string }) => error.code === 'ERR_CONNECTION_LOST',
    );
  });
  connection.release();
  const locking = await cluster.getConnection();
  for (const sql of ["GET_LOCK('twice', 0)", "GET_LOCK('twice', 0)", "RELEASE_LOCK('twice')"]) {
    await locking.query(`SELECT ${sql}`);
  }
  const isHeld = "SELECT IS_USED_LOCK('twice') AS holder";
  expect(await servers.primary.query(isHeld)).toEqual([{ holder: locking.threadId }]);
  await servers.primary.query(`KILL ${locking.threadId}`);
  await expect(locking.query('SELECT 1')).rejects.toMatchObject({
    code: 'ERR_CONNECTION_LOST',
    message: expect.stringContaining('named-lock'),
  });
  locking.release();
});

test('values that are SQL are judged as they are sent, by name and by queryFormat, too', async () => {
  const { primary, replicas } = servers.options().mysql;
  const withOptions = (own: object): MysqlOptions => ({
    primary: { url: primary, ...own },
    replicas: replicas.map((url) => ({ url, ...own })),
  });
  const named = await start(withOptions({ namedPlaceholders: true }));
  const sql = 'SELECT @@server_id AS id, :what AS what';
  const idOf = async (db: MysqlCluster, what: unknown): Promise<unknown> => {
    const [rows] = await db.query({ sql, values: { what } as never });
    return (rows as unknown as { id: number }[])[0]?.id;
  };
  expect(await idOf(named, raw('sneaky()'))).toBe(servers.primary.serverId);
  expect(await idOf(named, raw('1 + 1'))).not.toBe(servers.primary.serverId);
  const [given] = await cluster.query({
    sql,
    values: { what: raw('sneaky()') } as never,
    namedPlaceholders: true,
  });
  expect(given).toMatchObject([{ id: servers.primary.serverId }]);
  await named.close();
  const queryFormat = (text: string, values: unknown): string =>
    text.replace(/:(\w+)/g, (_all, name: string) => String((values as Record<string, unknown>)[name]));
  const formatted = await start(withOptions({ queryFormat }));
  expect(await idOf(formatted, 'sneaky()')).toBe(servers.primary.serverId);
  expect(await idOf(formatted, '1 + 1')).not.toBe(servers.primary.serverId);
  await formatted.close();
  // What is set is known although a value says it, and follows to the primary.
  const connection = await cluster.getConnection();
  await connection.query('SET ?', [{ time_zone: '+07:00' }]);
  await connection.query('INSERT INTO t (v) VALUES (88)');
  const [zone] = await connection.query('SELECT @@time_zone AS zone, @@server_id AS id');
  expect(zone).toEqual([{ zone: '+07:00', id: servers.primary.serverId }]);
  connection.release();
});

test('characters that a character set has no place for are refused where they would become quotes', async () => {
  const { primary, replicas } = servers.options().mysql;
  const inCharset = (charset: string): Promise<MysqlCluster> =>
    start({ primary: { url: primary, charset }, replicas: replicas.map((url) => ({ url, charset })) });
  // U+0127 is cut down to a quote, U+015C to a backslash.
  const latin = await inCharset('latin1');
  for (const [sql, values] of [
    ["SELECT 'a\u0127, sneaky() -- '", undefined],
    ['SELECT ?', ['\u0127, sneaky() -- ']],
    ['INSERT INTO t SET ?', [{ v: '\u015c' }]],
    ['SELECT 1 FROM DUAL WHERE (1, 2) IN (?)', [[[['\u015c']]]]],
  ] as const) {
    await expect(latin.query(sql, values as never)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/latin1.*U\+01/),
    });
  }
  // However deep it lies, and where an object becomes a text only in the driver.
  for (const depth of [2, 7, 8, 9, 10, 40]) {
    let ids: unknown = `\u0127${')'.repeat(depth)} UNION SELECT sneaky() -- `;
    for (let level = 0; level < depth; level += 1) ids = [ids];
    await expect(
      latin.query('SELECT 1 AS a FROM DUAL WHERE 2 IN (?)', [ids] as never),
      `${depth} arrays deep`,
    ).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  }
  const name = { w: { toString: () => '\u0127, v = sneaky() -- ' } };
  await expect(latin.query('INSERT INTO t SET ?', [name] as never)).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
  });
  expect((await latin.query('SELECT ? AS v', ['\u00e9']))[0]).toEqual([{ v: '\u00e9' }]);
  await latin.close();
  // The yen stands where the backslash does.
  const japanese = await inCharset('sjis');
  await expect(japanese.query("SELECT '\u00a5', sneaky() -- '")).rejects.toMatchObject({
    message: expect.stringMatching(/sjis.*U\+00A5/),
  });
  // The second byte of this one is a backslash, which the server does not take for one.
  expect((await japanese.query("SELECT '\u8868' AS v"))[0]).toEqual([{ v: '\u8868' }]);
  await japanese.close();
  // Also when the character set came later.
  const connection = await cluster.getConnection();
  expect((await connection.query("SELECT '\u0127' AS v"))[0]).toEqual([{ v: '\u0127' }]);
  await connection.query('SET NAMES latin1');
  await expect(connection.query("SELECT '\u0127' AS v")).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  connection.release();
});

test('a variable that is replayed follows its session, and another one ties it to the primary', async () => {
  const replaying = await start({ variables: { replayed: ['foreign_key_checks'] } });
  const state = async (db: MysqlCluster, name: string): Promise<unknown> => {
    const connection = await db.getConnection();
    await connection.query(`SET ${name} = 0`);
    const [before] = await connection.query(`SELECT @@${name} AS v, @@server_id AS id`);
    await connection.query('INSERT INTO t (v) VALUES (77)');
    const [after] = await connection.query(`SELECT @@${name} AS v, @@server_id AS id`);
    connection.release();
    const rows = [before, after] as unknown as { v: number; id: number }[][];
    return rows.map(([row]) => [row?.v, row?.id === servers.primary.serverId]);
  };
  expect(await state(replaying, 'foreign_key_checks')).toEqual([
    [0, false],
    [0, true],
  ]);
  expect(await state(cluster, 'foreign_key_checks')).toEqual([
    [0, true],
    [0, true],
  ]);
  await replaying.close();
});

test('pools grow and shrink while they are used', async () => {
  const elastic = await start({ pool: { max: 1 } });
  const { id } = servers.primary;
  const primaryPool = () => elastic.stats().find(({ node }) => node === id)?.pool;
  const hold = (n: number): Promise<unknown> => elastic.query(`INSERT INTO t (v) VALUES (${n} + SLEEP(0.3))`);
  const busy = (many: number) => eventually(`${many} at once`, () => primaryPool()?.borrowed === many);
  const first = [hold(500), hold(501)];
  await eventually('one waits for the other', () => primaryPool()?.waiting === 1);
  elastic.resizePools({ max: 3 });
  const more = [hold(502), hold(503)];
  await busy(3);
  elastic.resizePools({ max: 1 }, id);
  await Promise.all([...first, ...more]);
  await eventually('what is too many is closed', () => primaryPool()?.total === 1);
  expect(() => elastic.resizePools({ max: 0 })).toThrow(/`size.max`/);
  expect(() => elastic.resizePools({ size: 2 } as never)).toThrow(/size.size/);
  expect(() => elastic.resizePools({ max: 2 }, 'db9:1')).toThrow(/There is no node db9:1/);
  await elastic.close();
});

test('a node is reached by its IPv6 address', async () => {
  const { port } = servers.primary;
  const bridge = createServer((socket) => {
    const onward = connect(port, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on('error', () => end.destroy());
  });
  await new Promise<void>((resolve, reject) => bridge.once('error', reject).listen(0, '::1', resolve));
  const at = `[::1]:${(bridge.address() as { port: number }).port}`;
  const url = servers.options().mysql.primary.replace(/@[^/]+/, `@${at}`);
  const { monitor } = servers.options().mysql;
  const six = await createMysqlCluster({ primary: url, monitor });
  expect(six.topology().writer).toEqual({ kind: 'primary', node: at });
  expect(await serverOf(six)).toBe(servers.primary.serverId);
  await six.close();
  bridge.close();
});

test('weights and affinity decide who serves', async () => {
  const only = replica(1);
  const weighted = await start({ reads: { weights: { [replica(0).id]: 0, [replica(2).id]: 0 } } });
  for (let call = 0; call < 10; call += 1) expect(await serverOf(weighted)).toBe(only.serverId);
  await weighted.close();
  const near = await start({ reads: { affinity: servers.primary.id } });
  expect(await serverOf(near)).toBe(servers.primary.serverId);
  await near.close();
});

test('what is refused in the midst of a procedure is not done again from its beginning', async () => {
  await servers.primary.query('CREATE TABLE shop.halves (id INT)');
  await servers.primary.query(
    'CREATE PROCEDURE shop.two_halves() SQL SECURITY INVOKER BEGIN INSERT INTO halves VALUES (1); DO SLEEP(1); INSERT INTO halves VALUES (2); END',
  );
  const call = cluster.query('CALL two_halves()').then(
    () => 'done',
    ({ code }) => code,
  );
  await eventually('the first half is done', async () => {
    const [row] = await servers.primary.query<{ n: number }>('SELECT COUNT(*) AS n FROM shop.halves');
    return Number(row?.n) === 1;
  });
  await servers.primary.query('SET GLOBAL read_only = 1');
  try {
    expect(await call).toBe('ERR_OUTCOME_UNKNOWN');
  } finally {
    await servers.primary.query('SET GLOBAL read_only = 0');
  }
  await eventually('it takes writes', () => cluster.topology().writer.kind === 'primary');
  expect(await servers.primary.query('SELECT id FROM shop.halves')).toEqual([{ id: 1 }]);
});

test('streams that are left, and connections that are destroyed, speak against no node', async () => {
  const sql = 'SELECT a.seq FROM seq_1_to_1000 a, seq_1_to_1000 b';
  const faults = (): number => cluster.stats().reduce((sum, each) => sum + each.faults, 0);
  const before = faults();
  for (let turn = 0; turn < 12; turn += 1) {
    for await (const _ of cluster.callbackPool().query(sql).stream()) break;
    const connection = await cluster.getConnection();
    const asked = connection.query('SELECT SLEEP(5)').catch(() => undefined);
    connection.destroy();
    await asked;
  }
  expect(faults()).toBe(before);
  expect(cluster.topology().nodes.map(({ breaker }) => breaker)).not.toContain('open');
});

test('a named lock is not taken on a replica, in a read-only transaction either', async () => {
  const connection = await cluster.getConnection();
  await connection.query('START TRANSACTION READ ONLY');
  await expect(connection.query("SELECT GET_LOCK('one', 0)")).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
  });
  await connection.query('COMMIT');
  connection.release();
});

test('an isolated node gets no calls until it is released', async () => {
  const { targets, watcher } = cluster.failoverPorts();
  expect(cluster.topology()).toMatchObject(watcher.topology);
  const release = [0, 1].map((index) => targets.isolate(replica(index).id, 'it is being upgraded'));
  for (let call = 0; call < 10; call += 1) expect(await serverOf(cluster)).toBe(replica(2).serverId);
  expect(cluster.breakerOf(replica(0).id)).toBe('isolated');
  const picture = cluster.topology();
  expect(picture.nodes.map(({ id, breaker }) => [id, breaker === 'isolated'])).toEqual(
    picture.nodes.map(({ id }) => [id, id === replica(0).id || id === replica(1).id]),
  );
  expect(cluster.topology()).toBe(picture);
  for (const each of release) each();
  expect(cluster.breakerOf(replica(0).id)).toBe('closed');
  await eventually('it serves again', async () => (await serverOf(cluster)) === replica(0).serverId);
  expect(() => cluster.breakerOf('db9:1')).toThrow(/There is no node db9:1/);
});

test('an isolated primary takes no writes: they wait, and go when it is released', async () => {
  const { targets } = cluster.failoverPorts();
  const release = targets.isolate(servers.primary.id, 'it is being looked at');
  const refused = cluster.query({ sql: 'INSERT INTO t (v) VALUES (1)', timeoutMs: 200 });
  await expect(refused).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  const waiting = cluster.query('INSERT INTO t (v) VALUES (2)');
  release();
  await waiting;
  const rows = await servers.primary.query('SELECT v FROM shop.t WHERE v IN (1, 2)');
  expect(rows).toEqual([{ v: 2 }]);
});

test('checkouts are told as events, on both faces', async () => {
  const told: string[] = [];
  const pool = cluster.callbackPool();
  for (const event of ['acquire', 'release'] as const) {
    cluster.on(event, () => told.push(event));
    pool.on(event, () => told.push(`callback ${event}`));
  }
  const connection = await cluster.getConnection();
  connection.release();
  connection.release();
  for (const event of ['acquire', 'release'] as const) cluster.removeAllListeners(event);
  expect(told.filter((each) => !each.startsWith('callback'))).toEqual(['acquire', 'release']);
  expect(told.filter((each) => each.startsWith('callback'))).toHaveLength(2);
});

test('a replica that dies is told as an event, and its breaker does not open the last way out', async () => {
  const told = new Promise((resolve) => cluster.once('node-changed', ({ after }) => resolve(after)));
  await replica(0).kill();
  expect(await told).toMatchObject({ id: replica(0).id, state: 'down' });
  await replica(0).start();
  await eventually('it serves again', async () => (await serverOf(cluster)) === replica(0).serverId);
});

test('without a primary a write fails at once when it may not wait', async () => {
  const hasty = await start({ blockMs: 0 });
  await servers.primary.query('SET GLOBAL read_only = 1');
  await eventually('it is seen', () => hasty.topology().writer.kind === 'no-primary');
  const write = hasty.query('INSERT INTO t (v) VALUES (3)');
  await expect(write).rejects.toMatchObject({
    code: 'ERR_NO_PRIMARY',
    rejected: expect.arrayContaining([expect.objectContaining({ node: servers.primary.id })]),
  });
  await servers.primary.query('SET GLOBAL read_only = 0');
  await hasty.close();
});

test('two primaries get no writes, and both are named', async () => {
  const careful = await start({ blockMs: 100 });
  const [usurper, follower] = [replica(0), replica(1)];
  await usurper.query('STOP SLAVE');
  await usurper.query('RESET SLAVE ALL');
  await usurper.query('SET GLOBAL read_only = 0');
  const { user, password } = servers.accounts.repl;
  await follower.query('STOP SLAVE');
  await follower.query(
    `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${usurper.realPort}, MASTER_USER='${user}', MASTER_PASSWORD='${password}', MASTER_USE_GTID=slave_pos`,
  );
  await follower.query('START SLAVE');
  await eventually('it is seen', () => careful.topology().writer.kind === 'split-brain');
  const write = careful.query('INSERT INTO t (v) VALUES (4)');
  await expect(write).rejects.toMatchObject({ code: 'ERR_SPLIT_BRAIN' });
  await expect(write).rejects.toThrow(servers.primary.id);
  await expect(write).rejects.toThrow(usurper.id);
  expect(await servers.primary.query('SELECT v FROM shop.t WHERE v = 4')).toEqual([]);
  expect(await usurper.query('SELECT v FROM shop.t WHERE v = 4')).toEqual([]);
  await careful.close();
});
