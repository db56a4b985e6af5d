import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  type ClusterOptions,
  checkClusterOptions,
  clusterOptionsFromEnvironment,
} from '../../src/cluster-options.js';

test('the environment stands in for options', () => {
  expect(
    clusterOptionsFromEnvironment({
      STORMLAMP_MYSQL_PRIMARY: 'mysql://db1/shop',
      STORMLAMP_MYSQL_REPLICAS: 'mysql://db2/shop, mysql://db3/shop',
      STORMLAMP_MEMCACHED: 'cache1:11211 cache2:11211',
    }),
  ).toEqual({
    mysql: { primary: 'mysql://db1/shop', replicas: ['mysql://db2/shop', 'mysql://db3/shop'] },
    sessions: { nodes: ['cache1:11211', 'cache2:11211'] },
  });
  expect(clusterOptionsFromEnvironment({ STORMLAMP_MEMCACHED: 'cache1' })).toEqual({
    sessions: { nodes: ['cache1'] },
  });
});

test('an empty environment is an error that names the variables', () => {
  expect(() => clusterOptionsFromEnvironment({})).toThrow(
    /STORMLAMP_MYSQL_PRIMARY, STORMLAMP_MYSQL_REPLICAS, STORMLAMP_MEMCACHED/,
  );
  expect(() => clusterOptionsFromEnvironment({ STORMLAMP_MYSQL_REPLICAS: 'mysql://db2' })).toThrow(
    'STORMLAMP_MYSQL_PRIMARY is not',
  );
});

test('unknown parts, no parts, and failover without a database are refused', () => {
  expect(() => checkClusterOptions({ mysq: {} } as never)).toThrow('did you mean `mysql`?');
  expect(() => checkClusterOptions({})).toThrow(
    'Expected `options` to be an object with at least one of `mysql`, `sessions` and `cache`',
  );
  expect(() => checkClusterOptions({ sessions: { nodes: ['a'] }, failover: { mode: 'follow' } })).toThrow(
    '`options.failover`',
  );
});

/** Where the processes of a site share what they see, as the options of the client are given it. */
function boardOf(sessions: object, share: unknown = true): unknown {
  const given = { mysql: { primary: 'mysql://db1', monitor: { intervalMs: 300, share } }, sessions };
  return checkClusterOptions(given as never as ClusterOptions).mysql?.monitor;
}

test('processes share what they see on the nodes that the sessions are on, whoever names them', () => {
  const nodes = ['cache1', 'cache2:11212', '[::1]:11213', '/run/memcached.sock'];
  const memcached = ['cache1:11211', ...nodes.slice(1)];
  expect(boardOf({ nodes })).toEqual({ intervalMs: 300, share: { memcached, tls: false } });
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-share-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const phpIni = join(folder, 'php.ini');
  writeFileSync(
    phpIni,
    'session.save_handler = memcached\nsession.save_path = "cache3:11211,cache4:11211"\n',
  );
  expect(boardOf({ phpIni })).toMatchObject({ share: { memcached: ['cache3:11211', 'cache4:11211'] } });
  const addressMap = { 'cache1:11211': '127.0.0.1:21211' };
  expect(boardOf({ nodes: ['cache1'], addressMap })).toMatchObject({
    share: { memcached: ['127.0.0.1:21211'] },
  });
  expect(boardOf({ nodes }, { memcached: ['cache9'] })).toMatchObject({ share: { memcached: ['cache9'] } });
  expect(boardOf({ nodes }, false)).toMatchObject({ share: false });
});

test('what is shared is shared with the login and the TLS of the sessions', () => {
  const tls = { ca: 'a certificate' };
  const login = { username: 'app', password: 'secret' };
  expect(boardOf({ nodes: ['cache1'], tls, ...login })).toMatchObject({
    share: { memcached: ['cache1:11211'], tls, ...login },
  });
  expect(boardOf({ nodes: ['cache1'] }, { memcached: ['cache9'], tls: true, ...login })).toMatchObject({
    share: { memcached: ['cache9'], tls: true, ...login },
  });
});

