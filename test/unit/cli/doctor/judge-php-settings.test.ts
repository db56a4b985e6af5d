import { expect, test } from 'vitest';
import { Checks } from '../../../../src/cli/doctor/check.js';
import { judgePhpSettings } from '../../../../src/cli/doctor/judge-php-settings.js';
import { parsePhpIni } from '../../../../src/session/php-settings.js';
import { docBlocks } from '../../../support/doc-blocks.js';

function judged(ini: string): readonly string[] {
  const checks = new Checks('php');
  judgePhpSettings(checks, 'php', parsePhpIni(ini));
  return checks.list
    .filter(({ state }) => state !== 'ok')
    .map(({ what, found, expected, fix }) => {
      expect([expected, fix]).not.toContain('');
      return `${what}: ${found} -> ${fix}`;
    });
}

const GOOD = `session.save_handler = memcached
session.use_strict_mode = On
memcached.sess_lock_expire = 60
memcached.sess_lock_retries = 40
`;

test('what the docs show has no trouble', () => {
  expect(judged(GOOD)).toEqual([]);
  for (const page of ['php-sessions.md', 'gateway.md']) {
    const [ini = ''] = docBlocks(page, 'ini');
    expect(ini).toContain('session.save_handler = memcached\n');
    expect([page, judged(ini)]).toEqual([page, []]);
  }
});

test.each([
  ['session.use_strict_mode = 0', 'session.use_strict_mode', 'session.use_strict_mode = On'],
  ['memcached.sess_lock_expire = 0\nmax_execution_time = 0', 'memcached.sess_lock_expire', '= 60'],
  ['memcached.sess_lock_expire = 60\nmax_execution_time = 90', 'memcached.sess_lock_expire', '= 180'],
  [
    'memcached.sess_lock_expire = 5',
    "memcached.sess_lock_expire: 5 s, while a page may run 30 s .PHP's default",
    '= 60',
  ],
  ['memcached.sess_lock_retries = 5', 'wait for the lock of a session', '= 40'],
  ['memcached.sess_lock_wait_max = 30000', 'memcached.sess_lock_wait_max', '= 150'],
  [
    'session.save_handler = memcache\nsession.save_path = "tcp://a:1?timeout=30"',
    'life of a lock',
    'memcache.lock_timeout = 60',
  ],
  [
    'session.save_handler = memcache\nmemcache.lock_timeout = 60\nsession.save_path = "tcp://a:1?timeout=30, tcp://b:1"',
    'patience with servers',
    'timeout=30',
  ],
])('%j is told with its remedy', (ini, what, fix) => {
  expect(judged(`${GOOD}${ini}`)).toEqual([
    expect.stringMatching(new RegExp(`^${what}.* -> .*${fix.replace('?', '\\?')}`)),
  ]);
});

test('without a life of its own a lock lives as long as a page may run', () => {
  expect(judged(`${GOOD}memcached.sess_lock_expire = 0\nmax_execution_time = 30`)).toEqual([]);
  // PHP's default, but on the command line, where it has no limit.
  expect(judged(`${GOOD}memcached.sess_lock_expire = 0`)).toEqual([]);
});

test('the wait for a lock is counted as php-memcached does: pauses double up to the longest', () => {
  const [found = ''] = judged(
    `${GOOD}memcached.sess_lock_retries = 4\nmemcached.sess_lock_wait_min = 100\nmemcached.sess_lock_wait_max = 400`,
  );
  expect(found).toContain('lock of a session: 1.1 s');
  expect(
    judged(
      `${GOOD}memcached.sess_lock_wait_min = 100\nmemcached.sess_lock_wait_max = 1000\nmemcached.sess_lock_retries = 8`,
    ),
  ).toEqual([]);
});
