import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Checks } from '../../../../src/cli/doctor/check.js';
import { checkSessions, judgePlace } from '../../../../src/cli/doctor/check-sessions.js';
import { type AnySessionOptions, laravelSessions, symfonySessions } from '../../../../src/index.js';

function troubles(bytes: number, evictions: number): readonly string[] {
  const checks = new Checks('sessions');
  const memory = { bytes, limitBytes: 1_000_000, evictions };
  const place = { node: 'cache1:11211', up: true, standing: 'filled', version: '1.6.18', items: 1 } as const;
  judgePlace(checks, { ...place, memory, begunAnewAt: null, error: null });
  return checks.list.filter(({ state }) => state !== 'ok').map(({ what, found }) => `${what}: ${found}`);
}

test('a node that is full, or throws sessions out although it is not, is told', () => {
  expect(troubles(1_000, 0)).toEqual([]);
  expect(troubles(950_000, 0)).toEqual(['memory: 95 % used']);
  expect(troubles(1_000, 12)).toEqual([
    'evictions: 12 items thrown out before their time since it was started',
  ]);
});

test.each([
  ['impaired: full', 'ENOSPC', 'failed takes writes: full: ENOSPC', /make room/],
  ['impaired: read-only', 'EROFS', 'failed takes writes: read-only: EROFS', /mount it for writing/],
  ['impaired: denied', 'EACCES', 'failed takes writes: denied: EACCES', /user of the service/],
  ['filling', null, 'warning is filled: its filling is not done', /`fill`/],
])('a mount that is %s is told with what to do', (standing, error, told, fix) => {
  const checks = new Checks('sessions');
  judgePlace(checks, {
    ...{ node: '/srv/a', up: true, standing, version: null, items: null, memory: null, begunAnewAt: null },
    error,
  });
  const [trouble] = checks.list.filter(({ state }) => state !== 'ok');
  expect(`${trouble?.state} ${trouble?.what}: ${trouble?.found}`).toBe(told);
  expect(trouble?.fix).toMatch(fix);
});

test.each([
  ['/srv/a', 'down: missing', 'ENOENT: no such file or directory, stat', /sessions\.mounts/],
  ['/srv/a', 'down: unmarked', 'there is no mark in it', /mount the right one.*`fill`/],
  ['/srv/a', 'down: hung', 'Looking at the mount did not finish within 2000 ms', /does not answer/],
  ['/srv/a', 'down: failing', 'EIO: i/o error, open', /log of the kernel/],
  [
    'cache1:11211',
    'down',
    'The answer to version of cache1:11211 is not what memcached sends',
    /start memcached/,
  ],
  [
    'cache1:11211',
    'down',
    'No connection to memcached cache1:11211: refused; check that it runs',
    /^check that it/,
  ],
])('%s that is %s is told with what to do', (node, standing, error, fix) => {
  const checks = new Checks('sessions');
  const nothing = { version: null, items: null, memory: null, begunAnewAt: null } as const;
  judgePlace(checks, { ...nothing, node, up: false, standing, error });
  expect(checks.list).toMatchObject([{ state: 'failed', what: 'answers', fix: expect.stringMatching(fix) }]);
});

describe('one copy of each session', () => {
  // Nobody listens there.
  const nodes = ['127.0.0.1:1', '127.0.0.1:2'];
  const folder = mkdtempSync(join(tmpdir(), 'one-copy-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const ini = (...lines: readonly string[]): string => {
    const file = join(folder, 'php.ini');
    writeFileSync(
      file,
      [`session.save_handler = memcached`, `session.save_path = "${nodes}"`, ...lines].join('\n'),
    );
    return file;
  };
  const appKey = `base64:${Buffer.alloc(32, 1).toString('base64')}`;

  test.each<[string, () => AnySessionOptions, RegExp]>([
    [
      'by a php.ini with its default',
      () => ({ phpIni: ini() }),
      /^set `memcached\.sess_number_of_replicas = 1` in PHP, which Node follows/,
    ],
    [
      'by nodes',
      () => ({ nodes, copies: 1 }),
      /^set `memcached\.sess_number_of_replicas = 1` in PHP, and `copies: 2` in `sessions`$/,
    ],
    [
      'of pecl-memcache',
      () => ({ nodes, handler: 'memcache', copies: 1 }),
      /^set `memcache\.session_redundancy = 2`/,
    ],
    [
      'on one node',
      () => ({ nodes: nodes.slice(0, 1) }),
      /^add a node .* and to `sessions\.nodes` .*replicas = 1/,
    ],
    ['of Laravel', () => ({ nodes, ...laravelSessions({ appKey }) }), /^nothing /],
    ['of Symfony', () => ({ nodes, ...symfonySessions() }), /^nothing .*`handler_id: null`/],
  ])('%s is told with what makes a second one, without moving any', async (_name, given, fix) => {
    const checks = await checkSessions(given());
    expect(checks.find(({ what }) => what === 'copies of each session')).toMatchObject({
      state: 'warning',
      fix: expect.stringMatching(fix),
    });
  });
});
