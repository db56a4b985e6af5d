/** What the benchmarks make of their rounds. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

interface Goal {
  readonly [name: string]: unknown;
}
const { judge, quantile, ratio, summary } = (await import(
  pathToFileURL(resolve(import.meta.dirname, '../../../bench/figures.mjs')).href
)) as {
  judge(rows: readonly unknown[], goal: Goal): Readonly<Record<string, unknown>>;
  quantile(numbers: readonly number[], share: number): number;
  ratio(rows: readonly unknown[], goal: Goal): number | undefined;
  summary(row: unknown): Readonly<Record<string, unknown>>;
};

const rounds = (field: string, values: readonly number[]) =>
  values.map((value, index) => ({ number: index + 1, [field]: value }));
const row = (peer: string, field: string, values: readonly number[], work = 'load') => ({
  peer,
  work,
  atOnce: 1,
  rounds: rounds(field, values),
});
const goal = { text: 'a goal', work: 'load', atOnce: 1, reference: 'memjs', field: 'cpuUs' };

test('a quantile lies between its neighbours', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([7], 0.99)).toBe(7);
});

describe('a ratio', () => {
  test('is the median of rounds side by side: a slow moment that both share changes nothing', () => {
    const rows = [row('stormlamp', 'cpuUs', [5, 50, 5]), row('memjs', 'cpuUs', [10, 100, 10])];
    expect(ratio(rows, { ...goal, peer: 'stormlamp' })).toBe(0.5);
  });

  test('leaves rounds out that only one of both has', () => {
    const rows = [row('stormlamp', 'cpuUs', [5, 5, 900]), row('memjs', 'cpuUs', [10, 10])];
    expect(ratio(rows, { ...goal, peer: 'stormlamp' })).toBe(0.5);
  });

  test('compares what each adds to a base', () => {
    const rows = [
      row('stormlamp', 'cpuUs', [120]),
      row('memjs', 'cpuUs', [180]),
      row('bare', 'cpuUs', [100]),
    ];
    expect(ratio(rows, { ...goal, peer: 'stormlamp', base: 'bare' })).toBe(0.25);
    expect(ratio(rows.slice(0, 2), { ...goal, peer: 'stormlamp', base: 'bare' })).toBeUndefined();
  });

  test('compares two works of one peer by their size', () => {
    const rows = [row('stormlamp', 'cpuUs', [110], 'long'), row('stormlamp', 'cpuUs', [10], 'short')];
    const linear = {
      work: 'long',
      referenceWork: 'short',
      peer: 'stormlamp',
      reference: 'stormlamp',
      scale: 10,
      atOnce: 1,
      field: 'cpuUs',
    };
    expect(ratio(rows, linear)).toBe(1.1);
  });
});

describe('a goal', () => {
  test('at most: reached and missed', () => {
    const rows = [row('stormlamp', 'cpuUs', [9]), row('memjs', 'cpuUs', [10])];
    expect(judge(rows, { ...goal, most: 0.9 })).toMatchObject({
      wanted: '≤ 0.9',
      measured: '0.9',
      reached: true,
    });
    expect(judge(rows, { ...goal, most: 0.85 })).toMatchObject({ reached: false });
  });

  test('tells how far the ratios of half of the rounds lay apart', () => {
    const rows = [row('stormlamp', 'cpuUs', [8, 9, 10, 11, 12]), row('memjs', 'cpuUs', [10, 10, 10, 10, 10])];
    expect(judge(rows, { ...goal, most: 1 })).toMatchObject({ measured: '1', spread: '0.9–1.1' });
    expect(judge([], { ...goal, most: 1 })).toMatchObject({ spread: null });
  });

  test('of throughput is told beside what CPU alone would allow', () => {
    const both = (peer: string, perSecond: number, cpuUs: number) => ({
      peer,
      work: 'load',
      atOnce: 1,
      rounds: [{ number: 1, perSecond, cpuUs }],
    });
    const rows = [both('stormlamp', 100, 5), both('memjs', 80, 20)];
    expect(judge(rows, { ...goal, field: 'perSecond', least: 2 })).toMatchObject({
      measured: '1.25',
      byCpu: '4',
      reached: false,
    });
    const figure = { ...goal, reference: undefined, field: 'perSecond', each: 100, least: 10_000 };
    expect(judge(rows, figure)).toMatchObject({
      wanted: '≥ 10 000',
      measured: '10 000',
      byCpu: '20 000 000',
      reached: true,
    });
  });

  test('that was not measured is neither reached nor missed', () => {
    expect(judge([], { ...goal, most: 1 })).toMatchObject({ measured: 'not measured', reached: null });
  });
});

test('a line has medians and the middle half of the rounds', () => {
  const all = [1, 2, 3, 4, 5].map((number) => ({
    number,
    cpuUs: number,
    perSecond: 100 * number,
    p50Us: number,
    p99Us: 10 * number,
  }));
  expect(summary({ peer: 'memjs', work: 'load', atOnce: 1, rounds: all })).toEqual({
    peer: 'memjs',
    work: 'load',
    atOnce: 1,
    cpuUs: 3,
    cpuSpread: '2–4',
    perSecond: 300,
    p50Us: 3,
    p99Us: 30,
  });
});
