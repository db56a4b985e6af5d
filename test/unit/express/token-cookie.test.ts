import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  areOfOneCluster,
  type DatedToken,
  TokenCookie,
  UNTOLD_TOKEN,
} from '../../../src/express/token-cookie.js';

const NOW = Date.UTC(2026, 0, 1);
const SECRET = 'first secret of enough letters';
const cookie = new TokenCookie([SECRET], 60_000);
const written = (token: string, servers = ['a'], others: readonly DatedToken[] = [], now = NOW): string =>
  cookie.write({ token, servers }, others, now);
const tokensIn = (value: string, now = NOW, by = cookie): string[] =>
  by.read(value, now).map(({ token }) => token);

test('what is written is read, until it is too old', () => {
  const value = written('0-1-100,1-1-7');
  expect(value).toMatch(/^[\w.-]+$/);
  expect(cookie.read(value, NOW + 59_000)).toEqual([{ token: '0-1-100,1-1-7', servers: ['a'], at: NOW }]);
  expect(cookie.read(value, NOW + 61_001)).toEqual([]);
  expect(cookie.read(value, NOW - 62_000)).toEqual([]);
});

test('any change makes it none', () => {
  const value = written('0-1-100');
  fc.assert(
    fc.property(fc.nat(value.length - 1), fc.constantFrom('A', 'b', '0', '.', '-'), (at, letter) => {
      const changed = value.slice(0, at) + letter + value.slice(at + 1);
      // The last letter of base64 holds bits that do not count.
      fc.pre(changed !== value && at < value.length - 1);
      expect(cookie.read(changed, NOW)).toEqual([]);
    }),
  );
});

test.each(['', '..', 'x', 'a.b.c', `${'A'.repeat(5000)}.1.${'A'.repeat(43)}`])('%.20j is none', (value) => {
  expect(cookie.read(value, NOW)).toEqual([]);
});

test('an older secret is accepted, and the new one signs', () => {
  const changed = new TokenCookie(['second secret of enough letters', SECRET], 60_000);
  expect(tokensIn(written('0-1-1'), NOW, changed)).toEqual(['0-1-1']);
  expect(tokensIn(changed.write({ token: '0-1-1', servers: [] }, [], NOW))).toEqual([]);
});

test('a token that is too long for a cookie sends the next reads to the primary', () => {
  const value = written('0-1-1,'.repeat(1_000));
  expect(value.length).toBeLessThan(110);
  expect(tokensIn(value)).toEqual([UNTOLD_TOKEN]);
});

test('the tokens of other clusters stay beside it, each for its own time, and one of its own gives way', () => {
  const first = cookie.read(written('0-1-1', ['a', 'b']), NOW);
  const second = cookie.read(written('0-9-9', ['x'], first, NOW + 20_000), NOW + 20_000);
  expect(second).toEqual([
    { token: '0-9-9', servers: ['x'], at: NOW + 20_000 },
    { token: '0-1-1', servers: ['a', 'b'], at: NOW },
  ]);
  const third = written('0-1-2', ['b', 'c'], second, NOW + 30_000);
  expect(tokensIn(third, NOW + 30_000)).toEqual(['0-1-2', '0-9-9']);
  expect(tokensIn(third, NOW + 85_000)).toEqual(['0-1-2']);
});

test('many clusters with many servers fit', () => {
  const servers = (cluster: number): string[] =>
    Array.from({ length: 40 }, (_, index) => `${cluster}-${index}`.padEnd(8, '_'));
  const others = Array.from({ length: 40 }, (_, cluster) => ({
    token: '0-1-1,'.repeat(100),
    servers: servers(cluster + 1),
    at: NOW,
  }));
  const value = written('0-1-1', servers(0), others);
  expect(value.length).toBeLessThan(3_500);
  expect(tokensIn(value)).toEqual(new Array(8).fill(UNTOLD_TOKEN));
});

test('one server in common, or none that is known, makes it the same cluster', () => {
  expect(areOfOneCluster(['a', 'b'], ['b', 'c'])).toBe(true);
  expect(areOfOneCluster(['a'], ['b'])).toBe(false);
  expect([areOfOneCluster([], ['b']), areOfOneCluster(['a'], [])]).toEqual([true, true]);
});

test('a value of a version that named no cluster counts for every one', () => {
  const payload = `${Buffer.from('0-1-7').toString('base64url')}.${(NOW / 1_000).toString(36)}`;
  const signed = createHmac('sha256', SECRET).update(`stormlamp-scope:${payload}`).digest('base64url');
  expect(cookie.read(`${payload}.${signed}`, NOW)).toEqual([{ token: '0-1-7', servers: [], at: NOW }]);
});
