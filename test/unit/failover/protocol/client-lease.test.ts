import { describe, expect, test } from 'vitest';
import { mayPromote, votesMayChangeFrom } from '../../../../src/failover/protocol/change-permit.js';
import { leaseOf, type VoterReading } from '../../../../src/failover/protocol/client-lease.js';

const rules = { voters: 3, leaseMs: 5_000, handoverMs: 200 };
const read = (
  voter: string,
  vote: string | null,
  sentAt = 0,
  lock: VoterReading['lock'] = 'free',
): VoterReading => ({
  voter,
  vote,
  sentAt,
  lock,
});

describe('a lease', () => {
  test.each([
    ['of all three', [read('a', 'a'), read('b', 'a'), read('c', 'a')], { primary: 'a', until: 5_000 }],
    ['of a majority', [read('a', 'a'), read('b', 'a'), read('c', null)], { primary: 'a', until: 5_000 }],
    ['not of the replicas alone', [read('b', 'a'), read('c', 'a')], undefined],
    ['not of the primary alone', [read('a', 'a'), read('b', null)], undefined],
    ['ends with the older vote', [read('a', 'a', 100), read('b', 'a', 40)], { primary: 'a', until: 5_040 }],
    [
      'of the newest votes that are enough',
      [read('a', 'a', 100), read('b', 'a', 40), read('c', 'a', 90)],
      { primary: 'a', until: 5_090 },
    ],
    [
      'is short while a change is prepared',
      [read('a', 'a', 0, 'change'), read('b', 'a')],
      { primary: 'a', until: 200 },
    ],
    [
      'is not given while the primary is changed',
      [read('a', 'a', 0, 'promote'), read('b', 'a'), read('c', 'a')],
      undefined,
    ],
  ] as const)('%s', (_, readings, lease) => {
    expect(leaseOf(readings, rules)).toEqual(lease);
  });
});

describe('a primary of an earlier epoch', () => {
  const of = (epoch: number | undefined, since: number) =>
    leaseOf(
      [
        { ...read('a', 'a'), epoch },
        { ...read('b', 'a'), epoch: 9 },
      ],
      rules,
      since,
    )?.primary;
  test('gets no lease, whatever the others say: it was replaced', () => {
    expect(of(6, 7)).toBeUndefined();
    // A server that remembers nothing at all is as old as can be.
    expect(of(0, 7)).toBeUndefined();
  });
  test('the same or a later one does, and one that nobody can read', () => {
    expect([of(7, 7), of(8, 7), of(undefined, 7), of(0, 0)]).toEqual(['a', 'a', 'a', 'a']);
  });
});

describe('votes may be changed', () => {
  const held = (changeSince: number, promoteSince: number | undefined, voter = 'a') => ({
    voter,
    changeSince,
    promoteSince,
    aliveUntil: 10_000,
  });
  test('a lease after the first lock, and a short one after the second', () => {
    expect(votesMayChangeFrom([held(0, 0)], rules)).toBe(5_000);
    expect(votesMayChangeFrom([held(0, 4_900)], rules)).toBe(5_100);
    expect(votesMayChangeFrom([held(0, 0), held(30, 30, 'b')], rules)).toBe(5_030);
  });
  test('never without the second lock', () => {
    expect(votesMayChangeFrom([held(0, undefined)], rules)).toBe(Number.POSITIVE_INFINITY);
  });
  test('only with a majority, the candidate in it', () => {
    const both = [held(0, 0), held(0, 0, 'b')];
    expect(mayPromote(both, 'a', rules, 5_001)).toBe(true);
    expect(mayPromote(both, 'c', rules, 5_001)).toBe(false);
    expect(mayPromote(both.slice(0, 1), 'a', rules, 5_001)).toBe(false);
    expect(mayPromote(both, 'a', rules, 4_999)).toBe(false);
    expect(mayPromote(both, 'a', rules, 10_001)).toBe(false);
  });
});
