import { expect, test } from 'vitest';
import { Checks } from '../../../../src/cli/doctor/check.js';
import { compareSettings } from '../../../../src/cli/doctor/compare-php-settings.js';
import { sessionOptionsFromPhp } from '../../../../src/session/php-session-options.js';
import { parsePhpIni } from '../../../../src/session/php-settings.js';
import { type AnySessionOptions, resolveStoreOptions } from '../../../../src/session/store-options.js';

const INI = `session.save_handler = memcached
session.save_path = "cache1:11211,cache2:11211"
memcached.sess_number_of_replicas = 1
session.cookie_samesite = Lax
session.cookie_httponly = On
`;

/** The troubles, and whether sessions are shared. `more` are options beside a php.ini that says `told`, or beside none. */
function compared(
  told: string | undefined,
  more: object,
  theirOwn = '',
): { same: boolean; troubles: readonly string[] } {
  const checks = new Checks('php');
  const theirs = resolveStoreOptions(sessionOptionsFromPhp(parsePhpIni(INI + theirOwn)));
  const fromIni = told === undefined ? {} : sessionOptionsFromPhp(parsePhpIni(INI + told));
  const own = told === undefined ? { nodes: ['cache1:11211', 'cache2:11211'], ...more } : more;
  const cookie = { ...fromIni.cookie, ...(own as { cookie?: object }).cookie };
  const ours = resolveStoreOptions({ ...fromIni, ...own, cookie } as AnySessionOptions);
  const given = (told === undefined ? own : { ...own, phpIni: 'php.ini' }) as AnySessionOptions;
  const same = compareSettings(checks, 'php', { theirs, ours, given, servers: [] });
  const troubles = checks.list
    .filter(({ state }) => state !== 'ok')
    .map(({ state, what, fix }) => `${state} ${what} -> ${fix}`);
  return { same, troubles };
}

test('what is alike has no trouble', () => {
  for (const told of [undefined, '']) expect(compared(told, {})).toEqual({ same: true, troubles: [] });
});

test.each([
  ['cookie.name', { cookie: { name: 'SHOP' } }, 'session.name'],
  ['cookie.domain', { cookie: { domain: 'shop.example' } }, 'session.cookie_domain'],
  ['cookie.lifetimeMs', { cookie: { lifetimeMs: 60_000 } }, 'session.cookie_lifetime'],
  ['cookie.sameSite', { cookie: { sameSite: 'Strict' } }, 'session.cookie_samesite'],
  ['lifetimeMs', { lifetimeMs: 60_000 }, 'session.gc_maxlifetime'],
])('%s beside a php.ini may be what the application sets: a warning', (option, more, what) => {
  const { same, troubles } = compared('', more);
  expect([same, troubles]).toEqual([
    true,
    [expect.stringContaining(`warning ${what} -> nothing if the app`)],
  ]);
  expect(troubles[0]).toContain(`\`${option}\``);
});

test('where sessions are and in which form is no matter of the application', () => {
  const { same, troubles } = compared('', { serialize: 'php_serialize' });
  expect([same, troubles]).toEqual([
    false,
    [expect.stringMatching(/^failed session\.serialize_handler -> leave `serialize` out of `sessions`/)],
  ]);
});

test('nobody is told to give the php.ini that is given', () => {
  const { troubles } = compared('session.name = OTHER', {});
  expect(troubles).toEqual([
    expect.stringMatching(/^failed session\.name -> name the php\.ini .* --php-ini/),
  ]);
  expect(compared(undefined, { cookie: { name: 'SHOP' } }).troubles).toEqual([
    'failed session.name -> set it alike in php.ini and in `sessions`, or give `sessions.phpIni` instead',
  ]);
});

test('on nodes that do not tell the life of a lock, one that may be older than Node lets it be is told', () => {
  const long =
    'memcached.sess_lock_expire = 600\nmemcached.sess_sasl_username = a\nmemcached.sess_sasl_password = b\n';
  const login = { username: 'a', password: 'b' };
  expect(compared(undefined, login, long)).toEqual({
    same: true,
    troubles: [
      expect.stringMatching(
        /^warning memcached\.sess_lock_expire -> set `lockBreakMs: 1200000` in `sessions`/,
      ),
    ],
  });
  for (const more of [{ ...login, lockBreakMs: 1_200_000 }, { ...login, lockBreakMs: 0 }, {}])
    expect(compared(undefined, more, long).troubles).toEqual([]);
});
