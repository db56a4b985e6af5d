/** The model of the MySQL client over real servers: 100 000 random operations on each kind of servers. */
import { expect, test } from 'vitest';
import { DATABASES } from '../integration/database-matrix.js';
import { runModel } from '../support/mysql-model.js';

const OPERATIONS = Number(process.env['STORMLAMP_CHAOS_OPERATIONS'] ?? 100_000);
const CALLERS = Number(process.env['STORMLAMP_CHAOS_WORKERS'] ?? 12);
const SEED = Number(process.env['STORMLAMP_CHAOS_SEED'] ?? Date.now() % 1_000_000);

test.each(DATABASES)('$name', async (database) => {
  const started = performance.now();
  const result = await runModel({ database, operations: OPERATIONS, callers: CALLERS, seed: SEED });
  const done = Object.values(result.operations).reduce((sum, count) => sum + count, 0);
  expect(done).toBeGreaterThanOrEqual(OPERATIONS);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${database.name}, seed ${SEED}: ${done} operations in ${seconds} s`, result);
});
