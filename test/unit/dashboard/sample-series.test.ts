import { expect, test } from 'vitest';
import type { DashboardNode } from '../../../src/dashboard/dashboard-state.js';
import { SampleSeries } from '../../../src/dashboard/sample-series.js';

const node = (reads: number, writes: number): DashboardNode =>
  ({ id: 'a', reads, writes, lagMs: 5, latencyMs: 1 }) as unknown as DashboardNode;

test('rates are differences per second; the first sample has none', () => {
  const series = new SampleSeries();
  const samples = [
    series.add([node(100, 10)], 1_000, 1_000),
    series.add([node(150, 10)], 2_000, 2_000),
    series.add([node(150, 30)], 6_000, 6_000),
  ];
  expect(samples.map(({ nodes }) => [nodes['a']?.reads, nodes['a']?.writes])).toEqual([
    [0, 0],
    [50, 0],
    [0, 5],
  ]);
});

test('a counter that begins anew makes no negative rate, and five minutes are kept', () => {
  const series = new SampleSeries();
  series.add([node(100, 0)], 1_000, 1_000);
  expect(series.add([node(1, 0)], 2_000, 2_000).nodes['a']?.reads).toBe(0);
  for (let n = 0; n < 1_000; n += 1) series.add([node(n, 0)], 3_000 + n, 3_000 + n);
  expect(series.samples.length).toBe(300);
});

test('of many nodes the primary, the highest and the middle are kept', () => {
  const series = new SampleSeries();
  const many = (factor: number): DashboardNode[] =>
    Array.from(
      { length: 14 },
      (_, at) =>
        ({
          id: `n${at}`,
          role: at === 0 ? 'primary' : 'replica',
          reads: at * factor,
          writes: at === 0 ? 7 * factor : 0,
          lagMs: at === 0 || at > 10 ? null : at,
          latencyMs: null,
        }) as unknown as DashboardNode,
    );
  series.add(many(1), 1_000, 1_000);
  expect(series.add(many(2), 2_000, 2_000).nodes).toEqual({
    n0: { reads: 0, writes: 7, lagMs: null, latencyMs: null },
    'highest of the others': { reads: 13, writes: 0, lagMs: 10, latencyMs: null },
    'median of the others': { reads: 7, writes: 0, lagMs: 6, latencyMs: null },
  });
});

test('a clock that is set back makes no rate: that goes by one that nobody sets', () => {
  const series = new SampleSeries();
  series.add([node(100, 0)], 60_000, 1_000);
  expect(series.add([node(200, 0)], 50_000, 2_000)).toMatchObject({
    at: 50_000,
    nodes: { a: { reads: 100 } },
  });
});
