/** A short run of the model; `npm run chaos -- mysql-model` is the long one. */
import { expect, test } from 'vitest';
import { judgeRoute, runModel } from '../support/mysql-model.js';

test.each(['mariadb', 'mysql'] as const)(
  'random operations of many callers do what their models say, on %s',
  async (flavor) => {
    const seed = Number(process.env['STORMLAMP_MODEL_SEED'] ?? Date.now() % 1_000_000);
    const { sent } = await runModel({ flavor, operations: 2_000, callers: 12, seed });
    expect(sent['primary']).toBeGreaterThan(0);
    expect(sent['replica']).toBeGreaterThan(0);
  },
  300_000,
);

test('the judge of routes sees a write that goes astray', () => {
  const event = { node: 'db2:3306', because: '' };
  const astray = { ...event, kind: 'write', role: 'replica', sql: 'INSERT INTO t (v) VALUES (?)' };
  expect(() => judgeRoute(astray)).toThrow(/write on replica db2:3306/);
  expect(() => judgeRoute({ ...astray, sql: 'CREATE TEMPORARY TABLE tmp0 (i INT)' })).toThrow();
  expect(() => judgeRoute({ ...astray, role: 'primary' })).not.toThrow();
  expect(() => judgeRoute({ ...event, kind: 'read', role: 'replica', sql: 'SELECT 1' })).not.toThrow();
});
