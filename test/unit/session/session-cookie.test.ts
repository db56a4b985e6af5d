import { expect, test } from 'vitest';
import { formatSessionCookie, readSessionCookie } from '../../../src/session/session-cookie.js';
import { DEFAULT_SESSION_COOKIE, resolveSessionCookie } from '../../../src/session/session-cookie-options.js';

test.each([
  [undefined, undefined],
  ['', undefined],
  ['PHPSESSID=abc', 'abc'],
  ['a=1; PHPSESSID=abc; b=2', 'abc'],
  ['PHPSESSID=first; PHPSESSID=second', 'first'],
  ['PHPSESSID=a%2Cb', 'a,b'],
  ['PHPSESSID=', undefined],
  ['PHPSESSID[]=x', undefined],
  ['XPHPSESSID=x', undefined],
  ['phpsessid=x', undefined],
  ['PHPSESSID=%ff', '\u00ff'],
  ['PHPSESSID', undefined],
])('the id in the header %j is %j', (header, id) => {
  expect(readSessionCookie(header, 'PHPSESSID')).toBe(id);
});

test.each([
  ['__Host-sess', '..Host-sess=mallory; __Host-sess=victim', 'victim'],
  ['__Host-sess', '..Host-sess=mallory', undefined],
  ['__Secure-sess', '_.Secure-sess=mallory; __Secure-sess=victim', 'victim'],
  ['__Host-a_b', '__Host-a.b=own', 'own'],
])('a cookie %s is not taken from a name that only PHP makes into it', (name, header, id) => {
  expect(readSessionCookie(header, name)).toBe(id);
});

test('the cookie has the order, case and encoding that PHP gives it', () => {
  const now = Date.UTC(2026, 10, 20, 16, 42, 6);
  const cookie = {
    ...DEFAULT_SESSION_COOKIE,
    lifetimeMs: 3_600_000,
    domain: 'shop.example',
    secure: true,
  } as const;
  expect(formatSessionCookie('a,b', cookie, { secureRequest: false, now })).toBe(
    'PHPSESSID=a%2Cb; expires=Fri, 20 Nov 2026 17:42:06 GMT; Max-Age=3600; path=/; domain=shop.example; secure; HttpOnly; SameSite=Lax',
  );
});

test('an empty path is left out, as PHP does', () => {
  const cookie = resolveSessionCookie('cookie', { path: '' });
  expect(formatSessionCookie('a', cookie, { secureRequest: false, now: 0 })).toBe(
    'PHPSESSID=a; HttpOnly; SameSite=Lax',
  );
});

test.each(['\u0438\u043c\u044f', '\u00fcn\u00ef', 'a\u0001', 'a\u007f', 'a\ufffd'])(
  'what Node cannot send as PHP does is refused at the start: %j',
  (text) => {
    for (const name of ['name', 'path', 'domain'])
      expect(() => resolveSessionCookie('cookie', { [name]: text })).toThrow(`\`cookie.${name}\``);
  },
);

test('attributes that are off are left out, and secure follows the request by itself', () => {
  const bare = { ...DEFAULT_SESSION_COOKIE, httpOnly: false, sameSite: '' } as const;
  expect(formatSessionCookie('a', bare, { secureRequest: false, now: 0 })).toBe('PHPSESSID=a; path=/');
  expect(formatSessionCookie('a', bare, { secureRequest: true, now: 0 })).toBe('PHPSESSID=a; path=/; secure');
});

test('partitioned is between secure and HttpOnly, where PHP 8.5 puts it', () => {
  const cookie = { ...DEFAULT_SESSION_COOKIE, secure: true, sameSite: 'None', partitioned: true } as const;
  expect(formatSessionCookie('abc', cookie, { secureRequest: false, now: 0 })).toBe(
    'PHPSESSID=abc; path=/; secure; partitioned; HttpOnly; SameSite=None',
  );
});

test('a partitioned cookie that is never secure is refused, since browsers drop it', () => {
  expect(() => resolveSessionCookie('cookie', { partitioned: true, secure: false })).toThrow(
    '`cookie.secure`',
  );
  expect(resolveSessionCookie('cookie', { partitioned: true }).secure).toBe('auto');
});
