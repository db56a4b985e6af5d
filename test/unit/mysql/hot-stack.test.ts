import { expect, test } from 'vitest';
import { HotStack } from '../../../src/mysql/hot-stack.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { PoolSlot } from '../../../src/mysql/pool-slot.js';

const slot = (): PoolSlot => new PoolSlot({} as PhysicalConnection, 0);

test('the last one in is the first one out, while it is hot', () => {
  const stack = new HotStack(10);
  const [a, b] = [slot(), slot()];
  stack.push(a, 0);
  stack.push(b, 5);
  expect(stack.pop(15)).toBe(b);
  expect(stack.pop(15)).toBeUndefined();
  expect(stack.size).toBe(1);
});

test('those that rested are taken out, the oldest first, but for the newest that are to stay', () => {
  const stack = new HotStack(10);
  const slots = [slot(), slot(), slot(), slot()];
  for (const [index, each] of slots.entries()) stack.push(each, index);
  expect(stack.takeRested(12, 3)).toEqual([slots[0]]);
  expect(stack.takeRested(12)).toEqual([slots[1]]);
  expect(stack.takeRested(100)).toEqual([slots[2], slots[3]]);
  expect(stack.takeRested(100)).toEqual([]);
});

test('one can be taken out from anywhere', () => {
  const stack = new HotStack(10);
  const [a, b] = [slot(), slot()];
  stack.push(a, 0);
  stack.push(b, 0);
  stack.remove(a);
  stack.remove(a);
  expect(stack.pop(0)).toBe(b);
  expect(stack.pop(0)).toBeUndefined();
});
