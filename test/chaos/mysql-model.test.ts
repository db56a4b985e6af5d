/** The model of the MySQL client over real servers: 100 000 random operations, shared between both families. */
import { expect, test } from 'vitest';
import { runModel } from '../support/mysql-model.js';

const OPERATIONS = Number(process.env['STORMLAMP_CHAOS_OPERATIONS'] ?? 100_000);
const CALLERS = Number(process.env['STORMLAMP_CHAOS_WORKERS'] ?? 12);
const SEED = Number(process.env['STORMLAMP_CHAOS_SEED'] ?? Date.now() % 1_000_000);

test.each(['mariadb', 'mysql'] as const)('%s', async (flavor) => {
  const started = performance.now();
  const result = await runModel({ flavor, operations: OPERATIONS / 2, callers: CALLERS, seed: SEED });
  const done = Object.values(result.operations).reduce((sum, count) => sum + count, 0);
  expect(done).toBeGreaterThanOrEqual(OPERATIONS / 2);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${flavor}, seed ${SEED}: ${done} operations in ${seconds} s`, result);
});
