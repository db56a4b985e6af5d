/**
 * What the classifier says of a text, against servers that execute it: the lists of functions entry by entry, the tables
 * and texts made by chance on a read-only replica, and what it says of transactions and pins on the primary.
 * `STORMLAMP_FUZZ_RUNS` sets how many texts are made by chance.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  MARIADB_FUNCTIONS,
  MARIADB_VERSION_FUNCTIONS,
  MYSQL_FUNCTIONS,
  TOUCHING_FUNCTIONS,
} from '../../src/mysql/classifier/builtin-functions.js';
import { NEVER_CALLED, NEVER_CALLED_ON_MYSQL } from '../../src/mysql/classifier/never-called-words.js';
import { classify } from '../../src/mysql/classifier/statement-classifier.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ALL_ROWS } from '../spec/classifier/all-rows.js';
import { mash, mutation } from '../spec/classifier/fragments.js';
import { isOpenAfter, LiveSession } from './classifier/live-session.js';

const RUNS = Number(process.env['STORMLAMP_FUZZ_RUNS'] ?? 1500);

/** What a stored function answers that must never be called. */
const MARK = '424242';

/** Tables of the catalogue in which a server shows its sessions, locks, counters, buffers, plugins and settings. */
const SERVER_TABLE =
  /^innodb_|^thread_pool_|_statistics$|_status$|_variables$|_costs$|^(?:processlist|profiling|optimizer_trace|key_caches|(?:all_)?plugins)$/;

/** Those of the above by name that show the data, or have one name and mean the tables that a replica has, too. */
const DICTIONARY_TABLE =
  /^innodb_(?:sys_)?(?:tables|columns|indexes|fields|foreign|foreign_cols|virtual|datafiles|tablespaces|tablespaces_brief)$|^innodb_ft_default_stopword$|^column_statistics$/;

/** Names of stored functions with one parameter that write when they are called. */
const WRITING_FUNCTIONS = [
  'fn_one',
  'now',
  'count',
  'max',
  'sum',
  'left',
  'json_table',
  'columns',
  'point',
  'path',
  'over',
];

/** Statements that would end the test instead of being part of it. */
const DANGEROUS = /local\s+infile|password|shutdown|restart|kill|sleep|benchmark|get_lock\s*\(\s*'?[^ab')]/i;

/** Statements that an administrator had better not run. */
const DISRUPTIVE =
  /file|shutdown|restart|kill|purge|reset|change|clone|import|password|global|persist|binlog|sql_log_bin|replica|slave|group_replication|install|identified|sleep/i;

const FORMS: Readonly<Record<string, string>> = {
  cast: 'cast(1 as char)',
  convert: 'convert(1, char)',
  date_add: 'date_add(now(), interval 1 day)',
  date_sub: 'date_sub(now(), interval 1 day)',
  default: 'default(a) from t',
  extract: 'extract(year from now())',
  get_format: "get_format(date, 'usa')",
  grouping: 'grouping(a) from t group by a with rollup',
  nth_value: 'nth_value(1, 1) over ()',
  json_value: "json_value('{}', '$.a')",
  percentile_cont: 'percentile_cont(0.5) within group (order by a) over () from t',
  percentile_disc: 'percentile_disc(0.5) within group (order by a) over () from t',
  position: "position('a' in 'b')",
  timestampadd: 'timestampadd(day, 1, now())',
  timestampdiff: 'timestampdiff(day, now(), now())',
};

