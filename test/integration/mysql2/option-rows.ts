/** Every option of mysql2's pools, connections and statements. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import type { PoolOptions, QueryOptions } from 'mysql2';
import { expect } from 'vitest';
import type { MysqlNodeOptions } from '../../../src/mysql/connection-options.js';
import { eventually } from '../eventually.js';
import { TEST_CERTIFICATE } from '../tls-certificate.js';
import {
  alike,
  different,
  type Row,
  rows,
  type Side,
  type Sides,
  same,
  unsupported,
  withConnection,
} from './comparison.js';

type Option = PoolOptions & MysqlNodeOptions;

/** With this option, both sides answer alike, and not as without it. */
function sameWith(option: Option, probe: (side: Side) => Promise<unknown>): Row {
  return alike(async ({ withOption, ours }) => {
    const { ours: given, theirs } = await withOption(option, probe);
    expect(given).toEqual(theirs);
    expect(given).not.toEqual(await probe(ours));
  });
}

/** The option is taken, and what the driver makes of it cannot be seen with the servers of these tests. */
const passedOn = (option: Option): Row => ({
  verdict: 'passed on',
  check: async ({ withOption }) => {
    const { ours, theirs } = await withOption(option, works);
    expect(ours).toEqual(theirs);
  },
});

/** The option is refused, and the message says what to use instead. */
const instead = (option: Record<string, unknown>, saying: string | RegExp): Row =>
  unsupported(async ({ refusalOf }) => {
    const error = await refusalOf(option);
    expect(error).toMatchObject({ code: 'ERR_INVALID_OPTION' });
    expect(error.message).toMatch(saying);
  });

const asking = (sql: string) => (side: Side) => rows(side.pool, sql);
const works = asking('SELECT 1 AS one');
const NUMBERS =
  'SELECT CAST(1.5 AS DECIMAL(4, 1)) AS d, CAST(9007199254740993 AS UNSIGNED) AS b, CAST(7 AS SIGNED) AS s';

/** What the kernel calls a socket's timer while nothing is under way and keep-alive is on. */
const KEEP_ALIVE = 2;

interface ClientSocket {
  readonly from: string;
  readonly timer: number;
  readonly seconds: number;
}

/** The sockets of this machine to `port` by their inodes, as the kernel lists them. */
function socketsTo(port: number): ReadonlyMap<string, ClientSocket> {
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const found = lines.map((line) => line.trim().split(/\s+/));
  const established = found.filter(
    ([, , remote, state]) => state === '01' && Number.parseInt(remote?.split(':')[1] ?? '', 16) === port,
  );
  return new Map(
    established.map(([, local = '', , , , timer = '', , , , inode = '']) => {
      const [kind = '', ticks = ''] = timer.split(':');
      // Addresses are numbers in the order of the machine, which is that of no network.
      const from = [...Buffer.from(local.slice(0, 8), 'hex')].reverse().join('.');
      const seconds = Number.parseInt(ticks, 16) / 100;
      return [inode, { from, timer: Number.parseInt(kind, 16), seconds }];
    }),
  );
}

/** Whether every socket that is made for a side with this option is as `fits` says, or none; never some. */
async function judgeSockets(
  { withOption, port }: Sides,
  option: Option,
  fits: (socket: ClientSocket) => boolean,
): Promise<unknown> {
  const { ours, theirs } = await withOption(option, async ({ pool }) => {
    // Each side makes more connections than it has.
    const before = socketsTo(port);
    const taken = await Promise.all(Array.from({ length: 4 }, () => pool.getConnection()));
    await Promise.all(taken.map((connection) => connection.query('SELECT SLEEP(0.1) FROM book FOR UPDATE')));
    for (const connection of taken) connection.release();
    return eventually('nothing is on its way', () => {
      const made = [...socketsTo(port)].filter(([inode]) => !before.has(inode)).map(([, socket]) => socket);
      const settled = made.length > 0 && made.every(({ timer }) => timer === 0 || timer === KEEP_ALIVE);
      return settled && [...new Set(made.map(fits))];
    });
  });
  return { ours, theirs };
}

/** With this option every socket of both sides is as `fits` says, and without it none is. */
function everySocket(option: Option, fits: (socket: ClientSocket) => boolean): Row {
  return alike(async (sides) => {
    expect(await judgeSockets(sides, option, fits)).toEqual({ ours: [true], theirs: [true] });
    expect(await judgeSockets(sides, {}, fits)).toEqual({ ours: [false], theirs: [false] });
  });
}

