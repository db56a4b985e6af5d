/** The doctor against set-ups that are broken in one way each: it names what is wrong, and says how to fix it. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Check } from '../../src/cli/doctor/check.js';
import { checkCache } from '../../src/cli/doctor/check-cache.js';
import { checkDatabases } from '../../src/cli/doctor/check-databases.js';
import { checkFailover } from '../../src/cli/doctor/check-failover.js';
import { checkPhp } from '../../src/cli/doctor/check-php.js';
import { checkSessions } from '../../src/cli/doctor/check-sessions.js';
import { lookAtCluster } from '../../src/cli/status/look-at-cluster.js';
import { problemsOf } from '../../src/cli/status/status-problems.js';
import { startSessionGateway } from '../../src/gateway/start-session-gateway.js';
import {
  type AnySessionOptions,
  createCluster,
  createSessionStore,
  type FailoverOptions,
  type LaravelSessionsOptions,
  laravelSessions,
  type MysqlOptions,
  type SessionOptions,
  symfonySessions,
} from '../../src/index.js';
import { parsePhpIni } from '../../src/session/php-settings.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { iniArgs, iniText, type PhpIni, sessionIni } from '../../src/testing/php/php-ini.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { docBlocks } from '../support/doc-blocks.js';
import { stormlamp } from '../support/run-node.js';
import { eventually } from './eventually.js';
import { MemcachedServers } from './memcached-servers.js';
import { Wire } from './wire.js';

const { signal } = new AbortController();
let servers: LocalCluster;
let mysql: MysqlOptions & { primary: string; replicas: string[] };
let sessions: SessionOptions & { nodes: string[] };
let folder: string;

beforeAll(async () => {
  servers = await startLocalCluster({ replicas: 1 });
  ({ mysql, sessions } = servers.options());
  folder = mkdtempSync(join(tmpdir(), 'doctor-'));
  // A store that runs marks its nodes as filled.
  await (await createCluster({ sessions })).close();
});
afterAll(async () => {
  await servers?.close();
  rmSync(folder, { recursive: true, force: true });
});

function troubles(checks: readonly Check[]): readonly Check[] {
  return checks.filter(({ state }) => state === 'failed' || state === 'warning');
}

/** The one trouble that names `what`; it has to say what was found, what was expected and how to fix it. */
function trouble(checks: readonly Check[], what: string): Check {
  const found = troubles(checks).filter((check) => check.what === what);
  if (found[0] === undefined)
    throw new Error(`No trouble with ${what} among ${JSON.stringify(troubles(checks))}`);
  expect(found[0].found).not.toBe('');
  expect(found[0].expected).not.toBe('');
  expect(found[0].fix).not.toBe('');
  return found[0];
}

function sealed(): never {
  throw new Error('the vault is sealed; unseal it');
}

function withPassword(url: string, password: string): string {
  const changed = new URL(url);
  changed.password = password;
  return changed.href;
}

