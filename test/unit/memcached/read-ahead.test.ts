import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readAhead } from '../../../src/memcached/read-ahead.js';

async function all(lists: AsyncIterable<readonly string[]>): Promise<readonly (readonly string[])[]> {
  const found: (readonly string[])[] = [];
  for await (const keys of lists) found.push(keys);
  return found;
}

/** Lists that count how many were asked for, and whether they were given up. */
function counted(lists: readonly (readonly string[])[]) {
  const seen = { asked: 0, givenUp: false };
  async function* source(): AsyncGenerator<readonly string[]> {
    let whole = false;
    try {
      for (const keys of lists) {
        seen.asked += 1;
        yield keys;
      }
      whole = true;
    } finally {
      seen.givenUp = !whole;
    }
  }
  return { seen, source: source() };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
}

const MANY = Array.from({ length: 2_500 }, (_, number) => [`a${number}`, `ü${number}`]);

test('gives every list in its order, also when the source is far ahead', async () => {
  expect(await all(readAhead(counted(MANY).source))).toEqual(MANY);
  const lists = readAhead(counted(MANY).source);
  const { value: first } = await lists.next();
  await settle();
  expect([first, ...(await all(lists))]).toEqual(MANY);
});

test('leaves out lists without keys', async () => {
  expect(await all(readAhead(counted([[], ['a'], []]).source))).toEqual([['a']]);
});

test('reads on while the caller is busy with the first list', async () => {
  const { seen, source } = counted(MANY);
  const lists = readAhead(source);
  await lists.next();
  await expect.poll(() => seen.asked).toBe(MANY.length);
  await lists.return();
});

test('waits when so much is waiting, and goes on when it was taken', async () => {
  const lists = Array.from({ length: 100 }, () => ['x'.repeat(100)]);
  const { seen, source } = counted(lists);
  const ahead = readAhead(source, 1_000);
  await ahead.next();
  await settle();
  expect(seen.asked).toBeLessThan(20);
  expect((await all(ahead)).length).toBe(99);
});

test('throws what the source throws, after what came before', async () => {
  async function* failing(): AsyncGenerator<readonly string[]> {
    yield ['a'];
    throw new Error('gone');
  }
  const lists = readAhead(failing());
  await settle();
  expect((await lists.next()).value).toEqual(['a']);
  await expect(lists.next()).rejects.toThrow('gone');
});

test('gives the source up when the caller stops', async () => {
  const { seen, source } = counted(MANY.map((keys) => keys.map((key) => key.repeat(100))));
  const lists = readAhead(source, 10_000);
  for await (const _keys of lists) break;
  await expect.poll(() => seen.givenUp).toBe(true);
});
