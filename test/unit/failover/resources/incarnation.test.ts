import { expect, test } from 'vitest';
import {
  afterFill,
  afterLook,
  type Incarnation,
  incarnationOf,
  isSameLife,
  type PairNodeState,
} from '../../../../src/failover/resources/incarnation.js';

const first: Incarnation = { pid: 10, startedAt: 1_000 };
const second: Incarnation = { pid: 11, startedAt: 2_000 };
const story = (...looks: readonly (Incarnation | undefined)[]): string[] => {
  let state: PairNodeState = { state: 'unknown' };
  return looks.map((seen) => {
    state = afterLook(state, seen);
    return state.state;
  });
};

test.each([
  ['alive at the first look: it has what it has', [first, first], ['up', 'up']],
  ['restarted between two looks', [first, second, second], ['up', 'warming', 'warming']],
  [
    'away and back in the same life: it missed writes',
    [first, undefined, undefined, first],
    ['up', 'down', 'down', 'warming'],
  ],
  ['away and back in another life', [first, undefined, second], ['up', 'down', 'warming']],
  ['away at the first look', [undefined, first], ['down', 'warming']],
  ['restarted while it was warming', [first, second, { ...second, pid: 12 }], ['up', 'warming', 'warming']],
])('%s', (_, looks, states) => {
  expect(story(...looks)).toEqual(states);
});

test('a fill counts only for the life that was filled', () => {
  const warming: PairNodeState = { state: 'warming', incarnation: second };
  expect(afterFill(warming, second)).toEqual({ state: 'up', incarnation: second });
  expect(afterFill(warming, first)).toBe(warming);
  expect(afterFill({ state: 'down' }, second)).toEqual({ state: 'down' });
});

test('the start is told to the second, give or take', () => {
  const stats = new Map([
    ['pid', '10'],
    ['time', '1700000100'],
    ['uptime', '100'],
  ]);
  expect(incarnationOf(stats)).toEqual({ pid: 10, startedAt: 1_700_000_000 });
  expect(incarnationOf(new Map([['pid', 'x']]))).toBeUndefined();
  expect(isSameLife(first, { ...first, startedAt: 1_001 })).toBe(true);
  expect(isSameLife(first, { ...first, startedAt: 1_005 })).toBe(false);
});