describe('databases', () => {
  const check = (changes: Partial<MysqlOptions> = {}): Promise<readonly Check[]> =>
    checkDatabases({ ...mysql, ...changes } as MysqlOptions, signal);

  test('that are well have no trouble', async () => {
    const checks = await check();
    expect(troubles(checks)).toEqual([]);
    expect(checks.length).toBeGreaterThan(10);
  });

  test('one of which reads a time and a quotation mark in another way', async () => {
    const [replica] = servers.replicas;
    await replica?.query("SET GLOBAL time_zone='+05:00', sql_mode='NO_BACKSLASH_ESCAPES'");
    try {
      const checks = await check();
      const other = trouble(checks, 'settings of a session');
      expect([other.subject, other.found]).toEqual([
        replica?.id,
        expect.stringMatching(/time_zone=\+05:00; sql_mode=.*NO_BACKSLASH_ESCAPES/),
      ]);
      expect(trouble(checks, 'values in statements')).toMatchObject({
        state: 'failed',
        subject: replica?.id,
      });
    } finally {
      await replica?.query('SET GLOBAL time_zone=DEFAULT, sql_mode=DEFAULT');
    }
  });

  test('one of which is not listed', async () => {
    const [replica] = servers.replicas;
    if (replica === undefined) throw new Error('There is no replica');
    await servers.primary.query(
      `GRANT REPLICATION MASTER ADMIN ON *.* TO '${servers.accounts.monitor.user}'@'%'`,
    );
    await servers.waitForReplication();
    await replica.query('SET GLOBAL read_only=0');
    try {
      const checks = await checkDatabases({ ...mysql, replicas: [] }, signal);
      expect(checks.find(({ what }) => what === 'how it is known')).toMatchObject({
        state: 'ok',
        subject: replica.id,
      });
      expect(trouble(checks, 'read_only of a replica').subject).toBe(replica.id);
    } finally {
      await replica.query('SET GLOBAL read_only=1');
    }
  });

  test('that cannot be read are told in the order of the options, and are no family', async () => {
    const primary = 'mysql://a:b@127.0.0.1:1';
    const checks = await check({ primary, replicas: ['mysql://a:b@127.0.0.1:2'] });
    expect(checks.map(({ subject, what }) => `${subject} ${what}`)).toEqual([
      '127.0.0.1:1 login of the application',
      '127.0.0.1:1 what the monitor may see',
      '127.0.0.1:2 login of the application',
      '127.0.0.1:2 what the monitor may see',
    ]);
  });

  test.each<[string, () => Partial<MysqlOptions>, string, RegExp]>([
    [
      'the password of the application',
      () => ({ primary: withPassword(mysql.primary, 'x') }),
      'login of the application',
      /ERR_ACCESS_DENIED/,
    ],
    [
      'the database',
      () => ({ primary: mysql.primary.replace(/[^/]+$/, 'nowhere') }),
      'login of the application',
      /nowhere/,
    ],
    [
      'the password of the monitor',
      () => ({ monitor: { credentials: { user: 'monitor', password: 'x' } } }),
      'what the monitor may see',
      /mysql\.monitor\.credentials/,
    ],
    [
      'the privilege of the monitor',
      () => ({ monitor: { credentials: servers.accounts.app } }),
      'what the monitor may see',
      /ERR_MISSING_PRIVILEGE/,
    ],
    [
      'the port, which is memcached',
      () => ({ primary: `mysql://a:b@${servers.memcached[0]?.id}` }),
      'login of the application',
      /ERR_PROTOCOL/,
    ],
    [
      'the host',
      () => ({ primary: 'mysql://a:b@no-such-host.invalid' }),
      'login of the application',
      /no-such-host/,
    ],
    [
      'the port, where nobody listens',
      () => ({ primary: 'mysql://a:b@127.0.0.1:1' }),
      'login of the application',
      /ECONNREFUSED/,
    ],
    [
      'the function that gives the account',
      () => ({ primary: { host: '127.0.0.1', port: 1, credentials: sealed } }),
      'login of the application',
      /the vault is sealed; unseal it/,
    ],
    [
      'the primary, which is a replica',
      () => ({ primary: mysql.replicas[0] ?? '', replicas: [mysql.primary] }),
      'the configured primary',
      /replicates from another/,
    ],
    ['the room for connections', () => ({ pool: { max: 500 } }), 'connections', /pool\.max=500/],
  ])('%s is wrong', async (_, changes, what, found) => {
    expect(trouble(await check(changes()), what).found).toMatch(found);
  });

  test('an application that may write on read-only servers', async () => {
    const account = "'careless'@'%'";
    await servers.primary.query(`CREATE USER ${account} IDENTIFIED BY 'x'`);
    await servers.primary.query(`GRANT SELECT, READ_ONLY ADMIN ON *.* TO ${account}`);
    await servers.waitForReplication();
    try {
      const as = (url: string): string => {
        const changed = new URL(withPassword(url, 'x'));
        changed.username = 'careless';
        return changed.href;
      };
      const checks = await check({ primary: as(mysql.primary), replicas: mysql.replicas.map(as) });
      expect(trouble(checks, 'privileges of the application').found).toContain('READ_ONLY ADMIN');
    } finally {
      await servers.primary.query(`DROP USER ${account}`);
      await servers.waitForReplication();
    }
  });

  test.each([
    [5, 'failed', /MAX_USER_CONNECTIONS=5; a process opens up to 10 here/],
    [15, 'warning', /MAX_USER_CONNECTIONS=15/],
  ])('an account that may have %i connections only', async (most, state, found) => {
    const { user } = servers.accounts.app;
    const allow = async (count: number): Promise<void> => {
      await servers.primary.query(`ALTER USER '${user}'@'%' WITH MAX_USER_CONNECTIONS ${count}`);
      await servers.waitForReplication();
    };
    await allow(most);
    try {
      const limited = trouble(await check(), 'connections of the account');
      expect([limited.state, limited.found]).toEqual([state, expect.stringMatching(found)]);
    } finally {
      await allow(0);
    }
  });

  test.each([
    [
      'a replica that takes writes',
      1,
      ['SET GLOBAL read_only=0'],
      ['SET GLOBAL read_only=1'],
      'read_only of a replica',
    ],
    [
      'a primary that takes none',
      0,
      ['SET GLOBAL read_only=1'],
      ['SET GLOBAL read_only=0'],
      'writes on the primary',
    ],
    ['replication that stands still', 1, ['STOP SLAVE SQL_THREAD'], ['START SLAVE'], 'replication'],
  ])('%s', async (_, index, breakIt, mendIt, what) => {
    const node = servers.databases[index];
    for (const sql of breakIt) await node?.query(sql);
    try {
      expect(trouble(await check(), what).subject).toBe(node?.id);
    } finally {
      for (const sql of mendIt) await node?.query(sql);
      await servers.waitForReplication();
      await eventually('all is well again', async () => troubles(await check()).length === 0);
    }
  });
});

