/** Never two live leases for different primaries (I1); and every rule of the protocol is needed for that. */
import { expect, test } from 'vitest';
import { type LeftOut, type ModelOptions, runModel } from './protocol-model.js';

const RUNS = Number(process.env['STORMLAMP_MODEL_RUNS'] ?? 500);

const CLUSTERS: Readonly<Record<string, Omit<ModelOptions, 'seed'>>> = {
  'three servers': { data: 3, witnesses: 0, clients: 3, managers: 2, horizonMs: 30_000 },
  'two servers and a witness': { data: 2, witnesses: 1, clients: 3, managers: 2, horizonMs: 30_000 },
  'five servers': { data: 5, witnesses: 0, clients: 2, managers: 3, horizonMs: 30_000 },
  'four servers and many managers': { data: 4, witnesses: 0, clients: 2, managers: 5, horizonMs: 30_000 },
};

test.each(Object.entries(CLUSTERS))(
  'never two live leases for different primaries: %s',
  { timeout: 300_000 },
  (name, cluster) => {
    let promotions = 0;
    let leases = 0;
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const result = runModel({ ...cluster, seed });
      expect(result.violations, `seed ${seed} of ${name}`).toEqual([]);
      promotions += result.promotions;
      leases += result.leases;
    }
    // A protocol that never grants or changes anything would be safe, too.
    expect(promotions).toBeGreaterThan(RUNS / 2);
    expect(leases).toBeGreaterThan(10 * RUNS);
    console.log(`${name}: ${RUNS} runs, ${promotions} promotions, ${leases} leases`);
  },
);

const RULES: readonly LeftOut[] = [
  'wait-for-leases',
  'wait-after-change-lock',
  'wait-after-promote-lock',
  'majority-of-all',
  'promote-lock-stops-leases',
  'change-lock-shortens-leases',
  'lease-from-sending',
  'change-on-lock-session',
  'vote-is-local',
];

test.each(RULES)('without the rule "%s" it happens', { timeout: 120_000 }, (leftOut) => {
  const cluster = { data: 3, witnesses: 0, clients: 3, managers: 2, horizonMs: 30_000 };
  const breaks = (seed: number): boolean => runModel({ ...cluster, seed, leftOut }).violations.length > 0;
  const first = Array.from({ length: 3_000 }, (_, index) => index + 1).find(breaks);
  expect(first).toBeDefined();
});
