import { expect, test } from 'vitest';
import { type ClockLook, clockChecks } from '../../../../src/failover/preflight/clock-checks.js';

const look = (node: string, aheadMs: number, withinMs = 5): ClockLook => ({ node, aheadMs, withinMs });
const resultsOf = (looks: readonly ClockLook[]) =>
  clockChecks(looks).map(({ name, result }) => [name, result]);

test.each<[string, readonly ClockLook[], string, string]>([
  ['all agree', [look('a', 0), look('b', 3)], 'pass', 'pass'],
  ['half a second apart', [look('a', -250), look('b', 250)], 'pass', 'pass'],
  ['more than a second apart', [look('a', 0), look('b', 100), look('c', 1_100)], 'warn', 'pass'],
  ['behind by as much', [look('a', 0), look('b', 100), look('c', -1_000)], 'warn', 'pass'],
  ['as far apart as the answers took', [look('a', 0, 400), look('b', 1_700, 400)], 'pass', 'pass'],
  ['this process is late by little', [look('a', 9_000), look('b', 9_000)], 'pass', 'pass'],
  ['this process is late', [look('a', 11_000), look('b', 11_000)], 'pass', 'warn'],
  ['this process is early', [look('a', -11_000), look('b', -11_000)], 'pass', 'warn'],
])('%s', (_, looks, servers, own) => {
  expect(resultsOf(looks)).toEqual([
    ['clocks-agree', servers],
    ['own-clock', own],
  ]);
  expect(resultsOf([...looks].reverse())).toEqual(resultsOf(looks));
});

test('the two that are furthest apart are named, and what to do', () => {
  const [servers, own] = clockChecks([look('a', 100), look('b', -30_000), look('c', 2_000)]);
  expect(servers?.detail).toMatch(/clock of c is 32 s ahead of that of b: .*; have NTP or chrony set them/);
  expect(own?.detail).toMatch(/clock of b is 30 s behind this process's: .*; have NTP or chrony/);
});

test('of a clock that nobody looked at it is not said that it agrees', () => {
  const results = (...looks: ClockLook[]) => clockChecks(looks, ['c']).map(({ result }) => result);
  expect(results(look('a', 0), look('b', 3))).toEqual(['skip', 'skip']);
  expect(results(look('a', 0), look('b', 1_200))).toEqual(['warn', 'skip']);
  expect(clockChecks([look('a', 0)], ['c'])[0]?.detail).toBe('not known: c could not be looked at');
});

test('where nobody answers nothing is said', () => {
  expect(clockChecks([])).toEqual([]);
});
