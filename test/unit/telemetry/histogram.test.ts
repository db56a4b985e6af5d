import { expect, test } from 'vitest';
import { Histogram } from '../../../src/telemetry/histogram.js';

test('buckets are cumulative, and what is above all of them is in +Inf only', () => {
  const histogram = new Histogram([1, 2]);
  for (const value of [0.5, 1, 1.5, 7]) histogram.observe({ node: 'db1' }, value);
  histogram.observe({ node: 'db2' }, 2);
  const lines = histogram
    .samples()
    .map(({ suffix, labels, value }) => [suffix, ...Object.values(labels), value]);
  expect(lines).toEqual([
    ['_bucket', 'db1', '1', 2],
    ['_bucket', 'db1', '2', 3],
    ['_bucket', 'db1', '+Inf', 4],
    ['_sum', 'db1', 10],
    ['_count', 'db1', 4],
    ['_bucket', 'db2', '1', 0],
    ['_bucket', 'db2', '2', 1],
    ['_bucket', 'db2', '+Inf', 1],
    ['_sum', 'db2', 2],
    ['_count', 'db2', 1],
  ]);
});
