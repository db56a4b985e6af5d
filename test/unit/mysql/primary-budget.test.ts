import { expect, test } from 'vitest';
import { PrimaryBudget } from '../../../src/mysql/primary-budget.js';

test('a limit of 1 lets everything through, a limit of 0 nothing', () => {
  const [all, none] = [new PrimaryBudget(1), new PrimaryBudget(0)];
  for (let read = 0; read < 100; read += 1) {
    expect(all.mayFallBack(read)).toBe(true);
    expect(none.mayFallBack(read)).toBe(false);
  }
});

test('reads of replicas earn a share for the primary', () => {
  const budget = new PrimaryBudget(0.1);
  for (let read = 0; read < 900; read += 1) budget.servedByReplica(0);
  let fallen = 0;
  for (let read = 0; read < 100; read += 1) if (budget.mayFallBack(1)) fallen += 1;
  expect(fallen).toBeGreaterThanOrEqual(90);
  expect(fallen).toBeLessThanOrEqual(100);
});

test('what was long ago counts no more', () => {
  const budget = new PrimaryBudget(0.5);
  for (let read = 0; read < 1000; read += 1) budget.servedByReplica(0);
  let fallen = 0;
  for (let read = 0; read < 100; read += 1) if (budget.mayFallBack(60_000)) fallen += 1;
  expect(fallen).toBeLessThanOrEqual(50);
});
