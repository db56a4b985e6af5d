import { expect, test } from 'vitest';
import type { Clock } from '../../../../src/common/clock.js';
import { FillPace } from '../../../../src/memcached/resync/fill-pace.js';

class HandClock implements Clock {
  at = 0;

  now(): number {
    return this.at;
  }

  wall(): number {
    return this.at;
  }
}

function paceAt(): { pace: FillPace; clock: HandClock } {
  const clock = new HandClock();
  return { pace: new FillPace(3, clock), clock };
}

const took = (pace: FillPace, ms: number, times = 1): void => {
  for (let count = 0; count < times; count += 1) pace.took(ms);
};

test('a fill begins with one batch at once, and has more under way while the nodes answer in time', () => {
  const { pace } = paceAt();
  expect(pace.limit).toBe(1);
  took(pace, 20, 8);
  expect(pace.limit).toBe(2);
  took(pace, 20, 100);
  expect(pace.limit).toBe(3);
  expect(pace.restMs).toBe(0);
});

test('late answers halve it and give the nodes a rest, and it grows slowly again', () => {
  const { pace, clock } = paceAt();
  took(pace, 20, 100);
  pace.took(210);
  expect(pace.limit).toBe(1);
  expect(pace.restMs).toBe(840);
  clock.at += 840;
  expect(pace.restMs).toBe(0);
  pace.took(5_000);
  expect(pace.restMs).toBe(1_000);
  expect(pace.limit).toBe(1);
  took(pace, 20, 8);
  expect(pace.limit).toBe(2);
});

test('a long way to a node is no trouble: late is what takes several times as long as the fastest', () => {
  const { pace } = paceAt();
  took(pace, 400, 100);
  expect(pace.limit).toBe(3);
  pace.took(1_300);
  expect(pace.limit).toBe(1);
});

test('as many batches run at once as may, and one that fails makes room as well', async () => {
  const { pace } = paceAt();
  const { signal } = new AbortController();
  const ends: (() => void)[] = [];
  let failing = true;
  const batch = (): Promise<void> =>
    new Promise((resolve, reject) => ends.push(failing ? () => reject(new Error('lost')) : resolve));
  const turns = [1, 2, 3].map(() => pace.run(batch, signal));
  const settled = Promise.allSettled(turns);
  for (const running of [1, 2, 3]) {
    await new Promise(setImmediate);
    expect(ends).toHaveLength(running);
    ends.at(-1)?.();
    failing = false;
  }
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
});

test('who waits for a rest stops waiting when the fill is ended', async () => {
  const { pace } = paceAt();
  const stop = new AbortController();
  took(pace, 20);
  pace.took(1_000);
  const turn = pace.run(() => Promise.resolve(), stop.signal);
  stop.abort(new Error('the end'));
  await expect(turn).rejects.toThrow('the end');
});
