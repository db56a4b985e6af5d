import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commonDate, copiedDate, laggingDate, looksAlike } from '../../../src/session/copy-date.js';

const size = 10;
const now = fc.double({ min: 1.6e12, max: 2e12, noNaN: true, noDefaultInfinity: true });

test('no write that comes after ours gets the date of ours, also where the clock of the files lags by a tick', () => {
  fc.assert(
    fc.property(now, fc.double({ min: -10, max: 1_000, noNaN: true }), (at, later) => {
      expect(
        looksAlike({ size, mtimeMs: commonDate(at) }, { size, mtimeMs: Math.max(at + later, at - 10) }),
      ).toBe(false);
    }),
  );
});

test('a copy that lags has no date that copies get together', () => {
  fc.assert(
    fc.property(now, fc.integer({ min: -5, max: 5 }), (at, off) => {
      const lagging = { size, mtimeMs: laggingDate(commonDate(at)) };
      expect(looksAlike(lagging, { size, mtimeMs: commonDate(at) + off })).toBe(false);
    }),
  );
});

test('a copy of what was written just now lags, of what has settled it has the very date', () => {
  const at = 1_700_000_000_000.25;
  expect(looksAlike({ size, mtimeMs: copiedDate(at, at + 3) }, { size, mtimeMs: at })).toBe(false);
  // The clock of a server that is ahead of ours.
  expect(looksAlike({ size, mtimeMs: copiedDate(at, at - 3_000) }, { size, mtimeMs: at })).toBe(false);
  expect(copiedDate(at, at + 60_000)).toBe(at);
});
