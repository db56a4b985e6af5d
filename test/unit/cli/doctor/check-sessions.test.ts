import { expect, test } from 'vitest';
import { Checks } from '../../../../src/cli/doctor/check.js';
import { judgePlace } from '../../../../src/cli/doctor/check-sessions.js';

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
