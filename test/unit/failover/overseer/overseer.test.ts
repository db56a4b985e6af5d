import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Election } from '../../../../src/failover/overseer/election.js';
import { Overseer } from '../../../../src/failover/overseer/overseer.js';

let told: string[];
let tilted: boolean;
let busy: boolean;
let certain: boolean;
let overseer: Overseer;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  [tilted, busy, certain] = [false, false, true];
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
    warranted: () => true,
    failOver: async () => {
      told.push('fails over');
    },
    repair: async () => false,
    onRefusal: () => undefined,
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
