import { expect, test } from 'vitest';
import { Waiters } from '../../../src/common/waiters.js';

test('a change wakes everybody who waits, and nobody who comes later', async () => {
  const waiters = new Waiters();
  const woken: string[] = [];
  const wait = async (name: string): Promise<void> => {
    await waiters.wait();
    woken.push(name);
  };
  const both = Promise.all([wait('a'), wait('b')]);
  waiters.wake();
  const late = wait('late');
  await both;
  expect(woken).toEqual(['a', 'b']);
  waiters.wake();
  await late;
  expect(woken).toEqual(['a', 'b', 'late']);
});
