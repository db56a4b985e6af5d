import { expect, test } from 'vitest';
import { readTimes, timeWithin } from '../../../../src/cli/top/statement-times.js';

test('the answers of both servers, in milliseconds', () => {
  const ofMysql = readTimes('mysql', [
    { upTo: '30199517', n: 2 },
    { upTo: 1_995_262_314, n: '3' },
  ]);
  expect([...ofMysql].map(([upTo, n]) => [upTo.toFixed(3), n])).toEqual([
    ['0.030', 2],
    ['1.995', 3],
  ]);
  const ofMariadb = readTimes('mariadb', [
    { upTo: '      0.000100', n: 4 },
    { upTo: '      0.100000', n: 0 },
    { upTo: 'TOO LONG', n: 0 },
  ]);
  expect([...ofMariadb].map(([upTo, n]) => [upTo.toFixed(3), n])).toEqual([['0.100', 4]]);
});

test.each([
  ['all in one bucket', [[1, 10]], [[1, 20]], 0.95, 1],
  [
    'half of them',
    [[1, 10]],
    [
      [1, 15],
      [8, 5],
    ],
    0.5,
    1,
  ],
  [
    'the slow twentieth',
    [[1, 10]],
    [
      [1, 28],
      [8, 2],
    ],
    0.95,
    8,
  ],
  ['none', [[1, 10]], [[1, 10]], 0.5, null],
  ['a server that was started anew', [[1, 10]], [[1, 3]], 0.5, null],
  ['one that began to count anew', [[1, 10]], [[8, 30]], 0.5, null],
] as const)('%s', (_, before, after, share, expected) => {
  expect(timeWithin(new Map(before), new Map(after), share)).toBe(expected);
});
