/**
 * Writes `src/mysql/classifier/builtin-functions.ts` from what live servers document and do.
 *
 *     node scripts/generate-function-lists.mjs mysql://admin:pw@host:port mysql://admin:pw@other:port …
 *
 * Give it an administrator of a scratch server of every version that shall count, the oldest first. It takes the names
 * from the servers' own tables (help topics, keywords, `information_schema.SQL_FUNCTIONS`), makes a stored function of
 * each name, calls that name in several ways, and keeps the names that never reached the stored function.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { ROOT, runBin } from './workspace.mjs';

const MARK = 424_242;
const UNKNOWN_CALL = new Set([1064, 1305, 1318, 1630]);

/** Words that stand before parentheses without being functions. */
const SYNTAX =
  /^(all|binary|character|distinct|distinctrow|exists|high_priority|key|not|row|straight_join|unique|values?|sql_\w+)$/;

/** Functions that are not harmless, or that the classifier has rules of its own for. */
const RULED =
  /^(get_lock|release_lock|release_all_locks|last_insert_id|found_rows|row_count|connection_id|nextval|setval|lastval)$/;
const LOCAL =
  /^(des_decrypt|des_encrypt|is_free_lock|is_used_lock|load_file|(master|source)_pos_wait|master_gtid_wait|binlog_gtid_pos|wait_for_executed_gtid_set|ps_\w+|wsrep_\w+)$/;
const INTERNAL = /^(internal_|can_access_|get_dd_|is_visible_dd_)/;

/** Names that the servers know and do not document. */
const ALIASES =
  'st_aswkb st_aswkt st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext ' +
  'st_geometryfromwkb st_isring st_linestringfromtext st_linestringfromwkb st_numinteriorring st_pointonsurface ' +
  'st_polygonfromtext st_polygonfromwkb';

/** Functions that MySQL 8 had and MySQL 9 has not. */
const FORMER_MYSQL = 'md5 sha sha1';

/** Ways to call a function that do not follow the common form. */
const FORMS = {
  cast: ['cast(1 as char)'],
  convert: ['convert(1, char)', "convert('a' using utf8mb4)"],
  date_add: ['date_add(now(), interval 1 day)'],
  date_sub: ['date_sub(now(), interval 1 day)'],
  default: ['default(a) from t'],
  extract: ['extract(year from now())'],
  first_value: ['first_value(1) over ()'],
  get_format: ["get_format(date, 'usa')"],
  grouping: ['grouping(a) from t group by a with rollup'],
  json_value: ["json_value('{}', '$.a')"],
  last_value: ['last_value(1) over ()'],
  median: ['median(1) over ()'],
  nth_value: ['nth_value(1, 1) over ()'],
  ntile: ['ntile(1) over ()'],
  percentile_cont: ['percentile_cont(0.5) within group (order by a) over () from t'],
  percentile_disc: ['percentile_disc(0.5) within group (order by a) over () from t'],
  position: ["position('a' in 'b')"],
  timestampadd: ['timestampadd(day, 1, now())'],
  timestampdiff: ['timestampdiff(day, now(), now())'],
};

function formsOf(name) {
  const common = [0, 1, 2, 3, 4].map((count) => `${name}(${Array(count).fill('1').join(', ')})`);
  return [...common, `${name}() over ()`, `${name}(1) over ()`, ...(FORMS[name] ?? [])];
}

async function tryForm(connection, form) {
  try {
    const [rows] = await connection.query({ sql: `select ${form}`, rowsAsArray: true });
    return Number(rows[0]?.[0]) === MARK ? 'stored' : 'builtin';
  } catch (error) {
    if (error.errno === undefined) throw error;
    if (error.errno === 1318) return 'stored';
    return UNKNOWN_CALL.has(error.errno) ? 'unknown' : 'builtin';
  }
}

async function documentedNames(connection) {
  const queries = [
    'select name from mysql.help_topic',
    'select word as name from information_schema.keywords',
    'select `function` as name from information_schema.sql_functions',
  ];
  const names = new Set(Object.keys(FORMS));
  for (const query of queries) {
    const [rows] = await connection.query(query).catch(() => [[]]);
    for (const { name } of rows) {
      for (const word of (name ?? '').toLowerCase().match(/[a-z_]\w*/g) ?? []) names.add(word);
    }
  }
  return names;
}

