import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import type { MemcachedItem, MemcachedNode } from '../../../src/memcached/memcached-node.js';
import { giveBackStray } from '../../../src/session/stray-lock.js';

type Answer = string | null | 'silent' | 'closed';

/** Seeks the lock of `ours` on a node that gives these answers one after the other; what it gave back, and how often it looked. */
async function seek(
  answers: readonly Answer[],
  { lifeMs = 60_000, refusals = 0 } = {},
): Promise<{ given: string[]; looks: number }> {
  const given: string[] = [];
  let looks = 0;
  const node = {
    async get(): Promise<MemcachedItem | null> {
      const answer = answers[Math.min(looks, answers.length - 1)];
      looks += 1;
      if (answer === 'silent') throw new StormlampError(ErrorCode.TIMEOUT, 'no answer');
      if (answer === 'closed') throw new StormlampError(ErrorCode.CLOSED, 'closed');
      return answer === null || answer === undefined
        ? null
        : { value: Buffer.from(answer), flags: 0, cas: BigInt(looks) };
    },
  };
  await giveBackStray({
    node: node as object as MemcachedNode,
    key: 'k',
    isOurs: (value) => value.equals(Buffer.from('ours')),
    lifeMs,
    giveBack: async ({ value, cas }) => {
      given.push(`${value} ${cas}`);
      // Somebody who waits has changed it meanwhile.
      return given.length > refusals;
    },
  });
  return { given, looks };
}

test.each<[Answer[], string[], number]>([
  [['ours'], ['ours 1'], 1],
  [['silent', 'ours'], ['ours 2'], 2],
  // It may be set a moment after the node answers again.
  [[null, 'ours'], ['ours 2'], 2],
  [['theirs', 'theirs'], [], 2],
  [['our', 'ours too'], [], 2],
  [[null, null], [], 2],
  [['closed'], [], 1],
])('on a node that answers %j it gives back %j', async (answers, given, looks) => {
  expect(await seek(answers)).toEqual({ given, looks });
});

test('it is not sought for longer than it can be there', async () => {
  const { given, looks } = await seek(['silent'], { lifeMs: 120 });
  expect(given).toEqual([]);
  expect(looks).toBeLessThan(10);
});

test('one that was changed between look and unlock is looked at again', async () => {
  expect(await seek(['ours'], { refusals: 2 })).toEqual({ given: ['ours 1', 'ours 2', 'ours 3'], looks: 3 });
});
