import { expect, test } from 'vitest';
import { votedNode } from '../../../../src/failover/protocol/voted-node.js';

test.each([
  ['both replicas of a dead primary', { b: 'a', c: 'a' }, 3, 'a'],
  ['one of two replicas, the other one silent', { b: 'a' }, 3, undefined],
  ['a replica and the witness', { b: 'a', w: 'a' }, 3, 'a'],
  ['half of an even number', { b: 'a', c: 'a' }, 4, undefined],
  [
    'a primary that was switched away, and one replica that was left behind',
    { b: 'b', c: 'a' },
    3,
    undefined,
  ],
  ['a node that is half promoted', { b: null, c: 'a', d: 'a', e: 'a' }, 5, 'a'],
  ['a living primary', { a: 'a', b: 'a', c: 'c' }, 3, 'a'],
  ['votes for nobody', { a: null, b: null, c: null }, 3, undefined],
] as const)('%s', (_, votes, voters, named) => {
  expect(votedNode(new Map(Object.entries(votes)), voters)).toBe(named);
});
