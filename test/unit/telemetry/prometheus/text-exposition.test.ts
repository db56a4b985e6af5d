import { expect, test } from 'vitest';
import { expositionOf } from '../../../../src/telemetry/prometheus/text-exposition.js';

test('labels are escaped, special numbers written, empty metrics left out', () => {
  const text = expositionOf([
    {
      name: 'a_total',
      help: 'One\nline \\',
      type: 'counter',
      samples: [
        { labels: { node: 'a"b\\c\nd' }, value: 3 },
        { labels: {}, value: Number.POSITIVE_INFINITY },
      ],
    },
    { name: 'b', help: '', type: 'gauge', samples: [] },
    { name: 'c', help: 'C', type: 'histogram', samples: [{ name: 'c_sum', labels: {}, value: Number.NaN }] },
  ]);
  expect(text).toBe(
    [
      '# HELP a_total One\\nline \\\\',
      '# TYPE a_total counter',
      'a_total{node="a\\"b\\\\c\\nd"} 3',
      'a_total +Inf',
      '# HELP c C',
      '# TYPE c histogram',
      'c_sum NaN',
      '',
    ].join('\n'),
  );
});
