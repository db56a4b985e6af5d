/** What a mount missed, put together from what several mounts remember of it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chained, chainOf } from '../../../src/files/missed-chain.js';
import { type MissedWrite, unknownWrite } from '../../../src/files/missed-writes.js';
import * as made from './made-up-missed.js';
import { collection, end, NAME } from './made-up-missed.js';

const write = (at: number, more: Partial<MissedWrite> = {}): MissedWrite =>
  made.write(at, { parts: { [`p${at}`]: null }, ...more });
/** What who takes all of these one after the other remembers. */
const taken = (...writes: MissedWrite[]): MissedWrite | undefined =>
  writes.reduce<MissedWrite | undefined>((before, missed) => chained(before, missed), undefined);

describe('one after the other', () => {
  test('the version of the first, the date of the last, all parts, each as it was before the first', () => {
    expect(taken(write(1, { parts: { n: 'x' } }), write(5, { parts: { n: 'y', m: null } }))).toMatchObject({
      superseded: 'v1',
      since: 1,
      at: 5,
      parts: { n: 'x', m: null },
    });
  });

  test('dates never go back, whatever the clocks of the machines say', () => {
    expect(taken(write(5), write(3))?.at).toBe(6);
    expect(chained(undefined, write(3), undefined, 7).at).toBe(8);
  });

  test('what the mount was seen to hold counts more than what it presumably held', () => {
    const seen = chained(write(1, { parts: { n: 'x' } }), write(2, { parts: { m: null } }), {
      parts: { n: 'php', m: 'php' },
    });
    expect(seen).toMatchObject({ superseded: 'v2', since: 2, parts: { n: 'php', m: 'php' } });
  });
});

describe('of several mounts', () => {
  test('who took only the later ones does not know what the mount has', () => {
    const all = taken(write(1), write(2));
    const later = taken(write(2));
    for (const records of [
      [all, later],
      [later, all],
    ])
      expect(chainOf(records as MissedWrite[], undefined)).toMatchObject({
        superseded: 'v1',
        since: 1,
        at: 2,
        parts: { p1: null, p2: null },
        late: [{ version: 'v2' }],
      });
  });

  test('an end counts whoever remembers it, and a collection where nothing ended later', () => {
    expect(chainOf([end(1), write(2)], undefined)).toMatchObject({ kind: 'write', ended: 1 });
    expect(chainOf([collection(2), write(3)], undefined)).toMatchObject({ kind: 'write', unusedFor: 60 });
    expect(chainOf([collection(2), end(3)], undefined)?.unusedFor).toBeUndefined();
    expect(chainOf([end(1), collection(2)], undefined)).toMatchObject({ ended: 1, unusedFor: 60 });
  });

  test('where one changed nobody knows what, all of it may have changed', () => {
    expect(chainOf([write(1), write(2, { parts: undefined })], undefined)?.parts).toBeUndefined();
  });

  test('what was made up for does not count, nor one of which nothing is known beside others', () => {
    expect(chainOf([write(1), write(2)], 1)).toMatchObject({ superseded: 'v2' });
    expect(chainOf([write(1)], 1)).toBeUndefined();
    expect(chainOf([], undefined)).toBeUndefined();
    expect(chainOf([unknownWrite(NAME, 9), write(2)], undefined)).toMatchObject({ superseded: 'v2' });
    expect(chainOf([unknownWrite(NAME, 9)], undefined)).toEqual(unknownWrite(NAME, 9));
  });
});

describe('whatever each of them took', () => {
  const missed = fc.array(
    fc.record({
      kind: fc.constantFrom(write, end, collection),
      by: fc.subarray([0, 1, 2], { minLength: 1 }),
    }),
    { minLength: 1, maxLength: 8 },
  );

  test('the order in which they are asked does not matter, and one that took everything is all that is needed', () => {
    fc.assert(
      fc.property(missed, (writes) => {
        const all = writes.map(({ kind }, index) => kind(index + 1));
        const parts = [0, 1, 2].flatMap((holder) => {
          const own = taken(...all.filter((_, index) => writes[index]?.by.includes(holder)));
          return own ?? [];
        });
        const chain = chainOf(parts, undefined);
        expect(chainOf(parts.toReversed(), undefined)).toMatchObject({
          superseded: chain?.superseded,
          at: chain?.at,
          kind: chain?.kind,
        });
        const whole = taken(...all) as MissedWrite;
        const known = chainOf([...parts, whole], undefined);
        expect(known).toMatchObject({ at: whole.at, kind: whole.kind });
        // After a collection the date of the copy decides, whatever it holds.
        if (!writes.some(({ kind }) => kind === collection)) expect(known?.superseded).toBe(whole.superseded);
        expect(known?.ended).toBe(whole.ended);
      }),
    );
  });
});
