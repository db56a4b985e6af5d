import { expect, test } from 'vitest';
import { disagreement, type SharedConfig } from '../../../../src/failover/meta/shared-config.js';

const told = (voters: readonly string[], leaseMs = 5_000, handoverMs = 200): SharedConfig => ({
  voters,
  leaseMs,
  handoverMs,
});
const three = told(['db1:3306', 'db2:3306', 'db3:3306']);

test.each([
  ['the same', three],
  ['one voter more', told([...three.voters, 'db4:3306'])],
  ['one voter less', told(['db1:3306', 'db2:3306'])],
])('may run beside each other: %s', (_, other) => {
  expect(disagreement(three, other)).toBeUndefined();
  expect(disagreement(other, three)).toBeUndefined();
});

test.each([
  ['two voters more', told([...three.voters, 'db4:3306', 'db5:3306'])],
  ['another voter', told(['db1:3306', 'db2:3306', 'db4:3306'])],
  ['other names', told(['10.0.0.1:3306', '10.0.0.2:3306', '10.0.0.3:3306'])],
  ['a longer lease', told(three.voters, 60_000)],
  ['another handover', told(three.voters, 5_000, 300)],
])('may not: %s', (_, other) => {
  for (const [mine, theirs] of [
    [three, other],
    [other, three],
  ] as const) {
    const why = disagreement(mine, theirs) ?? '';
    expect(why).toContain(`run with the voters ${theirs.voters.join(', ')}, leaseMs ${theirs.leaseMs}`);
    expect(why).toContain(`told the voters ${mine.voters.join(', ')}, leaseMs ${mine.leaseMs}`);
  }
});

test('every majority of a list has a voter in common with every majority of one that has one voter more', () => {
  for (let count = 1; count <= 9; count += 1) {
    const majority = (of: number): number => Math.floor(of / 2) + 1;
    // At worst the new voter is one of the longer list's majority.
    expect(majority(count) + majority(count + 1) - 1).toBeGreaterThan(count);
    // With two new ones that is not so.
    if (count % 2 === 1) expect(majority(count) + majority(count + 2) - 2).toBeLessThanOrEqual(count);
  }
});
