import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AnswerRoom, type UnreadClient } from '../../../src/gateway/answer-room.js';

let room: AnswerRoom;
let givenUp: string[];
const unread = (name: string): UnreadClient => ({ since: Date.now(), giveUp: () => void givenUp.push(name) });

beforeEach(() => {
  vi.useFakeTimers();
  givenUp = [];
  room = new AnswerRoom(100, { now: () => Date.now() });
});
afterEach(() => void vi.useRealTimers());

/** Asks for `bytes`; tells whether they were given. */
async function enters(bytes: number): Promise<() => Promise<boolean>> {
  let entered = false;
  void room.enter(bytes).then(() => {
    entered = true;
  });
  return async () => {
    await vi.advanceTimersByTimeAsync(0);
    return entered;
  };
}

test('room is given in the order of asking, also to one that wants more than there is', async () => {
  const asked = [await enters(60), await enters(60), await enters(10), await enters(500)];
  const entered = (): Promise<boolean[]> => Promise.all(asked.map((one) => one()));
  expect(await entered()).toEqual([true, false, false, false]);
  room.leave(60);
  expect(await entered()).toEqual([true, true, true, false]);
  room.leave(60);
  room.leave(10);
  expect(await entered()).toEqual([true, true, true, true]);
  room.leave(500);
  expect(room.used).toBe(0);
});

test('who does not read is left alone until others wait, then the largest is given up first', async () => {
  room.wait(unread('small'), 30);
  room.wait(unread('large'), 60);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(givenUp).toEqual([]);
  const entered = await enters(50);
  await vi.advanceTimersByTimeAsync(200);
  expect(givenUp).toEqual(['large']);
  expect(await entered()).toBe(true);
  expect(room.used).toBe(80);
});

test('who has read something within a second is not given up, who then stops is', async () => {
  const first = unread('reader');
  room.wait(first, 90);
  const entered = await enters(50);
  await vi.advanceTimersByTimeAsync(800);
  room.read(first);
  const rest = unread('reader');
  room.wait(rest, 60);
  await vi.advanceTimersByTimeAsync(800);
  expect(givenUp).toEqual([]);
  expect(await entered()).toBe(true);
  await vi.advanceTimersByTimeAsync(400);
  expect(givenUp).toEqual(['reader']);
});

test('answers to single questions count, too', async () => {
  room.wait(unread('one'), 60);
  room.wait(unread('two'), 70);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(givenUp).toEqual(['two']);
  expect(room.used).toBe(60);
});

test('room that is kept for answers which are yet to come closes nobody who has little to read', async () => {
  room.wait(unread('slow'), 40);
  await room.enter(50);
  const entered = await enters(30);
  await vi.advanceTimersByTimeAsync(5_000);
  expect([givenUp, await entered()]).toEqual([[], false]);
  room.leave(50);
  expect(await entered()).toBe(true);
  // What cannot have room beside it while it waits is no such case.
  await enters(70);
  room.leave(30);
  await vi.advanceTimersByTimeAsync(200);
  expect(givenUp).toEqual(['slow']);
});
