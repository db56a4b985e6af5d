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
    state = afterLook(state, seen, true);
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

/** What two nodes are after each look at both. */
const pairStory = (...looks: readonly (readonly (Incarnation | undefined)[])[]): string[] => {
  let states: readonly PairNodeState[] = [{ state: 'unknown' }, { state: 'unknown' }];
  return looks.map((seen) => {
    const answers = seen.some((each) => each !== undefined);
    states = states.map((state, index) => afterLook(state, seen[index], answers));
    return states.map(({ state }) => state).join(' ');
  });
};
const other: Incarnation = { pid: 20, startedAt: 5_000 };
const blind = (looks: number): readonly (readonly undefined[])[] => Array(looks).fill([undefined, undefined]);

test.each([
  [
    'both are missed once, as by a watcher that stood still',
    [
      [first, other],
      [undefined, undefined],
      [first, other],
    ],
    ['up up', 'down down', 'up up'],
  ],
  [
    'both are missed three times',
    [[first, other], ...blind(3), [first, other]],
    ['up up', 'down down', 'down down', 'down down', 'up up'],
  ],
  [
    'both are missed for longer: others may have written to one of them alone',
    [[first, other], ...blind(4), [first, other]],
    ['up up', 'down down', 'down down', 'down down', 'down down', 'warming warming'],
  ],
  [
    'both are missed again and again, and seen meanwhile',
    [[first, other], ...blind(3), [first, other], ...blind(3), [first, other]],
    ['up up', ...Array(3).fill('down down'), 'up up', ...Array(3).fill('down down'), 'up up'],
  ],
  [
    'one comes back first: the other one may have missed writes',
    [
      [first, other],
      [undefined, undefined],
      [first, undefined],
      [first, other],
    ],
    ['up up', 'down down', 'up down', 'up warming'],
  ],
  [
    'one was away before',
    [
      [first, other],
      [first, undefined],
      [undefined, undefined],
      [first, other],
    ],
    ['up up', 'up down', 'down down', 'up warming'],
  ],
  [
    'one was restarted meanwhile',
    [
      [first, other],
      [undefined, undefined],
      [second, other],
    ],
    ['up up', 'down down', 'warming up'],
  ],
  [
    'one was not filled yet',
    [
      [first, other],
      [second, other],
      [undefined, undefined],
      [second, other],
    ],
    ['up up', 'warming up', 'down down', 'warming up'],
  ],
  [
    'nobody was there at the first look',
    [
      [undefined, undefined],
      [first, other],
    ],
    ['down down', 'warming warming'],
  ],
])('two nodes: %s', (_, looks, states) => {
  expect(pairStory(...looks)).toEqual(states);
});

test('a fill counts only for the life that was filled', () => {
  const warming: PairNodeState = { state: 'warming', incarnation: second };
  expect(afterFill(warming, second)).toEqual({ state: 'up', incarnation: second });
  expect(afterFill(warming, first)).toBe(warming);
  expect(afterFill({ state: 'down' }, second)).toEqual({ state: 'down' });
});

test('a fill that began before a node was away once more does not count: what was written meanwhile may be behind it', () => {
  const after = (before: PairNodeState, ...looks: readonly (Incarnation | undefined)[]): PairNodeState =>
    looks.reduce<PairNodeState>((state, seen) => afterLook(state, seen, true), before);
  for (const begun of [
    after({ state: 'unknown' }, first, undefined, first),
    after({ state: 'unknown' }, undefined, first),
  ]) {
    if (begun.state !== 'warming') throw new Error(begun.state);
    expect(afterFill(begun, begun.incarnation).state).toBe('up');
    const again = after(begun, undefined, first, first);
    expect(afterFill(again, begun.incarnation)).toBe(again);
    if (again.state !== 'warming') throw new Error(again.state);
    expect(afterFill(again, again.incarnation).state).toBe('up');
  }
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
