import { describe, expect, test } from 'vitest';
import {
  afterSample,
  initialSelfView,
  type SelfSample,
  type SelfView,
} from '../../../src/health/self-health.js';

const calm: Omit<SelfSample, 'at'> = { driftMs: 1, jumpMs: 0 };
const seen = (samples: readonly Partial<SelfSample>[], from: SelfView = initialSelfView): SelfView =>
  samples.reduce<SelfView>(
    (view, sample, n) => afterSample(view, { ...calm, at: 250 * (n + 1), ...sample }),
    from,
  );
const tilted = (view: SelfView, at: number): boolean => at < view.tiltedUntil;

describe('a process tilts', () => {
  test('never while its timers are in time', () => {
    expect(tilted(seen(Array.from({ length: 500 }, () => ({ driftMs: 200 }))), 0)).toBe(false);
  });

  test('after one stall of more than half a second, for five seconds', () => {
    const view = seen([{}, { driftMs: 501 }]);
    expect([500, 5_499, 5_510].map((at) => tilted(view, at))).toEqual([true, true, false]);
  });

  test('for ten times as long as it stalled', () => {
    const view = seen([{ driftMs: 3_000 }]);
    expect([30_249, 30_250].map((at) => tilted(view, at))).toEqual([true, false]);
  });

  test('for a minute at most: a machine that slept for an hour is not out of the race for ten', () => {
    const view = seen([{ driftMs: 3_600_000 }]);
    expect([60_249, 60_250].map((at) => tilted(view, at))).toEqual([true, false]);
  });

  test('after a second shorter stall among the last hundred samples', () => {
    expect(tilted(seen([{ driftMs: 300 }]), 251)).toBe(false);
    expect(tilted(seen([{ driftMs: 300 }, {}, {}, { driftMs: 300 }]), 1_001)).toBe(true);
    const calmBetween = Array.from({ length: 120 }, () => ({}));
    expect(tilted(seen([{ driftMs: 300 }, ...calmBetween, { driftMs: 300 }]), 250 * 122 + 1)).toBe(false);
  });

  test.each([2_001, -2_001])('when the wall clock jumps by %i ms', (jumpMs) => {
    expect(tilted(seen([{ jumpMs }]), 251)).toBe(true);
  });

  test('not when the wall clock is only corrected', () => {
    expect(tilted(seen([{ jumpMs: 900 }]), 251)).toBe(false);
  });

  test('and a later short tilt does not end a longer one', () => {
    const view = seen([{ driftMs: 3_000 }, { driftMs: 600 }]);
    expect(tilted(view, 30_000)).toBe(true);
  });
});
