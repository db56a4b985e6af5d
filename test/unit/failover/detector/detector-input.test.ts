import { expect, test } from 'vitest';
import { hasLostMajority, lacksMajority } from '../../../../src/failover/detector/detector-input.js';

test.each([
  ['nobody was asked yet', { total: 3, reachable: 0, unasked: 3 }, false, true],
  ['those that were not asked may still make it', { total: 3, reachable: 1, unasked: 1 }, false, true],
  ['they cannot make it any more', { total: 3, reachable: 0, unasked: 1 }, true, true],
  ['all were asked and too few answer', { total: 3, reachable: 1 }, true, true],
  ['a majority answers', { total: 3, reachable: 2 }, false, false],
  ['half of an even number is none', { total: 4, reachable: 2 }, true, true],
  ['no voters are asked for', undefined, false, false],
] as const)('%s', (_, voters, lost, lacks) => {
  expect(hasLostMajority(voters)).toBe(lost);
  expect(lacksMajority(voters)).toBe(lacks);
});