describe('session nodes', () => {
  test('that are well have no trouble', async () => {
    expect(troubles(await checkSessions(sessions))).toEqual([]);
  });

  test.each<[string, () => string[], string]>([
    ['a node that is down', () => [sessions.nodes[0] ?? '', '127.0.0.1:1'], 'answers'],
    ['a port that is something else', () => [sessions.nodes[0] ?? '', servers.primary.id], 'answers'],
    ['one node only', () => [sessions.nodes[0] ?? ''], 'copies of each session'],
    [
      'one server under two names',
      () => [sessions.nodes[0] ?? '', (sessions.nodes[0] ?? '').replace('127.0.0.1', 'localhost')],
      'copies on different nodes',
    ],
  ])('%s', async (_, nodes, what) => {
    trouble(await checkSessions({ ...sessions, nodes: nodes() }), what);
  });

  test('two mounts on one file system', async () => {
    const mounts = ['a', 'b'].map((name) => join(folder, name));
    for (const mount of mounts) mkdirSync(mount);
    const { found } = trouble(await checkSessions({ mounts }), 'mounts on different file systems');
    expect(found).toContain(`${mounts.join(' and ')} are on one file system`);
  });

  test('a node that cannot be filled, because it only speaks the binary protocol', async () => {
    await using more = await MemcachedServers.open();
    const { host, port } = await more.start(['-B', 'binary']);
    const id = `${host}:${port}`;
    const checks = await checkSessions({ ...sessions, nodes: [sessions.nodes[0] ?? '', id] });
    const found = trouble(checks, 'can be filled from the others');
    expect([found.subject, found.found]).toEqual([id, expect.stringContaining('with SASL (-S)')]);
  });

  test.each([
    ['dumps are forbidden', ['-X']],
    ['its crawler is off', ['-o', 'no_lru_crawler']],
  ])('a node that cannot be filled, because %s', async (_, args) => {
    await using more = await MemcachedServers.open();
    const { host, port } = await more.start(args);
    const id = `${host}:${port}`;
    const checks = await checkSessions({ ...sessions, nodes: [sessions.nodes[0] ?? '', id] });
    const found = trouble(checks, 'can be filled from the others');
    expect([found.subject, found.found]).toEqual([id, expect.stringContaining('refused metadump')]);
  });

  test('a node that gives its items no versions, on which no session can be saved', async () => {
    await using more = await MemcachedServers.open();
    const { host, port } = await more.start(['-C']);
    const id = `${host}:${port}`;
    const { subject, fix } = trouble(
      await checkSessions({ ...sessions, nodes: [id] }),
      'gives its items versions',
    );
    expect([subject, fix]).toEqual([id, 'start memcached without `-C`']);
    await using store = await createSessionStore({ nodes: [id] });
    const session = store.create();
    session.data['user'] = 'ada';
    await expect(store.save(session)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('start it without -C'),
    });
    // No lock is left behind.
    await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test('a node that came back empty', async () => {
    const wire = await Wire.open(servers.memcached[1]?.realPort ?? 0);
    wire.send('flush_all\r\n');
    await wire.gets('OK\r\n');
    wire.close();
    expect(trouble(await checkSessions(sessions), 'is filled').subject).toBe(servers.memcached[1]?.id);
    const cluster = await createCluster({ sessions });
    await eventually('it is filled', async () => troubles(await checkSessions(sessions)).length === 0);
    await cluster.close();
  });
});

describe('the accounts of failover', () => {
  const check = (changes: Partial<FailoverOptions> = {}): Promise<readonly Check[]> => {
    const { admin, repl } = servers.accounts;
    const accounts = { mode: 'auto', credentials: admin, replication: repl, maxLoss: 'any' } as const;
    return checkFailover(mysql, { ...accounts, ...changes }, signal);
  };
  const wrong = { user: 'nobody', password: 'wrong' };

  test('tell nothing of servers that they could not look at', async () => {
    const { admin, repl } = servers.accounts;
    const [primary, replica] = ['mysql://a:b@127.0.0.1:1', 'mysql://a:b@127.0.0.1:2'];
    const failover = { mode: 'auto', credentials: admin, replication: repl } as const;
    const checks = await checkFailover({ primary, replicas: [replica] }, failover, signal);
    expect(checks.filter(({ state }) => state === 'ok')).toEqual([]);
    expect(checks.filter(({ state }) => state === 'skipped').map(({ what }) => what)).toEqual([
      'different-server-ids',
      'different-uuids',
      'one-flavor',
      'loss-provable',
    ]);
    for (const what of ['reachable', 'login of replicas']) trouble(checks, what);
  });

  test('that are right fail nothing', async () => {
    const checks = await check();
    expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
    expect(checks.filter(({ what }) => what === 'login of replicas')).toMatchObject([
      { state: 'ok' },
      { state: 'ok' },
    ]);
    expect(await check({ credentials: undefined })).toEqual([]);
  });

  test.each<[string, () => Partial<FailoverOptions>, string, string]>([
    ['the password of the manager', () => ({ credentials: wrong }), 'reachable', 'failed'],
    [
      'the privileges of the manager',
      () => ({ credentials: servers.accounts.monitor }),
      'manager-privileges',
      'failed',
    ],
    ['the password of replicas', () => ({ replication: wrong }), 'login of replicas', 'warning'],
    [
      'the privileges of replicas',
      () => ({ replication: servers.accounts.app }),
      'login of replicas',
      'failed',
    ],
  ])('%s are wrong', async (_, changes, what, state) => {
    const found = trouble(await check(changes()), what);
    expect(found.state).toBe(state);
    // The monitor is somebody else.
    expect(`${found.found} ${found.fix}`).not.toContain('mysql.monitor');
  });
});

test('mounts that are not there', async () => {
  const mounts = ['a', 'b'].map((name) => join(folder, 'nowhere', name));
  const checks = await checkSessions({ mounts });
  expect(checks.filter(({ what }) => what === 'answers').map(({ subject }) => subject)).toEqual(mounts);
  expect(trouble(checks, 'answers').found).toContain('ENOENT');
});

test('a node of the cache that is down', async () => {
  const nodes = [sessions.nodes[0] ?? '', '127.0.0.1:1'];
  const checks = await checkCache({ nodes });
  expect(checks.map(({ subject, state }) => [subject, state])).toEqual([
    [nodes[0], 'ok'],
    [nodes[1], 'failed'],
  ]);
  trouble(checks, 'answers');
  const report = await lookAtCluster({ options: { cache: { nodes } }, source: 'here' });
  expect(report).toMatchObject({ ok: false, cache: [{ up: true }, { up: false }] });
});

test('status tells of one memcached server under two names', async () => {
  const [first = ''] = sessions.nodes;
  const twins = { ...sessions, nodes: [first, first.replace('127.0.0.1', 'localhost')] };
  const report = await lookAtCluster({ options: { sessions: twins }, source: 'here' });
  expect(report).toMatchObject({ ok: false, sessions: { same: [twins.nodes] } });
  expect(problemsOf(report).join()).toContain('are one server');
});

/** What PHP leaves careless by default. */
const CAREFUL = {
  'session.use_strict_mode': '1',
  'memcached.sess_lock_expire': '60',
  'memcached.sess_lock_retries': '40',
};

describe('PHP', () => {
  const check = async (
    ini: Record<string, string> = {},
    ours: Partial<SessionOptions> = {},
    fpm?: string,
  ) => {
    const { php } = await resolveServers(['php']);
    if (php === undefined) throw new Error('PHP is missing in the answer');
    const settings = { ...sessionIni(sessions.nodes, folder), ...CAREFUL, ...ini };
    const args = [...php.cli.prefixArgs, ...php.extensionArgs, ...iniArgs(settings)];
    return checkPhp({ ...sessions, ...ours }, { program: php.cli.command, args, fpm }, signal);
  };

  test('that is configured alike reads what Node wrote, and Node what PHP wrote', async () => {
    const checks = await check();
    expect(troubles(checks)).toEqual([]);
    expect(checks.at(-1)).toMatchObject({ what: 'round trip of a session', state: 'ok' });
  });

  test.each([
    ['session.serialize_handler', { 'session.serialize_handler': 'php_serialize' }],
    ['session.name', { 'session.name': 'SID' }],
    ['session.gc_maxlifetime', { 'session.gc_maxlifetime': '60' }],
    ['session.save_handler', { 'session.save_handler': 'files', 'session.save_path': '/tmp' }],
    ['prefix of keys', { 'memcached.sess_prefix': 'other.' }],
    ['placement', { 'memcached.sess_consistent_hash': '0' }],
    ['copies', { 'memcached.sess_number_of_replicas': '0' }],
    ['session.cookie_path', { 'session.cookie_path': '/app' }],
    ['session.cookie_domain', { 'session.cookie_domain': 'shop.example' }],
    ['session.cookie_lifetime', { 'session.cookie_lifetime': '3600' }],
    ['session.cookie_samesite', { 'session.cookie_samesite': 'Strict' }],
  ])('with another %s', async (what, ini) => {
    trouble(await check(ini), what);
  });

  describe('whose PHP-FPM', () => {
    const pool = (...lines: readonly string[]): string => {
      const file = join(folder, 'www.conf');
      writeFileSync(file, ['[www]', 'listen = /run/www.sock', ...lines, ''].join('\n'));
      return file;
    };

    test('sets what Node expects, or nothing, is well', async () => {
      for (const lines of [[], [`php_value[session.save_path] = "${sessions.nodes.join(',')}"`]]) {
        const checks = await check({}, {}, pool(...lines));
        expect(troubles(checks)).toEqual([]);
        expect(checks[0]).toMatchObject({ what: 'session settings of the pool', state: 'ok' });
      }
    });

    test.each([
      ['files', ['php_value[session.save_handler] = files', 'php_value[session.save_path] = /tmp'], 'failed'],
      ['another node', ['php_admin_value[session.save_path] = "127.0.0.1:1"'], 'failed'],
      ['another name', ['php_value[session.name] = SID'], 'failed'],
      ['what Node cannot follow', ['php_flag[memcached.sess_locking] = off'], 'failed'],
      ['careless', ['php_flag[session.use_strict_mode] = off'], 'warning'],
      ['what cannot be told', ['php_value[session.name] = A & B'], 'failed'],
    ])('has for itself: %s', async (_what, lines, state) => {
      const file = pool(...lines);
      const { found, fix, ...rest } = trouble(await check({}, {}, file), 'session settings of the pool');
      expect(rest).toMatchObject({ state, subject: `[www] (${file})` });
      expect([found, fix]).toEqual([
        expect.stringMatching(/^(session|memcached|settings)/),
        expect.stringContaining(`(${file}:3)`),
      ]);
    });

    test('cannot be read, or has no pool', async () => {
      const what = 'session settings of the pool';
      expect(trouble(await check({}, {}, mkdtempSync(join(folder, 'none-'))), what).found).toBe(
        'no pool is in it',
      );
      expect(trouble(await check({}, {}, join(folder, 'nowhere.conf')), what).found).toContain('ENOENT');
    });

    test('is found beside the php.ini, and one of its pools has to do what Node does', async () => {
      const { php } = await resolveServers(['php']);
      if (php === undefined) throw new Error('PHP is missing in the answer');
      const home = mkdtempSync(join(folder, 'fpm-'));
      const ini = join(home, 'php.ini');
      writeFileSync(ini, iniText({ ...sessionIni(sessions.nodes, folder), ...CAREFUL }));
      writeFileSync(join(home, 'php-fpm.conf'), `include=${home}/pool.d/*.conf\n`);
      mkdirSync(join(home, 'pool.d'));
      const args = [...php.cli.prefixArgs, '-c', ini, ...php.extensionArgs];
      const look = async () => troubles(await checkPhp(sessions, { program: php.cli.command, args }, signal));
      writeFileSync(join(home, 'pool.d/a.conf'), '[a]\nphp_value[session.save_handler] = files\n');
      expect(await look()).toMatchObject([
        {
          state: 'failed',
          subject: `[a] (${home}/pool.d/a.conf)`,
          fix: expect.stringContaining('--php-fpm'),
        },
      ]);
      writeFileSync(join(home, 'pool.d/b.conf'), '[b]\n');
      expect(await look()).toMatchObject([{ state: 'warning', subject: `[a] (${home}/pool.d/a.conf)` }]);
    });

    test('has a php.ini of its own, is judged by that', async () => {
      const { php } = await resolveServers(['php']);
      if (php === undefined) throw new Error('PHP is missing in the answer');
      const home = mkdtempSync(join(folder, 'fpm-'));
      writeFileSync(join(home, 'php.ini'), 'session.name = SID\n');
      writeFileSync(join(home, 'php-fpm.conf'), '[www]\n');
      // What the command line is told by `-d` holds there as well: of the settings only the name is another one.
      const settings = { ...sessionIni(sessions.nodes, folder), ...CAREFUL };
      const args = [...php.cli.prefixArgs, ...php.extensionArgs, ...iniArgs(settings)];
      const fpm = join(home, 'php-fpm.conf');
      const checks = await checkPhp(sessions, { program: php.cli.command, args, fpm }, signal);
      expect(trouble(checks, 'session settings of the pool')).toMatchObject({
        found: 'session.name: PHP: SID; Node: PHPSESSID',
        fix: expect.stringContaining('php.ini of PHP-FPM'),
      });
    });
  });

  test('with a cookie that is sent without TLS, where ours is not', async () => {
    trouble(await check({}, { cookie: { secure: true } }), 'session.cookie_secure');
  });

  test('that starts sessions by itself is well', async () => {
    const checks = await check({ 'session.auto_start': '1' });
    expect(troubles(checks)).toEqual([]);
    expect(checks.at(-1)).toMatchObject({ what: 'round trip of a session', state: 'ok' });
  });

  test.each([
    ['session.use_strict_mode', { 'session.use_strict_mode': '0' }],
    ['wait for the lock of a session', { 'memcached.sess_lock_retries': '5' }],
  ])('that is careless about %s', async (what, ini) => {
    const checks = await check(ini);
    expect(trouble(checks, what).state).toBe('warning');
    expect(checks.at(-1)).toMatchObject({ what: 'round trip of a session', state: 'ok' });
  });

  test.each<[string, PhpIni, RegExp]>([
    ['never ends', { 'memcached.sess_lock_expire': 0, max_execution_time: 0 }, /never ends/],
    [
      'ends before its page',
      { 'memcached.sess_lock_expire': 5, max_execution_time: 30 },
      /page may run 30 s \(max_e/,
    ],
    [
      'ends before a page of which nothing is said',
      { 'memcached.sess_lock_expire': 5 },
      /30 s \(PHP's default/,
    ],
  ])('whose lock %s, by the php.ini of the web server', async (_name, ini, found) => {
    const { php } = await resolveServers(['php']);
    if (php === undefined) throw new Error('PHP is missing in the answer');
    const { max_execution_time: _, ...own } = sessionIni(sessions.nodes, folder);
    const file = join(folder, 'php-fpm.ini');
    writeFileSync(file, iniText({ ...own, ...CAREFUL, ...ini }));
    const args = [...php.cli.prefixArgs, '-c', file, ...php.extensionArgs];
    const checks = await checkPhp(sessions, { program: php.cli.command, args }, signal);
    expect(trouble(checks, 'memcached.sess_lock_expire')).toMatchObject({
      state: 'warning',
      found: expect.stringMatching(found),
    });
    expect(checks.at(-1)).toMatchObject({ what: 'round trip of a session', state: 'ok' });
  });

  test('whose lock lives as long as a page may run is well', async () => {
    const { php } = await resolveServers(['php']);
    if (php === undefined) throw new Error('PHP is missing in the answer');
    const file = join(folder, 'php-fpm.ini');
    writeFileSync(
      file,
      iniText({ ...sessionIni(sessions.nodes, folder), ...CAREFUL, 'memcached.sess_lock_expire': 0 }),
    );
    const args = [...php.cli.prefixArgs, '-c', file, ...php.extensionArgs];
    expect(troubles(await checkPhp(sessions, { program: php.cli.command, args }, signal))).toEqual([]);
  });

  test('whose extension for the sessions is not there, or cannot be loaded', async () => {
    const { php } = await resolveServers(['php']);
    const ini = { ...sessionIni(sessions.nodes, folder), ...CAREFUL, extension: '/nowhere/memcached.so' };
    const args = [...(php?.cli.prefixArgs ?? []), ...iniArgs(ini)];
    const checks = await checkPhp(sessions, { program: php?.cli.command ?? 'php', args }, signal);
    const { state, found, fix } = trouble(checks, 'session.save_handler');
    expect([state, found]).toEqual([
      'failed',
      expect.stringMatching(/^memcached, which no extension .*files.*Unable to load .*nowhere/),
    ]);
    expect(fix).toContain('extension=memcached.so');
    // Nothing else is said of what it would be if it were there.
    expect(troubles(checks)).toHaveLength(1);
  });

  test('that prints something at its start reads all the same, and that is told', async () => {
    const checks = await check({
      extension: 'no_such_extension',
      display_startup_errors: '1',
      display_errors: '1',
    });
    const { state, found } = trouble(checks, 'start of PHP');
    expect([state, found]).toEqual(['warning', expect.stringContaining('no_such_extension')]);
    expect(checks.at(-1)).toMatchObject({ what: 'round trip of a session', state: 'ok' });
  });

  test('with its nodes in another order', async () => {
    const swapped = { 'session.save_path': [...sessions.nodes].reverse().join(',') };
    trouble(await check(swapped), 'session.save_path');
  });

  test('with settings that Node cannot follow', async () => {
    trouble(await check({ 'session.use_only_cookies': '0' }), 'settings of PHP');
  });

  describe('that asks a gateway', () => {
    const behind = async (
      judge: (ini: Record<string, string>) => Promise<void>,
      options: Partial<SessionOptions> = {},
    ): Promise<void> => {
      const store = await createSessionStore({ ...sessions, ...options });
      const gateway = await startSessionGateway(store, { path: join(folder, 'gateway.sock') });
      const [ini = ''] = docBlocks('gateway.md', 'ini');
      const given = Object.fromEntries(parsePhpIni(ini));
      expect(given['session.save_path']).toBe('/run/stormlamp/gateway.sock');
      try {
        await judge({ ...given, 'session.save_path': gateway.address });
      } finally {
        await gateway.close();
        await store.close();
      }
    };

    test('as the docs say is well: each reads what the other wrote', async () => {
      await behind(async (ini) => {
        const checks = await check(ini);
        expect(troubles(checks)).toEqual([]);
        expect(checks).toContainEqual(
          expect.objectContaining({
            what: `nodes of the gateway ${ini['session.save_path']}`,
            found: sessions.nodes.join(', '),
          }),
        );
        expect(checks.at(-1)).toMatchObject({ what: 'round trip of a session', state: 'ok' });
      });
    });

    test.each<[string, () => Partial<SessionOptions>, string]>([
      ['nodes', () => ({ nodes: [...sessions.nodes].reverse() }), 'failed'],
      ['prefix', () => ({ prefix: 'other.' }), 'failed'],
      ['handler', () => ({ handler: 'memcache' }), 'failed'],
      ['copies', () => ({ copies: 1 }), 'warning'],
      ['keys', () => ({ keys: 'all' }), 'warning'],
    ])('with other %s than Node', async (what, options, state) => {
      await behind(async (ini) => {
        const found = trouble(await check(ini), `${what} of the gateway ${ini['session.save_path']}`);
        expect(found.state).toBe(state);
      }, options());
    });

    test('beside a plain memcached', async () => {
      await behind(async (ini) => {
        const both = `${ini['session.save_path']},${sessions.nodes[0]}`;
        const found = trouble(await check({ ...ini, 'session.save_path': both }), 'session.save_path');
        expect(found.found).toContain('a memcached beside a gateway');
      });
    });

    test('that does not run', async () => {
      const path = join(folder, 'nowhere.sock');
      const found = trouble(await check({ 'session.save_path': path }), 'session.save_path');
      expect(found.fix).toContain(`${path} does not answer`);
    });

    test('which Node asks as well', async () => {
      await behind(async (ini) => {
        const nodes = [ini['session.save_path'] ?? ''];
        const found = trouble(await checkSessions({ ...sessions, nodes }), 'is a memcached');
        expect(found.fix).toContain('sessions.nodes');
      });
    });
  });

  describe('of a framework', () => {
    const run = async (given: AnySessionOptions, ...ini: readonly string[]): Promise<readonly Check[]> => {
      const { php } = await resolveServers(['php']);
      if (php === undefined) throw new Error('PHP is missing in the answer');
      const args = [...php.cli.prefixArgs, ...ini, ...php.extensionArgs];
      return checkPhp(given, { program: php.cli.command, args }, signal);
    };
    /** The options that a page gives to `name`, with nodes of ours. */
    const shown = (page: string, name: string): object => {
      const code = docBlocks(page, 'js').join('\n');
      const [, options = ''] = new RegExp(`\\.\\.\\.${name}\\((\\{.*\\})\\)`).exec(code) ?? [];
      const env = { APP_KEY: `base64:${Buffer.alloc(32, 1).toString('base64')}` };
      return { ...(runInNewContext(`(${options})`, { process: { env } }) as object) };
    };
    const laravel = (more: object = {}) =>
      laravelSessions({ ...shown('laravel.md', 'laravelSessions'), ...more } as LaravelSessionsOptions);

    test.each<[string, () => Partial<SessionOptions>]>([
      ['Laravel', () => laravel()],
      ['Laravel, encrypted', () => laravel({ encrypt: true })],
      ["Symfony's own handler", () => symfonySessions(shown('symfony.md', 'symfonySessions'))],
      ['Symfony, modula', () => symfonySessions({ distribution: 'modula' })],
      ['Symfony, ketama', () => symfonySessions({ distribution: 'ketama' })],
    ])(
      '%s is not compared to php.ini: its class reads what Node wrote, and Node what it wrote',
      async (_name, own) => {
        const checks = await run({ ...sessions, ...own() });
        expect(troubles(checks)).toEqual([]);
        expect(checks.map(({ what, state }) => `${what}: ${state}`)).toEqual([
          'settings of PHP: skipped',
          'round trip of a session: ok',
        ]);
      },
    );

    test('whose class cannot be loaded', async () => {
      const { php } = await resolveServers(['php']);
      const given = { ...sessions, ...laravel() };
      const call = { program: php?.cli.command ?? 'php', args: php?.cli.prefixArgs ?? [] };
      const checks = await checkPhp(given, call, signal);
      expect(trouble(checks, 'session.save_handler').fix).toContain('extension=memcached.so');
    });

    test('that sets the cookie and the life itself, which stand beside `phpIni`: a warning, and the session is tried', async () => {
      const file = join(folder, 'symfony.ini');
      writeFileSync(file, iniText({ ...sessionIni(sessions.nodes, folder), ...CAREFUL }));
      const given = { phpIni: file, cookie: { name: 'SHOP' }, lifetimeMs: 60_000 };
      const checks = await run(given, '-c', file);
      expect(troubles(checks)).toMatchObject([
        {
          what: 'session.name',
          state: 'warning',
          fix: expect.stringMatching(/framework\.session.*`cookie\.name`/),
        },
        { what: 'session.gc_maxlifetime', state: 'warning', fix: expect.stringContaining('`lifetimeMs`') },
      ]);
      expect(checks.at(-1)).toMatchObject({ what: 'round trip of a session', state: 'ok' });
      // What PHP itself has to have is a failure, and nobody is told to give what is given.
      const other = trouble(await run({ ...given, prefix: 'other.' }, '-c', file), 'prefix of keys');
      expect([other.state, other.fix]).toEqual(['failed', expect.stringMatching(/^leave `prefix` out of/)]);
    });
  });

  test('that is not there is said, and fails nothing', async () => {
    const checks = await checkPhp(sessions, { program: '/nowhere/php', args: [] }, signal);
    expect(checks).toMatchObject([
      { state: 'skipped', found: expect.stringContaining('name that of the web server with --php') },
    ]);
    const named = { program: '/nowhere/php', args: [], isNamed: true };
    trouble(await checkPhp(sessions, named, signal), 'settings and round trip');
  });

  test('that is configured alike is looked at without filling nodes that lost their sessions', async () => {
    for (const { realPort } of servers.memcached) {
      const wire = await Wire.open(realPort);
      wire.send('flush_all\r\n');
      await wire.gets('OK\r\n');
      wire.close();
    }
    expect((await check()).at(-1)).toMatchObject({ what: 'round trip of a session', state: 'ok' });
    const warming = troubles(await checkSessions(sessions)).filter(({ what }) => what === 'is filled');
    expect(warming.map(({ subject }) => subject)).toEqual(servers.memcached.map(({ id }) => id));
    const cluster = await createCluster({ sessions });
    await eventually('they are filled', async () => troubles(await checkSessions(sessions)).length === 0);
    await cluster.close();
  });
});

test('on the command line: everything in one document, and the exit code tells of failures', async () => {
  const config = join(folder, 'stormlamp.config.json');
  writeFileSync(config, JSON.stringify({ mysql, sessions }));
  const well = await stormlamp(['doctor', '--no-php', '--config', config]);
  expect(well.stdout).toMatch(/\n0 failed, 0 warnings, 0 skipped, \d+ ok\n/);
  expect(well.code).toBe(0);
  writeFileSync(
    config,
    JSON.stringify({ mysql: { ...mysql, primary: 'mysql://a:b@127.0.0.1:1' }, sessions }),
  );
  const ill = await stormlamp(['doctor', '--no-php', '--config', config, '--json']);
  expect(ill.code).toBe(1);
  expect(JSON.parse(ill.stdout)).toMatchObject({ ok: false, checks: expect.any(Array) });
  const lost = await stormlamp(['doctor', '--php-ini', join(folder, 'lost.ini'), '--config', config]);
  expect([lost.code, lost.stderr]).toEqual([2, expect.stringContaining('lost.ini')]);
});

test('on the command line: where no session node answers, what else was looked at is told all the same', async () => {
  const { php } = await resolveServers(['php']);
  if (php === undefined) throw new Error('PHP is missing in the answer');
  const nodes = ['127.0.0.1:1', '127.0.0.1:2'];
  const ini = join(folder, 'alike.ini');
  writeFileSync(ini, iniText({ ...sessionIni(nodes, folder), ...CAREFUL }));
  const program = join(folder, 'php');
  const words = [php.cli.command, ...php.cli.prefixArgs, ...php.extensionArgs].map((word) => `'${word}'`);
  writeFileSync(program, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`);
  chmodSync(program, 0o755);
  const config = join(folder, 'down.json');
  writeFileSync(config, JSON.stringify({ mysql, sessions: { phpIni: ini } }));
  const told = await stormlamp([
    ...['doctor', '--php', program, '--php-ini', ini, '--config', config, '--json'],
  ]);
  expect(told.code).toBe(1);
  const { ok, checks } = JSON.parse(told.stdout) as { ok: boolean; checks: readonly Check[] };
  expect(ok).toBe(false);
  const failed = checks.filter(({ state }) => state === 'failed');
  expect(failed.map(({ subject, what }) => `${subject} ${what}`)).toEqual(
    nodes.map((node) => `${node} answers`),
  );
  expect(checks).toContainEqual(
    expect.objectContaining({ what: 'round trip of a session', state: 'skipped' }),
  );
  expect(checks.filter(({ area, state }) => area === 'mysql' && state === 'ok').length).toBeGreaterThan(5);
});
