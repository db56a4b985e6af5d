import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Election } from '../../../../src/failover/overseer/election.js';
import { Overseer } from '../../../../src/failover/overseer/overseer.js';

let told: string[];
let tilted: boolean;
let busy: boolean;
let certain: boolean;
let warranted: boolean;
let refusal: string;
let overseer: Overseer;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  [tilted, busy, certain, warranted, refusal] = [false, false, true, true, ''];
  let leads = false;
  const election = {
    get leads(): boolean {
      return leads && certain;
    },
    renew: async () => {
      told.push('asks');
      certain = leads;
      return leads;
    },
    campaign: async () => {
      told.push('is elected');
      leads = true;
      certain = true;
      return true;
    },
    resign: async () => {
      if (leads) told.push('resigns');
      leads = false;
    },
  };
  overseer = new Overseer(election as unknown as Election, {
    tilted: () => tilted,
    busy: () => busy,
    warranted: () => warranted,
    failOver: async () => {
      told.push('fails over');
      if (refusal !== '') throw new Error(refusal);
    },
    repair: async () => false,
    onRefusal: (what, why) => void told.push(`${what}: ${why}`),
  });
});
afterEach(async () => {
  await overseer.close();
  vi.useRealTimers();
});
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

test('a process that does not trust itself does nothing (I14), and stays elected for a while', async () => {
  await pass(300);
  expect(told).toEqual(['asks', 'is elected', 'fails over']);
  tilted = true;
  await pass(2_500);
  expect(told).toHaveLength(3);
  tilted = false;
  await pass(2_000);
  expect(new Set(told.slice(3))).toEqual(new Set(['fails over']));
});

test('it resigns when that lasts, so that another one can act, but not in the middle of a change', async () => {
  await pass(300);
  [tilted, busy] = [true, true];
  await pass(10_000);
  expect(told).not.toContain('resigns');
  busy = false;
  await pass(300);
  expect(told).toContain('resigns');
});

test('whose election is not certain any more asks the voters before it is elected anew', async () => {
  await pass(300);
  told.length = 0;
  certain = false;
  await pass(600);
  expect(told[0]).toBe('asks');
  expect(told).not.toContain('is elected');
});

test('why nobody fails over is told once in one outage, whatever numbers stand in it, and again in the next one', async () => {
  const refusals = (): readonly string[] => told.filter((each) => each.startsWith('failover: '));
  for (const ageS of [1, 8, 20, 60]) {
    refusal = `the last one was ${ageS} s ago`;
    await pass(20_000);
  }
  expect(refusals()).toEqual(['failover: the last one was 1 s ago']);
  refusal = 'a person decides';
  await pass(20_000);
  refusal = 'the last one was 100 s ago';
  await pass(20_000);
  expect(refusals()).toEqual(['failover: the last one was 1 s ago', 'failover: a person decides']);
  warranted = false;
  await pass(1_000);
  [warranted, refusal] = [true, 'a person decides'];
  await pass(20_000);
  expect(refusals()).toHaveLength(3);
});
