/** A primary that nobody with a majority reaches takes no writes any more when another one does; and every rule is needed for that. */
import { expect, test } from 'vitest';
import { type LeftOut, runFenceModel } from './fence-model.js';

const RUNS = Number(process.env['STORMLAMP_MODEL_RUNS'] ?? 2_000);

test('the old primary takes no writes when there is another one', { timeout: 300_000 }, () => {
  let promoted = 0;
  let inTime = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const { violations, promotedAt, fencedAt } = runFenceModel({ seed });
    expect(violations, `seed ${seed}`).toEqual([]);
    if (promotedAt === undefined) continue;
    promoted += 1;
    if (fencedAt !== undefined && fencedAt < promotedAt) inTime += 1;
  }
  expect(promoted).toBe(RUNS);
  console.log(`${RUNS} runs, in ${inTime} of them closed before the next one opened`);
});

test('one that is guarded, on a network that loses messages, takes writes for ever', {
  timeout: 300_000,
}, () => {
  for (let seed = 1; seed <= RUNS; seed += 1)
    expect(runFenceModel({ seed, trouble: false }).fencedAt, `seed ${seed}`).toBeUndefined();
});

const RULES: readonly LeftOut[] = ['wait-fence', 'stall-rule', 'guard-freshness', 'renewal-in-time'];

test.each(RULES)(
  'without the rule "%s" it takes writes beside another one',
  { timeout: 120_000 },
  (leftOut) => {
    const breaks = (seed: number): boolean => runFenceModel({ seed, leftOut }).violations.length > 0;
    const first = Array.from({ length: 3_000 }, (_, index) => index + 1).find(breaks);
    expect(first).toBeDefined();
  },
);
