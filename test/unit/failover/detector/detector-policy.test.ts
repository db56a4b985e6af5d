import { expect, test } from 'vitest';
import {
  type DetectorPolicy,
  detectorDefaults,
  readDetectorPolicy,
  stretched,
} from '../../../../src/failover/detector/detector-policy.js';

test('what is left out has its default', () => {
  expect(readDetectorPolicy('failover.detector')).toEqual(detectorDefaults);
  expect(readDetectorPolicy('failover.detector', { downAfterMs: 600 })).toEqual({
    ...detectorDefaults,
    downAfterMs: 600,
  });
});

test.each([
  [{ downAfterFailures: 1 }, /failover.detector.downAfterFailures/],
  [{ downAfterFailures: 2.5 }, /failover.detector.downAfterFailures/],
  [{ downAfterMs: 100 }, /failover.detector.downAfterMs/],
  [{ downAfter: 100 }, /did you mean `downAfterMs`/],
  [{ silentHeartbeats: 1 }, /failover.detector.silentHeartbeats/],
])('%j is refused by name', (options, message) => {
  expect(() => readDetectorPolicy('failover.detector', options as Partial<DetectorPolicy>)).toThrow(message);
});

test('a process that is usually late waits longer before it calls a node down, the double at most', () => {
  expect(stretched(detectorDefaults, 0)).toBe(detectorDefaults);
  expect(stretched(detectorDefaults, 5)).toBe(detectorDefaults);
  expect(stretched(detectorDefaults, 200)).toEqual({ ...detectorDefaults, downAfterMs: 3_800 });
  expect(stretched(detectorDefaults, 5_000).downAfterMs).toBe(6_000);
});