async function probe(connection, name) {
  await connection.query(`create function \`${name}\`() returns int deterministic no sql return ${MARK}`);
  const near = [];
  const far = [];
  for (const form of formsOf(name)) {
    near.push(await tryForm(connection, form));
    far.push(await tryForm(connection, form.replace('(', ' (')));
  }
  await connection.query(`drop function \`${name}\``);
  const isBuiltin = near.includes('builtin') && !near.includes('stored');
  return { isBuiltin, needsToTouch: isBuiltin && far.includes('stored') };
}

async function examine(url, names) {
  const connection = await mysql.createConnection(url);
  try {
    const [[{ version }]] = await connection.query('select version() as version');
    const flavor = version.includes('MariaDB') ? 'mariadb' : 'mysql';
    await connection.query("set session sql_mode = ''");
    await connection.query('set session sql_log_bin = 0');
    if (flavor === 'mysql') await connection.query('set global log_bin_trust_function_creators = 1');
    await connection.query('drop database if exists stormlamp_functions');
    await connection.query('create database stormlamp_functions');
    await connection.query('use stormlamp_functions');
    await connection.query('create table t (a int)');
    await connection.query('insert into t values (1)');
    const builtin = new Set();
    const touching = new Set();
    for (const name of names) {
      if (SYNTAX.test(name) || RULED.test(name) || INTERNAL.test(name)) continue;
      const result = await probe(connection, name);
      if (result.isBuiltin) builtin.add(name);
      if (result.needsToTouch) touching.add(name);
    }
    await connection.query('drop database stormlamp_functions');
    return { flavor, version, builtin, touching };
  } finally {
    await connection.end();
  }
}

function literal(names) {
  const lines = [];
  let line = '';
  for (const name of [...names].sort()) {
    if (line.length + name.length > 104) {
      lines.push(`'${line} '`);
      line = name;
    } else line = line === '' ? name : `${line} ${name}`;
  }
  lines.push(`'${line}'`);
  return lines.join(' +\n  ');
}

function declaration(comment, name, names) {
  return `/** ${comment} */\nexport const ${name}: string = ${literal(names)};\n`;
}

const urls = process.argv.slice(2);
if (urls.length === 0) throw new Error('Give the URL of an administrator of every server that shall count.');
const names = new Set(ALIASES.split(' '));
for (const url of urls) {
  const connection = await mysql.createConnection(url);
  for (const name of await documentedNames(connection)) names.add(name);
  await connection.end();
}
const servers = [];
for (const url of urls) {
  servers.push(await examine(url, names));
  const { version, builtin } = servers.at(-1);
  process.stderr.write(`${version}: ${builtin.size} of ${names.size} names are functions\n`);
}

const reads = (set) => new Set([...set].filter((name) => !LOCAL.test(name)));
const lists = [];
for (const [flavor, word] of [
  ['mysql', 'MySQL'],
  ['mariadb', 'MariaDB'],
]) {
  const own = servers.filter((server) => server.flavor === flavor);
  const inAll = [...(own[0]?.builtin ?? [])].filter((name) => own.every(({ builtin }) => builtin.has(name)));
  const inSome = own.flatMap(({ builtin }) => [...builtin]).filter((name) => !inAll.includes(name));
  if (flavor === 'mysql') inSome.push(...FORMER_MYSQL.split(' '));
  const versions = own.map(({ version }) => version.match(/^\d+\.\d+/)?.[0]).join(' and ');
  lists.push(
    declaration(
      `Functions of ${word} ${versions} that only read.`,
      `${flavor.toUpperCase()}_FUNCTIONS`,
      reads(inAll),
    ),
    declaration(
      `More that some versions of ${word} have.`,
      `${flavor.toUpperCase()}_VERSION_FUNCTIONS`,
      reads(new Set(inSome.filter((name) => !inAll.includes(name)))),
    ),
  );
}
const all = servers.flatMap(({ builtin }) => [...builtin]);
lists.push(
  declaration(
    'Functions that only read, but what they read is the server or the connection they run on.',
    'LOCAL_FUNCTIONS',
    new Set(all.filter((name) => LOCAL.test(name))),
  ),
  declaration(
    'Functions that are only meant when the parenthesis touches the name; with a blank, it may be a stored function.',
    'TOUCHING_FUNCTIONS',
    new Set(servers.flatMap(({ touching }) => [...touching])),
  ),
);
const file = join(ROOT, 'src/mysql/classifier/builtin-functions.ts');
writeFileSync(
  file,
  `/**
 * Built-in functions, as live servers document them and answer to them; made by \`scripts/generate-function-lists.mjs\`.
 * Left out: what locks, waits for others or changes something, and what a stored function of the same name can replace.
 */

${lists.join('\n')}`,
);
await runBin('biome', ['check', '--write', file]);
