/** What a majority is sure of when this process or the servers are late. Real servers: test/integration/failover-locks.test.ts. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LockTarget } from '../../../../src/failover/locks/lock-session.js';
import { MajorityLock } from '../../../../src/failover/locks/majority-lock.js';
import type { PhysicalConnection } from '../../../../src/mysql/physical-connection.js';

/** A voter whose answers take as long as `delayMs` says at the time of the question; `asked` counts the questions about locks. */
class Voter implements LockTarget {
  delayMs = 1;
  asked = 0;
  readonly voter: string;

  constructor(voter: string) {
    this.voter = voter;
  }

  async connect(): Promise<PhysicalConnection> {
    let lose = (_: Error): void => {};
    const connection = {
      threadId: 1,
      onLost: (listener: (error: Error) => void) => {
        lose = listener;
        return () => undefined;
      },
      destroy: () => lose(new Error('destroyed')),
      ask: async (sql: string) => {
        if (sql.includes('AS held')) this.asked += 1;
        await new Promise((resolve) => setTimeout(resolve, this.delayMs));
        return [{ got: 1, held: 1 }];
      },
    };
    return connection as unknown as PhysicalConnection;
  }
}

let voters: readonly Voter[];
let lock: MajorityLock;
beforeEach(async () => {
  vi.useFakeTimers();
  voters = ['a', 'b', 'c'].map((name) => new Voter(name));
  const taken = MajorityLock.take({ targets: voters, locks: ['l'], waitTimeoutS: 2, timeoutMs: 5_000 });
  await vi.advanceTimersByTimeAsync(10);
  lock = await taken;
});
afterEach(() => {
  void lock.release();
  vi.useRealTimers();
});

test('what is not certain any more is asked for before it is given up', async () => {
  // As after a stall of this process: no timer ran, and no voter was asked.
  const now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => now + 2_500);
  expect(lock.held).toBe(false);
  expect(() => lock.check()).toThrow('are held');
  const sure = lock.ensure();
  await vi.advanceTimersByTimeAsync(5);
  await expect(sure).resolves.toBeUndefined();
  expect(lock.held).toBe(true);
  vi.restoreAllMocks();
});

test('a question that is under way is waited for, not taken for a loss', async () => {
  let lost = false;
  lock.onLost(() => {
    lost = true;
  });
  for (const voter of voters) voter.delayMs = 1_900;
  // The timer asks, and the answers come when nothing is certain any more; whoever asks meanwhile waits for the same answers.
  await vi.advanceTimersByTimeAsync(2_200);
  const asked = voters.map((voter) => voter.asked);
  const sure = lock.ensure();
  expect(voters.map((voter) => voter.asked)).toEqual(asked);
  await vi.advanceTimersByTimeAsync(250);
  await expect(sure).resolves.toBeUndefined();
  expect(lost).toBe(false);
});

test('a question about single voters is always a new one', async () => {
  for (const voter of voters) voter.delayMs = 100;
  await vi.advanceTimersByTimeAsync(505);
  const [first] = voters;
  const before = first?.asked ?? 0;
  const sure = lock.renew(['a']);
  await vi.advanceTimersByTimeAsync(250);
  expect(await sure).toBe(true);
  expect(first?.asked).toBe(before + 1);
});
