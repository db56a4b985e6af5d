import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { surelyUnderLock, underLock } from '../../../src/session/under-lock.js';

/** Locks of which the first `losses` turn out to have been lost when they are given back. */
function locks(losses: number) {
  const steps: string[] = [];
  let taken = 0;
  return {
    steps,
    take: async () => {
      taken += 1;
      const number = taken;
      steps.push(`take ${number}`);
      let lost = false;
      return {
        get lost() {
          return lost;
        },
        async release() {
          lost = number <= losses;
          steps.push(`release ${number}`);
        },
      };
    },
  };
}

test('work under a lock that stays ours is done once', async () => {
  const { steps, take } = locks(0);
  expect(await surelyUnderLock(take, async (again) => steps.push(`work, again: ${again}`))).toBe(2);
  expect(steps).toEqual(['take 1', 'work, again: false', 'release 1']);
});

test('work whose lock was lost is done again, under a new lock', async () => {
  const { steps, take } = locks(2);
  await surelyUnderLock(take, async (again) => steps.push(`work, again: ${again}`));
  expect(steps).toEqual([
    'take 1',
    'work, again: false',
    'release 1',
    'take 2',
    'work, again: true',
    'release 2',
    'take 3',
    'work, again: true',
    'release 3',
  ]);
});

test('a lock that is lost every time is an error, never a success', async () => {
  const { steps, take } = locks(Number.POSITIVE_INFINITY);
  await expect(surelyUnderLock(take, async () => 'done')).rejects.toMatchObject({
    code: 'ERR_OUTCOME_UNKNOWN',
  });
  expect(steps.filter((step) => step.startsWith('take'))).toHaveLength(3);
});

test('the lock is given back when the work fails, and the work is not done again', async () => {
  const { steps, take } = locks(3);
  const work = async () => {
    throw new Error('no');
  };
  await expect(surelyUnderLock(take, work)).rejects.toThrow('no');
  await expect(underLock(await take(), work)).rejects.toThrow('no');
  expect(steps).toEqual(['take 1', 'release 1', 'take 2', 'release 2']);
});

test('a lock that was lost and cannot be had again is not told as if nothing had been written', async () => {
  const { take } = locks(1);
  const locked = new StormlampError(ErrorCode.SESSION_LOCKED, 'nothing was written');
  let taken = 0;
  const once = async () => {
    taken += 1;
    if (taken > 1) throw locked;
    return take();
  };
  await expect(surelyUnderLock(once, async () => 'done')).rejects.toMatchObject({
    code: 'ERR_OUTCOME_UNKNOWN',
    cause: locked,
  });
  await expect(surelyUnderLock(once, async () => 'done')).rejects.toBe(locked);
});
