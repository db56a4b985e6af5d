import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  afterRequest,
  ejectionDefaults,
  ejectOutliers,
  isEjected,
  newUpstream,
  nextWindow,
  type UpstreamRecord,
} from '../../../../src/failover/resources/outlier-ejection.js';

const after = (url: string, good: number, bad: number): UpstreamRecord => {
  let record = newUpstream(url);
  for (let n = 0; n < bad; n += 1) record = afterRequest(record, false);
  for (let n = 0; n < good; n += 1) record = afterRequest(record, true);
  return record;
};
const row = (url: string, failures: number): UpstreamRecord => {
  let record = newUpstream(url);
  for (let n = 0; n < failures; n += 1) record = afterRequest(record, false);
  return record;
};
const ejected = (records: readonly UpstreamRecord[], now = 0): string[] =>
  ejectOutliers(records, ejectionDefaults, now)
    .filter((record) => isEjected(record, now))
    .map(({ url }) => url);

test('five failures in a row eject, four do not', () => {
  expect(ejected([row('a', 4), newUpstream('b')])).toEqual([]);
  expect(ejected([row('a', 5), newUpstream('b')])).toEqual(['a']);
});

test('who fails much more often than the others is ejected, who fails as often as all is not', () => {
  expect(ejected([after('a', 10, 10), after('b', 20, 0), after('c', 20, 0)])).toEqual(['a']);
  expect(ejected([after('a', 10, 10), after('b', 10, 10), after('c', 10, 10)])).toEqual([]);
  expect(ejected([after('a', 5, 5), after('b', 20, 0), after('c', 20, 0)])).toEqual([]);
});

test('never more than half, never the last one', () => {
  expect(ejected([row('a', 9), row('b', 9), row('c', 9), row('d', 9)])).toEqual(['a', 'b']);
  expect(ejected([row('a', 9)])).toEqual([]);
  const all = { ...ejectionDefaults, maxEjectedShare: 1 };
  const left = ejectOutliers([row('a', 9), row('b', 9)], all, 0).filter((record) => !isEjected(record, 0));
  expect(left.length).toBe(1);
});

test('the second ejection lasts twice as long, and doing well is forgiven', () => {
  const [once] = ejectOutliers([row('a', 5), newUpstream('b')], ejectionDefaults, 0);
  expect(once?.ejectedUntil).toBe(10_000);
  const again = Array.from({ length: 5 }).reduce<UpstreamRecord>(
    (record) => afterRequest(record, false),
    once ?? row('a', 0),
  );
  expect(ejectOutliers([again, newUpstream('b')], ejectionDefaults, 10_000)[0]?.ejectedUntil).toBe(30_000);
  const good = afterRequest({ ...again, failuresInARow: 0, window: [0, 0] }, true);
  expect(nextWindow([good], 50_000)[0]?.ejections).toBe(0);
});

test('whatever happens, one upstream takes requests', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { minLength: 1, maxLength: 8 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (counts, maxEjectedShare) => {
        let records: readonly UpstreamRecord[] = counts.map(([good, bad], n) => after(String(n), good, bad));
        for (let now = 0; now < 60_000; now += 10_000) {
          records = ejectOutliers(records, { ...ejectionDefaults, maxEjectedShare }, now);
          const out = records.filter((record) => isEjected(record, now)).length;
          expect(out).toBeLessThan(records.length);
          expect(out).toBeLessThanOrEqual(records.length * maxEjectedShare);
          records = records.map((record) => afterRequest(record, false));
        }
      },
    ),
  );
});
