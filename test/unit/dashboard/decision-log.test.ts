import { expect, test } from 'vitest';
import { DecisionLog } from '../../../src/dashboard/decision-log.js';

const route = { kind: 'read', node: 'db2', role: 'replica', because: '' };

test('the same decision is counted, the newest is first, values are not kept', () => {
  const log = new DecisionLog();
  log.add({ ...route, sql: "SELECT 1 FROM t WHERE a = 'x'" }, 1);
  log.add(
    {
      ...route,
      sql: 'UPDATE t SET a = 2',
      kind: 'write',
      node: 'db1',
      role: 'primary',
      because: 'it is a write',
    },
    2,
  );
  log.add({ ...route, sql: "SELECT 7 FROM t WHERE a = 'y'" }, 3);
  expect(log.newest).toEqual([
    { ...route, sql: 'SELECT ? FROM t WHERE a = ?', count: 2, at: 3 },
    {
      sql: 'UPDATE t SET a = ?',
      kind: 'write',
      node: 'db1',
      role: 'primary',
      because: 'it is a write',
      count: 1,
      at: 2,
    },
  ]);
});

test('it is bounded', () => {
  const log = new DecisionLog();
  for (let n = 0; n < 500; n += 1) log.add({ ...route, sql: `SELECT a FROM t${'x'.repeat(n % 100)}` }, n);
  expect(log.newest.length).toBe(40);
});
