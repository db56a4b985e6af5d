import { expect, test } from 'vitest';
import { LockSightings } from '../../../src/session/lock-sightings.js';

test('a lock grows old only while it is the very same item', () => {
  const sightings = new LockSightings();
  expect(sightings.heldMs('n lock.a', 7n, 1_000)).toBe(0);
  expect(sightings.heldMs('n lock.a', 7n, 31_000)).toBe(30_000);
  expect(sightings.heldMs('n lock.a', 8n, 61_000)).toBe(0);
  expect(sightings.heldMs('n lock.a', 8n, 62_000)).toBe(1_000);
});

test('a lock that was away in between starts anew', () => {
  const sightings = new LockSightings();
  sightings.heldMs('n lock.a', 7n, 0);
  expect(sightings.heldMs('n lock.a', undefined, 30_000)).toBe(0);
  expect(sightings.heldMs('n lock.a', 7n, 60_000)).toBe(0);
});

test('locks are told apart by their places, and a node can be forgotten', () => {
  const sightings = new LockSightings();
  sightings.heldMs('n1 lock.a', 7n, 0);
  sightings.heldMs('n2 lock.a', 7n, 5_000);
  sightings.forget('n1 ');
  expect(sightings.heldMs('n1 lock.a', 7n, 10_000)).toBe(0);
  expect(sightings.heldMs('n2 lock.a', 7n, 10_000)).toBe(5_000);
});

test('no more than the given number of locks is remembered; the oldest goes first', () => {
  const sightings = new LockSightings(2);
  for (const [index, name] of ['a', 'b', 'c'].entries()) sightings.heldMs(name, 1n, index);
  expect(sightings.heldMs('b', 1n, 100)).toBe(99);
  expect(sightings.heldMs('c', 1n, 100)).toBe(98);
  expect(sightings.heldMs('a', 1n, 100)).toBe(0);
});
