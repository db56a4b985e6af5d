import { describe, expect, test } from 'vitest';
import {
  afterSample,
  initialSelfView,
  type SelfSample,
  type SelfView,
  strainOf,
} from '../../../src/health/self-health.js';

const calm: Omit<SelfSample, 'at'> = { driftMs: 1, jumpMs: 0 };
const seen = (samples: readonly Partial<SelfSample>[], from: SelfView = initialSelfView): SelfView =>
  samples.reduce<SelfView>(
    (view, sample, n) => afterSample(view, { ...calm, at: 250 * (n + 1), ...sample }),
    from,
  );
const tilted = (view: SelfView, at: number): boolean => at < view.tiltedUntil;

describe('a process tilts', () => {
  test('never while its timers are in time, or a little late again and again', () => {
    for (const driftMs of [200, 450])
      expect(tilted(seen(Array.from({ length: 500 }, () => ({ driftMs }))), 0)).toBe(false);
  });

  test('after one stall of more than half a second, until everything was looked at again', () => {
    const view = seen([{}, { driftMs: 501 }]);
    expect([500, 1_501, 1_510].map((at) => tilted(view, at))).toEqual([true, true, false]);
  });

  test('for twice as long as it stalled', () => {
    const view = seen([{ driftMs: 3_000 }]);
    expect([6_249, 6_250].map((at) => tilted(view, at))).toEqual([true, false]);
  });

  test('for a minute at most: a machine that slept for an hour is not out of the race for two', () => {
    const view = seen([{ driftMs: 3_600_000 }]);
    expect([60_249, 60_250].map((at) => tilted(view, at))).toEqual([true, false]);
  });

  test.each([2_001, -2_001])('for five seconds when the wall clock jumps by %i ms', (jumpMs) => {
    const view = seen([{ jumpMs }]);
    expect([251, 5_249, 5_250].map((at) => tilted(view, at))).toEqual([true, true, false]);
  });

  test('not when the wall clock is only corrected', () => {
    expect(tilted(seen([{ jumpMs: 900 }]), 251)).toBe(false);
  });

  test('and a later short tilt does not end a longer one', () => {
    const view = seen([{ driftMs: 3_000 }, { driftMs: 600 }]);
    expect(tilted(view, 6_000)).toBe(true);
  });
});

describe('the strain of a process', () => {
  const late = (...driftsMs: readonly number[]): number =>
    strainOf(seen(driftsMs.map((driftMs) => ({ driftMs }))));
  test('is how late it usually is: one stall is none, one in five is', () => {
    expect(strainOf(initialSelfView)).toBe(0);
    expect(late(2, 2, 2, 2, 2, 2, 2, 2, 2, 900)).toBe(2);
    expect(late(2, 2, 2, 2, 300, 2, 2, 2, 2, 400)).toBe(300);
  });
  test('is forgotten after a hundred samples', () => {
    const calmNow = Array.from({ length: 100 }, () => 1);
    expect(late(...Array.from({ length: 50 }, () => 400), ...calmNow)).toBe(1);
  });
});