test.each([
  [{ username: 'app' }, 'password'],
  [{ password: 'secret' }, 'password'],
  [{ tls: 'yes' }, 'tls'],
  [{ user: 'app' }, 'user'],
])('%j is refused where looks are shared', (wrong, told) => {
  expect(() => boardOf({ nodes: ['cache1'] }, { memcached: ['cache9'], ...wrong })).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(new RegExp(`monitor\\.share.*${told}`)),
    }),
  );
});

test('processes whose sessions are on no memcached nodes cannot share what they see there', () => {
  const refused = expect.objectContaining({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining('takes the memcached nodes of `sessions`, and there are none'),
  });
  expect(() => boardOf({ mounts: ['/mnt/a'] })).toThrow(refused);
  expect(() => checkClusterOptions({ mysql: { primary: 'mysql://db1', monitor: { share: true } } })).toThrow(
    refused,
  );
});

/** Every option that has a default or is a group, with a value that is right. */
const EVERYTHING = {
  mysql: {
    primary: { host: 'db1', weight: 1, session: { sort_buffer_size: 1 } },
    replicas: [{ url: 'mysql://db2', session: { sort_buffer_size: 1 } }],
    pool: { max: 1, min: 0, acquireTimeoutMs: 1, maxQueue: 1, idleTimeoutMs: 1, maxLifetimeMs: 1 },
    reads: { preference: 'replica', maxLagMs: 1, balance: 'latency', weights: { 'db2:3306': 1 } },
    scope: { consistency: 'session' },
    monitor: { intervalMs: 50, timeoutMs: 1, credentials: { user: 'a', password: 'b' }, lagSource: 'auto' },
    timeoutMs: 0,
    blockMs: 1,
    startTimeoutMs: 1,
    functions: { readOnly: ['f'] },
  },
  sessions: {
    nodes: ['cache1'],
    copies: 1,
    acks: 'one',
    handler: 'memcached',
    serialize: 'php',
    prefix: 'p',
    lifetimeMs: 1000,
    conflict: 'merge',
    onGone: 'drop',
    onStoreDown: 'error',
    cookie: { name: 'S', path: '/', domain: 'd', secure: true, httpOnly: true, sameSite: 'Lax' },
    ids: { accept: /a/, length: 32, bitsPerCharacter: 5 },
    placement: { distribution: 'ketama' },
    lockBreakMs: 1,
  },
  failover: {
    mode: 'follow',
    hooks: { onDetected: () => undefined },
    hookPolicy: { timeoutMs: { onDetected: 1 } },
  },
};

function pathsOf(value: object, path: readonly string[] = []): readonly (readonly string[])[] {
  return Object.entries(value).flatMap(([name, inner]) => [
    [...path, name],
    ...(typeof inner === 'object' && !(inner instanceof RegExp) ? pathsOf(inner, [...path, name]) : []),
  ]);
}

function replaced(value: object, [name = '', ...rest]: readonly string[], by: unknown): object {
  const changed = rest.length === 0 ? by : replaced((value as Record<string, object>)[name] ?? {}, rest, by);
  return Array.isArray(value)
    ? value.map((item, index) => (String(index) === name ? changed : item))
    : { ...value, [name]: changed };
}

test('the options that the next test spoils are right', () => {
  expect(() => checkClusterOptions(EVERYTHING as never)).not.toThrow();
});

test.each(pathsOf(EVERYTHING).map((path) => [path.join('.'), path] as const))(
  'null for %s is refused by name',
  (_, path) => {
    const name = path.at(-1) ?? '';
    const told = /^\d+$/.test(name) ? `${path.at(-2)}[${name}]` : name;
    expect(() => checkClusterOptions(replaced(EVERYTHING, path, null) as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining(told) }),
    );
  },
);

test.each([
  [{ placement: { distribution: 'consistent' } }, "'ketama', 'ketama_weighted', 'modula'"],
  [{ handler: 'memcache', placement: { strategy: 'ketama' } }, "'consistent', 'standard'"],
  [{ handler: 'memcache', placement: { hash: 'md5' } }, "'crc32', 'fnv'"],
  [{ placement: { weights: { length: 1 } } }, '1 positive integers'],
])('a placement that PHP does not have, %j, is refused', (changes, told) => {
  expect(() => checkClusterOptions({ sessions: { nodes: ['a'], ...changes } } as never)).toThrow(told);
});
