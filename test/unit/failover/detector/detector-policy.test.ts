import { expect, test } from 'vitest';
import {
  type DetectorPolicy,
  detectorDefaults,
  readDetectorPolicy,
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