let columns = 0;

/** Whether the driver makes code to read rows of a shape that it has not seen before. */
async function codeIsGenerated({ pool }: Side): Promise<boolean> {
  columns += 1;
  const real = globalThis.Function;
  let made = 0;
  globalThis.Function = new Proxy(real, {
    apply: (target, self, args) => {
      made += 1;
      return Reflect.apply(target, self, args) as unknown;
    },
  });
  try {
    await pool.query(`SELECT 1 AS shape_${columns}`);
  } finally {
    globalThis.Function = real;
  }
  return made > 0;
}

/** Whether the stack of an error of the server names the function that sent the statement, from pool and connection. */
async function callerIsInStack(side: Side): Promise<unknown> {
  async function theSender(of: { query(sql: string): Promise<unknown> }): Promise<unknown> {
    return await of.query('SELECT * FROM no_such_table');
  }
  const named = (of: { query(sql: string): Promise<unknown> }): Promise<unknown> =>
    theSender(of).catch((error: Error) => error.stack?.includes('theSender'));
  return [await named(side.pool), await withConnection(side, named)];
}

/** Options of connections and pools; `host` and the like say where, so they are shown to be taken. */
export const OPTIONS: Readonly<Record<keyof PoolOptions, Row>> = {
  host: alike(async ({ refusalOf, withOption }) => {
    const { ours, theirs } = await withOption({ host: 'localhost' }, works);
    expect(ours).toEqual(theirs);
    const error = await refusalOf({ host: 'no-such-host.invalid' });
    expect(error).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    expect(error.message).toContain('no-such-host.invalid');
  }),
  port: alike(async ({ refusalOf }) => {
    expect(await refusalOf({ port: 1 })).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
  }),
  socketPath: alike(async ({ refusalOf }) => {
    expect(await refusalOf({ socketPath: '/there/is/none' })).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
  }),
  localAddress: different(async (sides) => {
    const fits = ({ from }: ClientSocket): boolean => from === '127.0.0.7';
    const answer = await judgeSockets(sides, { localAddress: '127.0.0.7' }, fits);
    expect(answer).toEqual({ ours: [true], theirs: [false] });
    expect(await judgeSockets(sides, {}, fits)).toEqual({ ours: [false], theirs: [false] });
  }),
  user: alike(async ({ refusalOf }) => {
    expect(await refusalOf({ user: 'nobody' })).toMatchObject({ code: 'ERR_ACCESS_DENIED' });
  }),
  password: alike(async ({ refusalOf }) => {
    expect(await refusalOf({ password: 'wrong' })).toMatchObject({ code: 'ERR_ACCESS_DENIED' });
  }),
  password2: passedOn({ password2: 'asked for by nobody' }),
  password3: passedOn({ password3: 'asked for by nobody' }),
  database: sameWith({ database: 'information_schema' }, asking('SELECT DATABASE() AS db')),
  charset: sameWith(
    { charset: 'latin1' },
    asking('SELECT @@character_set_client AS c, @@collation_connection AS k'),
  ),
  timezone: sameWith({ timezone: '+05:00' }, asking('SELECT CAST("2024-01-02 03:04:05" AS DATETIME) AS t')),
  connectTimeout: different(async ({ refusalOf }) => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const error = await refusalOf({ port, connectTimeout: 100 });
    expect(error).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    silent.close();
  }),
  ssl: different(async (sides) => {
    const version = asking("SHOW SESSION STATUS LIKE 'Ssl_version'");
    const { ours, theirs } = await sides.withOption({ ssl: { ca: TEST_CERTIFICATE } }, version);
    expect(ours).toEqual(theirs);
    // The driver passes over it, and checks nothing.
    const misspelt = { verifyidentity: true };
    expect(await sides.refusalOf({ ssl: misspelt })).toMatchObject({ code: 'ERR_INVALID_OPTION' });
  }),
  multipleStatements: sameWith({ multipleStatements: true }, (side) =>
    rows(side.pool, 'SELECT 1 AS a; SELECT 2 AS b').catch(() => 'refused'),
  ),
  namedPlaceholders: sameWith({ namedPlaceholders: true }, async ({ pool }) =>
    pool.query('SELECT :a AS a', { a: 1 } as never).then(
      ([found]) => found,
      () => 'refused',
    ),
  ),
  rowsAsArray: sameWith({ rowsAsArray: true }, works),
  nestTables: sameWith({ nestTables: '_' }, asking('SELECT book.title FROM book WHERE id = 1')),
  typeCast: sameWith({ typeCast: (field: { string(): unknown }) => field.string() } as Option, works),
  dateStrings: sameWith({ dateStrings: ['DATE'] }, asking('SELECT CAST("2024-01-02" AS DATE) AS d')),
  supportBigNumbers: sameWith({ supportBigNumbers: true }, asking(NUMBERS)),
  bigNumberStrings: sameWith({ supportBigNumbers: true, bigNumberStrings: true }, asking(NUMBERS)),
  decimalNumbers: sameWith({ decimalNumbers: true }, asking(NUMBERS)),
  jsonStrings: sameWith({ jsonStrings: true }, asking('SELECT doc FROM json_book')),
  stringifyObjects: sameWith({ stringifyObjects: true }, async ({ pool }) =>
    pool.format('UPDATE t SET ?', [{ a: 1 }]),
  ),
  queryFormat: sameWith(
    {
      queryFormat: (sql: string, values: unknown) => sql.replace('{a}', String((values as { a: number }).a)),
    } as never,
    async ({ pool }) =>
      pool.query('SELECT {a} AS a', { a: 5 } as never).then(
        ([found]) => found,
        () => 'refused',
      ),
  ),
  infileStreamFactory: sameWith(
    { infileStreamFactory: () => Readable.from([Buffer.from('9\tfrom a stream\n')]) },
    async ({ pool }) => {
      await pool.query('DELETE FROM book WHERE id = 9');
      await pool.query('LOAD DATA LOCAL INFILE "x" INTO TABLE book').catch(() => undefined);
      return rows(pool, 'SELECT title FROM book WHERE id = 9 FOR UPDATE');
    },
  ),
  enableKeepAlive: everySocket({ enableKeepAlive: false }, ({ timer }) => timer !== KEEP_ALIVE),
  keepAliveInitialDelay: everySocket(
    { keepAliveInitialDelay: 20_000 },
    ({ timer, seconds }) => timer === KEEP_ALIVE && seconds <= 20,
  ),
  compress: sameWith({ compress: true }, asking("SHOW SESSION STATUS LIKE 'Compression'")),
  flags: sameWith({ flags: ['-FOUND_ROWS'] }, async ({ pool }) => {
    const [header] = await pool.query('UPDATE book SET title = title WHERE id = 1');
    return (header as { affectedRows: number }).affectedRows;
  }),
  connectAttributes: sameWith(
    { connectAttributes: { invented: 'mine' } },
    asking(
      "SELECT ATTR_VALUE AS v FROM performance_schema.session_account_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID() AND ATTR_NAME = 'invented'",
    ),
  ),
  maxPreparedStatements: sameWith({ maxPreparedStatements: 1 }, (side) =>
    withConnection(side, async (c) => {
      await c.beginTransaction();
      for (const n of [1, 2, 3]) await c.execute(`SELECT ${n} AS n`);
      const closed = await rows(c, "SHOW SESSION STATUS LIKE 'Com_stmt_close'");
      await c.rollback();
      return closed;
    }),
  ),
  enableCleartextPlugin: passedOn({ enableCleartextPlugin: true }),
  disableEval: sameWith({ disableEval: true }, codeIsGenerated),
  trace: sameWith({ trace: false }, callerIsInStack),
  connectionLimit: instead({ connectionLimit: 5 }, /`pool: { max }`/),
  queueLimit: instead({ queueLimit: 5 }, /`pool: { maxQueue }`/),
  waitForConnections: instead({ waitForConnections: false }, /maxQueue: 0/),
  idleTimeout: instead({ idleTimeout: 5 }, /idleTimeoutMs/),
  maxIdle: instead({ maxIdle: 5 }, /`pool: { min }`/),
  resetOnRelease: instead({ resetOnRelease: true }, /always reset/),
  gracefulEnd: instead({ gracefulEnd: true }, /release\(\)/),
  uri: instead({ uri: 'mysql://h/d' }, /`url`/),
  password1: instead({ password1: 'x' }, /`password`/),
  passwordSha1: instead({ passwordSha1: 'x' }, /`credentials`/),
  insecureAuth: instead({ insecureAuth: true }, /not supported/),
  authSwitchHandler: instead({ authSwitchHandler: () => undefined }, /`credentials`/),
  authPlugins: instead({ authPlugins: {} }, /`credentials`/),
  charsetNumber: instead({ charsetNumber: 8 }, /`charset`/),
  debug: instead({ debug: true }, /NODE_DEBUG/),
  stream: instead({ stream: () => undefined }, /`socketPath`/),
  pool: instead({ pool: {} }, /mysql.pool/),
  isServer: instead({ isServer: true }, /client/),
  Promise: instead({ Promise }, /native promises/),
};

