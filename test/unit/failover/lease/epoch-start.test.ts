import { expect, test } from 'vitest';
import { tookEverything } from '../../../../src/failover/lease/epoch-start.js';

const switchover = { epoch: 5, kind: 'switchover', from: 'db1' };
test.each([
  ['the next epoch was begun by a switchover from it', 4, switchover, true],
  ['it was a failover', 4, { ...switchover, kind: 'failover' }, false],
  ['another change was between', 3, switchover, false],
  ['it came from another node', 4, { ...switchover, from: 'db2' }, false],
  ['the epoch before is not known', undefined, switchover, false],
  ['nothing is known', 4, undefined, false],
] as const)('%s', (_, before, after, took) => {
  expect(tookEverything('db1', before, after)).toBe(took);
});
