import { expect, test } from 'vitest';
import { inFlight } from '../../../src/common/in-flight.js';

/** Lets everything happen that waits for nothing else. */
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

test('works on so many at a time, in their order, and on each once', async () => {
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await inFlight(Array.from({ length: 20 }, (_, index) => index).values(), 3, async (item) => {
    begun.push(item);
    running += 1;
    most = Math.max(most, running);
    await turn();
    running -= 1;
  });
  expect(begun).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(most).toBe(3);
});

test('begins none after an error, and throws it when the others have ended', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const failing = inFlight([0, 1, 2, 3, 4], 2, async (item) => {
    begun.push(item);
    if (item === 0) throw new Error('no');
    for (let turns = 0; turns < 5; turns += 1) await turn();
    ended.push(item);
  });
  await expect(failing).rejects.toThrow('no');
  expect({ begun, ended }).toEqual({ begun: [0, 1], ended: [1] });
});

test('nothing to do is done', async () => {
  await inFlight([], 4, () => Promise.reject(new Error('no')));
});

test('an error that is undefined is one', async () => {
  await expect(inFlight([1], 1, () => Promise.reject(undefined))).rejects.toBeUndefined();
});