/** With this option of one statement, both sides answer alike, and not as without it. */
const statement = (name: keyof QueryOptions, options: Omit<QueryOptions, 'sql'> & { sql?: string }): Row =>
  alike(async ({ ours, theirs }) => {
    const given = { sql: 'SELECT book.title FROM book WHERE id = 1', ...options };
    const answer = async ({ pool }: Side, sent: QueryOptions): Promise<unknown> =>
      pool.query(sent).then(
        ([found]) => found,
        (error: { errno?: unknown }) => error.errno,
      );
    const expected = await answer(theirs, given);
    expect(await answer(ours, given)).toEqual(expected);
    const { [name]: _left, ...without } = given;
    if (name !== 'sql') expect(await answer(theirs, without as QueryOptions)).not.toEqual(expected);
  });

/** Options of one statement. */
export const STATEMENT_OPTIONS: Readonly<Record<keyof QueryOptions, Row>> = {
  sql: statement('sql', {}),
  values: statement('values', { sql: 'SELECT ? AS a', values: [3] }),
  timeout: different(async ({ ours, theirs }: Sides) => {
    const slow = { sql: 'SELECT SLEEP(5)', timeout: 50 };
    const code = { code: 'PROTOCOL_SEQUENCE_TIMEOUT' };
    await expect(theirs.pool.query(slow)).rejects.toMatchObject(code);
    await expect(ours.pool.query(slow)).rejects.toMatchObject(code);
  }),
  nestTables: statement('nestTables', { nestTables: true }),
  typeCast: statement('typeCast', {
    typeCast: (field, next) => (field.name === 'title' ? `<${field.string()}>` : next()),
  }),
  rowsAsArray: statement('rowsAsArray', { rowsAsArray: true }),
  namedPlaceholders: statement('namedPlaceholders', {
    sql: 'SELECT :a AS a',
    values: { a: 4 },
    namedPlaceholders: true,
  }),
  supportBigNumbers: statement('supportBigNumbers', { sql: NUMBERS, supportBigNumbers: true }),
  bigNumberStrings: {
    verdict: 'passed on',
    check: async ({ ours, theirs }) => {
      const given = { sql: NUMBERS, supportBigNumbers: true, bigNumberStrings: true };
      expect((await ours.pool.query(given))[0]).toEqual((await theirs.pool.query(given))[0]);
    },
  },
  dateStrings: statement('dateStrings', { sql: 'SELECT CAST("2024-01-02" AS DATE) AS d', dateStrings: true }),
  infileStreamFactory: same(async ({ pool }) => {
    await pool.query('DELETE FROM book WHERE id IN (8, 10)');
    const sql = 'LOAD DATA LOCAL INFILE "x" INTO TABLE book';
    const [header] = await pool.query({
      sql,
      infileStreamFactory: () => Readable.from([Buffer.from('8\teight\n')]),
    });
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('10\tten\n');
      throw new Error('the disk is gone');
    };
    const failing = { sql, infileStreamFactory: () => Readable.from(broken()) };
    const told = await pool.query(failing).catch((error: Error) => error.message);
    // The protocol has no way to take back what was sent: the file ends there.
    const stored = await rows(pool, 'SELECT id FROM book WHERE id = 10 FOR UPDATE');
    return [(header as { affectedRows: number }).affectedRows, told, stored];
  }),
  attributes: {
    verdict: 'passed on',
    check: async ({ ours }) => {
      const given = { sql: 'SELECT 1 AS one', attributes: { traced: 'yes' } };
      expect((await ours.pool.query(given))[0]).toEqual([{ one: 1 }]);
    },
  },
  timezone: statement('timezone', {
    sql: 'SELECT CAST("2024-01-02 03:04:05" AS DATETIME) AS t',
    timezone: '+05:00',
  }),
};
