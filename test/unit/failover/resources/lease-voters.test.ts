/** What a lease says about voters that it cannot ask. Real servers: test/integration/resources.test.ts. */
import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import type { LockTarget } from '../../../../src/failover/locks/lock-session.js';
import {
  LeaderLease,
  type LeaderLeaseEvents,
  startLeaderLease,
} from '../../../../src/failover/resources/leader-lease.js';
import { checkVoters } from '../../../../src/failover/resources/lease-voters.js';

/** A voter that lets nobody in, for a reason. */
function voter(name: string, code: ErrorCode, onConnect = (): void => {}): LockTarget {
  const error = new StormlampError(code, `Node ${name} says ${code}`, { node: name });
  return {
    voter: name,
    connect: async () => {
      onConnect();
      throw error;
    },
  };
}

const [DENIED, AWAY] = [ErrorCode.ACCESS_DENIED, ErrorCode.NODE_UNREACHABLE];

test.each([
  [[DENIED, DENIED, AWAY], '2 of 3 voters refuse the account'],
  [[DENIED, DENIED, AWAY, AWAY], '2 of 4 voters refuse the account'],
  [[DENIED, AWAY, AWAY], undefined],
  [[AWAY, AWAY, AWAY], undefined],
])('an account that leaves no majority is refused at the start: %j', async (codes, message) => {
  const voters = codes.map((code, index) => voter(`db${index}`, code));
  const checked = checkVoters(voters, 'test').catch((error: unknown) => error);
  if (message === undefined) expect(await checked).toBeUndefined();
  else {
    expect(await checked).toMatchObject({ code: DENIED, node: 'db0' });
    expect(String(await checked)).toContain(message);
    expect(String(await checked)).toContain('Node db1 says');
  }
});

test('voters that cannot be asked are told once, with the reason', async () => {
  let asked = 0;
  const lease = new LeaderLease({
    name: 'job',
    cluster: 'test',
    targets: [voter('db3', AWAY, () => (asked += 1)), voter('db1', DENIED), voter('db2', AWAY)],
    resource: { acquired: () => undefined, lost: () => undefined },
    leaseMs: 2_000,
  });
  const told: LeaderLeaseEvents['voters-missing'][] = [];
  lease.on('voters-missing', (event) => told.push(event));
  lease.start();
  await expect.poll(() => asked).toBeGreaterThan(2);
  expect(told).toHaveLength(1);
  expect(told[0]).toEqual({
    name: 'job',
    isMajority: false,
    missing: [
      { voter: 'db1', why: 'Node db1 says ERR_ACCESS_DENIED' },
      { voter: 'db2', why: 'Node db2 says ERR_NODE_UNREACHABLE' },
      { voter: 'db3', why: 'Node db3 says ERR_NODE_UNREACHABLE' },
    ],
  });
  await lease.close();
});

const start = (name: string, cluster: string): Promise<LeaderLease> =>
  startLeaderLease({
    name,
    cluster,
    voters: ['mysql://a', 'mysql://b', 'mysql://c'],
    resource: {
      check: () => Promise.reject(new Error('the names are good')),
      acquired: () => undefined,
      lost: () => undefined,
    },
  });

test('names that are too long for a lock of MySQL are refused', async () => {
  await expect(start('n'.repeat(22), 'c'.repeat(32))).rejects.toThrow(
    'Expected `lease.name` to be at most 21 characters with this `cluster`',
  );
  await expect(start('n'.repeat(21), 'c'.repeat(32))).rejects.toThrow('the names are good');
  await expect(start('n'.repeat(32), 'c'.repeat(21))).rejects.toThrow('the names are good');
});

test.each(["shop'", 'my shop', 'c'.repeat(33)])('%j is no name of a cluster', async (cluster) => {
  await expect(start('job', cluster)).rejects.toThrow('Expected `lease.cluster` to be at most 32 letters');
});
