/** Every option of mysql2's pools, connections and statements. */
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import type { PoolOptions, QueryOptions } from 'mysql2';
import { expect } from 'vitest';
import type { MysqlNodeOptions } from '../../../src/mysql/connection-options.js';
import { alike, different, type Row, rows, type Side, type Sides, same, unsupported } from './comparison.js';

type Option = PoolOptions & MysqlNodeOptions;

/** With this option, both sides answer alike, and not as without it unless `inert`. */
function sameWith(option: Option, probe: (side: Side) => Promise<unknown>, inert = false): Row {
  return alike(async ({ withOption, ours }) => {
    const { ours: given, theirs } = await withOption(option, probe);
    expect(given).toEqual(theirs);
    if (!inert) expect(given).not.toEqual(await probe(ours));
  });
}

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

/** Options of connections and pools; `host` and the like say where, so they are shown to be taken. */
export const OPTIONS: Readonly<Record<keyof PoolOptions, Row>> = {
  host: sameWith({ host: 'localhost' }, works, true),
  port: alike(async ({ refusalOf }) => {
    expect(await refusalOf({ port: 1 })).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
  }),
  socketPath: alike(async ({ refusalOf }) => {
    expect(await refusalOf({ socketPath: '/there/is/none' })).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
  }),
  localAddress: sameWith({ localAddress: '127.0.0.1' }, works, true),
  user: alike(async ({ refusalOf }) => {
    expect(await refusalOf({ user: 'nobody' })).toMatchObject({ code: 'ERR_ACCESS_DENIED' });
  }),
  password: alike(async ({ refusalOf }) => {
    expect(await refusalOf({ password: 'wrong' })).toMatchObject({ code: 'ERR_ACCESS_DENIED' });
  }),
  password2: sameWith({ password2: 'asked for by nobody' }, works, true),
  password3: sameWith({ password3: 'asked for by nobody' }, works, true),
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
  ssl: alike(async ({ refusalOf }) => {
    const error = await refusalOf({ ssl: { rejectUnauthorized: false } });
    expect(error).toMatchObject({ code: 'ERR_PROTOCOL', cause: { code: 'HANDSHAKE_NO_SSL_SUPPORT' } });
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
  jsonStrings: sameWith({ jsonStrings: true }, asking('SELECT JSON_EXTRACT(\'{"a": 1}\', "$") AS j'), true),
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
  enableKeepAlive: sameWith({ enableKeepAlive: false }, works, true),
  keepAliveInitialDelay: sameWith({ keepAliveInitialDelay: 1_000 }, works, true),
  compress: sameWith({ compress: true }, works, true),
  flags: sameWith({ flags: ['-FOUND_ROWS'] }, async ({ pool }) => {
    const [header] = await pool.query('UPDATE book SET title = title WHERE id = 1');
    return (header as { affectedRows: number }).affectedRows;
  }),
  connectAttributes: sameWith({ connectAttributes: { program_name: 'mine' } }, works, true),
  maxPreparedStatements: sameWith(
    { maxPreparedStatements: 1 },
    async ({ pool }) => [(await pool.execute('SELECT 1 AS a'))[0], (await pool.execute('SELECT 2 AS a'))[0]],
    true,
  ),
  enableCleartextPlugin: sameWith({ enableCleartextPlugin: true }, works, true),
  disableEval: sameWith({ disableEval: true }, works, true),
  trace: sameWith({ trace: false }, works, true),
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

/** With this option of one statement, both sides answer alike. */
const statement = (options: Omit<QueryOptions, 'sql'> & { sql?: string }): Row =>
  same(
    async ({ pool }) =>
      (await pool.query({ sql: 'SELECT book.title FROM book WHERE id = 1', ...options }))[0],
  );

/** Options of one statement. */
export const STATEMENT_OPTIONS: Readonly<Record<keyof QueryOptions, Row>> = {
  sql: statement({}),
  values: statement({ sql: 'SELECT ? AS a', values: [3] }),
  timeout: different(async ({ ours, theirs }: Sides) => {
    const slow = { sql: 'SELECT SLEEP(5)', timeout: 50 };
    const code = { code: 'PROTOCOL_SEQUENCE_TIMEOUT' };
    await expect(theirs.pool.query(slow)).rejects.toMatchObject(code);
    await expect(ours.pool.query(slow)).rejects.toMatchObject(code);
  }),
  nestTables: statement({ nestTables: true }),
  typeCast: statement({
    typeCast: (field, next) => (field.name === 'title' ? `<${field.string()}>` : next()),
  }),
  rowsAsArray: statement({ rowsAsArray: true }),
  namedPlaceholders: statement({ sql: 'SELECT :a AS a', values: { a: 4 }, namedPlaceholders: true }),
  supportBigNumbers: statement({ sql: NUMBERS, supportBigNumbers: true }),
  bigNumberStrings: statement({ sql: NUMBERS, supportBigNumbers: true, bigNumberStrings: true }),
  dateStrings: statement({ sql: 'SELECT CAST("2024-01-02" AS DATE) AS d', dateStrings: true }),
  infileStreamFactory: same(async ({ pool }) => {
    await pool.query('DELETE FROM book WHERE id = 8');
    const [header] = await pool.query({
      sql: 'LOAD DATA LOCAL INFILE "x" INTO TABLE book',
      infileStreamFactory: () => Readable.from([Buffer.from('8\teight\n')]),
    });
    return (header as { affectedRows: number }).affectedRows;
  }),
  attributes: statement({ attributes: { traced: 'yes' } }),
  timezone: statement({ sql: 'SELECT CAST("2024-01-02 03:04:05" AS DATETIME) AS t', timezone: '+05:00' }),
};