describe.each([
  ['mariadb', 'system'],
  ['mariadb', 'newest'],
  ['mysql', 'system'],
] as const)('%s %s', (flavor, release) => {
  // The newest MariaDB differs little from the system's: fewer texts made by chance are enough to see where.
  const runs = release === 'newest' ? Math.ceil(RUNS / 3) : RUNS;
  let cluster: LocalCluster;
  let primary: LiveSession;
  let replica: LiveSession;
  let sqlMode: readonly string[];
  let admin: LiveSession;

  beforeAll(async () => {
    const versions = { mariadb: release };
    cluster = await startLocalCluster({ flavor, versions, replicas: 1, memcached: 0, php: false });
    if (release === 'newest') expect(cluster.versions.mariadb?.version).toMatch(/^1[1-9]\./);
    const run = async (sql: string): Promise<void> => void (await cluster.primary.query(sql));
    for (const node of cluster.databases) await node.query('SET GLOBAL log_bin_trust_function_creators = 1');
    const { database, accounts } = cluster;
    await run(`CREATE TABLE ${database}.touched (a INT)`);
    for (const table of ['t', 'u']) {
      await run(`CREATE TABLE ${database}.${table} (a INT, b INT, c INT, d INT, e INT, x INT, id INT)`);
      await run(`INSERT INTO ${database}.${table} VALUES (1, 2, 3, 4, 5, 6, 7), (2, 3, 4, 5, 6, 7, 8)`);
    }
    if (flavor === 'mariadb') await run(`CREATE SEQUENCE ${database}.s`);
    const body = 'BEGIN INSERT INTO touched VALUES (1); RETURN 1; END';
    await run(`CREATE FUNCTION ${database}.fn_writes() RETURNS INT ${body}`);
    for (const name of WRITING_FUNCTIONS)
      await run(`CREATE FUNCTION ${database}.\`${name}\`(p TEXT) RETURNS INT ${body}`);
    await run("CREATE USER fuzz IDENTIFIED BY 'fuzz'");
    await run(
      `GRANT SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES, EXECUTE, LOCK TABLES ON ${database}.* TO fuzz`,
    );
    await cluster.waitForReplication();
    const limit = flavor === 'mariadb' ? 'SET max_statement_time = 2' : 'SET max_execution_time = 2000';
    const setup = [limit, 'SET lock_wait_timeout = 1', 'SET innodb_lock_wait_timeout = 1'];
    const url = (port: number): string => `mysql://fuzz:fuzz@127.0.0.1:${port}/${database}`;
    const [first] = cluster.replicas;
    if (first === undefined) throw new Error('the cluster has no replica');
    primary = await LiveSession.open(url(cluster.primary.port), setup);
    replica = await LiveSession.open(url(first.port), setup);
    const { user, password } = accounts.admin;
    admin = await LiveSession.open(
      `mysql://${user}:${encodeURIComponent(password)}@127.0.0.1:${cluster.primary.port}/${database}`,
      ['SET sql_log_bin = 0'],
    );
    sqlMode = String(await replica.value('SELECT @@sql_mode')).split(',');
  });

  afterAll(async () => {
    for (const session of [primary, replica, admin]) await session?.close();
    await cluster?.close();
  });

  /** Makes a stored function called `name` and tells which of `forms` call it, and whether one is understood at all. */
  async function callsOf(
    name: string,
    forms: readonly string[],
  ): Promise<{ stored: string[]; isKnown: boolean }> {
    const stored: string[] = [];
    let isKnown = false;
    await admin.run(`CREATE FUNCTION \`${name}\`() RETURNS INT DETERMINISTIC NO SQL RETURN ${MARK}`);
    for (const form of forms) {
      try {
        if (String(await admin.value(`SELECT ${form}`)) === MARK) stored.push(form);
        isKnown = true;
      } catch (error) {
        const { errno } = error as { errno?: number };
        // Called with arguments, it is the stored function's turn to complain about their number.
        if (errno === 1318) stored.push(form);
        if (![1064, 1305, 1318, 1630].includes(errno ?? 0)) isKnown = true;
      }
    }
    await admin.run(`DROP FUNCTION IF EXISTS \`${name}\``);
    return { stored, isKnown };
  }

  test('tables of the catalogue that show the server itself are read from the primary, those of the data from replicas', async () => {
    const rows = await cluster.primary.query<{ name: string }>(
      "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'information_schema'",
    );
    const names = rows.map(({ name }) => name.toLowerCase());
    expect(names).toEqual(expect.arrayContaining(['innodb_trx', 'processlist', 'columns']));
    const found = names.map((name) => [name, classify(`SELECT * FROM information_schema.${name}`).route]);
    const expected = names.map((name) => [
      name,
      SERVER_TABLE.test(name) && !DICTIONARY_TABLE.test(name) ? 'primary' : 'replica',
    ]);
    expect(found).toEqual(expected);
  });

  test('every function of the list is built in, and no stored function of its name is called instead', async () => {
    const wrong: string[] = [];
    // What only some versions have is there in the newest one.
    const ofMariadb =
      release === 'newest' ? `${MARIADB_FUNCTIONS} ${MARIADB_VERSION_FUNCTIONS}` : MARIADB_FUNCTIONS;
    for (const name of (flavor === 'mysql' ? MYSQL_FUNCTIONS : ofMariadb).split(' ')) {
      const calls = ['', '1', '1, 1', '1, 1, 1', '1, 1, 1, 1'].map((args) => `${name}(${args})`);
      const form = FORMS[name];
      const forms = [
        ...calls,
        `${name}() over ()`,
        `${name}(1) over ()`,
        ...(form === undefined ? [] : [form]),
        ...(TOUCHES.has(name) ? [] : [`${name} (1)`]),
      ];
      const { stored, isKnown } = await callsOf(name, forms);
      if (stored.length > 0) wrong.push(`${name} is called: ${stored.join('; ')}`);
      if (!isKnown) wrong.push(`${name} is not known`);
    }
    expect(wrong).toEqual([]);
  });

  test('no word that is never called calls a stored function of its name', async () => {
    const wrong: string[] = [];
    const words = `${NEVER_CALLED} ${flavor === 'mysql' ? NEVER_CALLED_ON_MYSQL : ''}`.trim();
    for (const word of words.split(' ')) {
      const forms = ['', '1', '1, 1'].flatMap((args) => [
        `${word}(${args})`,
        `${word} (${args})`,
        `1 + ${word}(${args})`,
        `a ${word}(${args}) FROM t`,
        `1 FROM t WHERE ${word}(${args})`,
      ]);
      const { stored } = await callsOf(word, forms);
      if (stored.length > 0) wrong.push(...stored);
    }
    expect(wrong).toEqual([]);
  });

  /** Runs a text on the replica when its classification allows that, and tells what it should not have done. */
  async function wrongOnReplica(
    sql: string,
    modes: readonly string[] | undefined,
  ): Promise<string | undefined> {
    const given = classify(sql, { flavor, sqlMode: modes });
    if (given.route !== 'replica' && given.route !== 'all') return undefined;
    if (DANGEROUS.test(sql)) return undefined;
    const before = await replica.state();
    const { isRefused, errno } = await replica.run(sql);
    if (isRefused) return `refused with ${errno}`;
    const isOpen = await replica.isInTransaction();
    const begins = given.transaction === 'begin-read-only';
    if (given.route === 'all' || begins) await replica.reset();
    else if (isOpen) return 'a transaction is open';
    else {
      const after = await replica.state();
      for (const name of Object.keys(before)) {
        if (before[name] !== after[name]) return `${name} was ${before[name]} and is ${after[name]}`;
      }
    }
    return (await replica.value('SELECT COUNT(*) FROM touched')) === 0
      ? undefined
      : 'a stored function wrote';
  }

  test('no text of the tables that may run on a replica is refused there or changes anything', async () => {
    const wrong: string[] = [];
    let allowed = 0;
    for (const [sql] of ALL_ROWS) {
      const because = await wrongOnReplica(sql, sqlMode);
      if (because !== undefined) wrong.push(`${sql}: ${because}`);
      if (classify(sql, { flavor, sqlMode }).route === 'replica') allowed += 1;
    }
    expect(wrong).toEqual([]);
    expect(allowed).toBeGreaterThan(150);
  });

  test('no text made by chance that may run on a replica is refused there or changes anything', async () => {
    const statements = ALL_ROWS.map(([sql]) => sql);
    const modes = [sqlMode, [...sqlMode, 'ANSI_QUOTES'], [...sqlMode, 'NO_BACKSLASH_ESCAPES']];
    if (flavor === 'mariadb') modes.push(['ORACLE'], []);
    let before: readonly string[] = sqlMode;
    const text = fc.oneof({ weight: 1, arbitrary: mash }, { weight: 4, arbitrary: mutation(statements) });
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom(...modes), fc.boolean(), async (sql, mode, isKnown) => {
        if (mode !== before) await replica.run(`SET sql_mode = '${mode.join(',')}'`);
        before = mode;
        try {
          expect(await wrongOnReplica(sql, isKnown ? mode : undefined)).toBeUndefined();
        } finally {
          // A setting of the text, or a reset after it, may have changed the mode.
          if (classify(sql, { flavor }).route !== 'replica') before = [];
        }
      }),
      { numRuns: runs },
    );
  });

  test('a statement of the tables commits an open transaction when it is said to, and else leaves it open', async () => {
    const wrong: string[] = [];
    let committing = 0;
    let isSpoilt = true;
    for (const [sql] of ALL_ROWS) {
      const given = classify(sql, { flavor, sqlMode });
      if (given.kind === 'read' || DISRUPTIVE.test(sql) || isOpenAfter(given, true) === undefined) continue;
      await admin.reset();
      if (isSpoilt) {
        await admin.run('DROP DATABASE IF EXISTS commits; CREATE DATABASE commits');
        await admin.run(
          'CREATE TABLE commits.t (a INT, b INT, id INT); CREATE TABLE commits.u LIKE commits.t',
        );
      }
      await admin.run('USE commits; BEGIN; INSERT INTO t VALUES (1, 2, 3)');
      const { errno } = await admin.run(sql);
      isSpoilt = given.implicitCommit && errno === 0;
      // Some end their connection, too.
      const isOpen = errno === 0 ? await admin.isInTransaction().catch(() => undefined) : undefined;
      if (isOpen === undefined) continue;
      const foreseen = isOpenAfter(given, true) ?? false;
      if (given.implicitCommit) committing += 1;
      // Where the families differ, or of several statements, a transaction is taken for open.
      const isUncertain = given.because.startsWith('of ') || /^(load|cache) index/i.test(sql);
      if (isOpen !== foreseen && !(foreseen && isUncertain)) wrong.push(sql);
    }
    await admin.reset();
    await admin.run('DROP DATABASE IF EXISTS commits');
    expect(wrong).toEqual([]);
    expect(committing).toBeGreaterThan(30);
  });

  test('what it says of transactions and pins is what the primary does', async () => {
    const statements = ALL_ROWS.map(([sql]) => sql);
    const text = fc.oneof({ weight: 1, arbitrary: mash }, { weight: 4, arbitrary: mutation(statements) });
    await fc.assert(
      fc.asyncProperty(text, fc.boolean(), async (sql, startsOpen) => {
        const given = classify(sql, { flavor, sqlMode });
        if (given.kind === 'unknown' || DANGEROUS.test(sql)) return;
        await primary.reset();
        if (startsOpen) {
          await primary.run('BEGIN');
          await primary.run('INSERT INTO t (a) VALUES (1)');
        }
        const before = await primary.state();
        // What a failed statement leaves is asked of the server, not of the text.
        if ((await primary.run(sql)).errno !== 0) return;
        // The text may have closed its connection.
        const after = await primary.state().catch(() => undefined);
        if (after === undefined) return;
        const isOpen = await primary.isInTransaction();
        await primary.reset();
        const foreseen = isOpenAfter(given, startsOpen) ?? isOpen;
        const areSeveral = given.because.startsWith('of ');
        // Of several statements not every effect can be told; then a transaction is taken for open.
        if (!(areSeveral && foreseen)) expect({ sql, isOpen }).toEqual({ sql, isOpen: foreseen });
        const changed = Object.keys(before).filter((name) => before[name] !== after[name]);
        for (const name of changed)
          expect({ sql, name, explained: isExplained(name, given) }).toMatchObject({ explained: true });
        if (given.kind === 'write') await admin.run('DELETE FROM t WHERE a IS NULL OR a < 0 OR a > 2');
      }),
      { numRuns: runs },
    );
  });
});

const TOUCHES: ReadonlySet<string> = new Set(TOUCHING_FUNCTIONS.split(' '));

/** Whether a classification accounts for a change of this part of the session's state. */
function isExplained(name: string, given: ReturnType<typeof classify>): boolean {
  const { pins, settings = [], transaction, kind, keepsVariables = false } = given;
  if (/^@[a-z'`]/.test(name)) return pins.includes('user-variable') && !keepsVariables;
  if (name.startsWith('IS_USED_LOCK')) return pins.includes('named-lock') || kind === 'session';
  if (name === 'DATABASE()') return settings.includes('database');
  if (name === '@@autocommit') return transaction?.startsWith('autocommit') ?? false;
  if (name === '@@sql_mode') return settings.includes('sql-mode');
  if (name === '@@time_zone') return settings.includes('time-zone');
  if (/character_set|collation/.test(name)) return settings.includes('charset');
  if (name === '@@last_insert_id') return kind === 'write' || pins.includes('session-variable');
  return pins.includes('session-variable');
}
