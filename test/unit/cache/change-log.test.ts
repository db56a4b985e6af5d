import { expect, test } from 'vitest';
import { CacheKeys } from '../../../src/cache/cache-keys.js';
import { type CacheChange, ChangeLog } from '../../../src/cache/change-log.js';
import type { SharedLevel } from '../../../src/cache/shared-level.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import type { MemcachedItem, MemcachedNode } from '../../../src/memcached/memcached-node.js';

const CHANGE: CacheChange = { keys: ['user:42'], tags: [] };

/** What the log needs of a memcached node, with room for so many bytes in an item. */
class LogNode {
  readonly #values = new Map<string, Buffer>();
  readonly #room: number;
  /** How many entries from now on cannot be read in time. */
  late = 0;

  constructor(room = 1_000) {
    this.#room = room;
  }

  async get(key: string): Promise<MemcachedItem | null> {
    if (/~log\.\d/.test(key) && this.late > 0) {
      this.late -= 1;
      throw new StormlampError(ErrorCode.TIMEOUT, 'The answer is late');
    }
    const value = this.#values.get(key);
    return value === undefined ? null : { value, flags: 0, cas: 1n };
  }

  async set(key: string, value: Buffer): Promise<void> {
    if (value.length > this.#room) throw new StormlampError(ErrorCode.SESSION_TOO_LARGE, 'It does not fit');
    this.#values.set(key, value);
  }

  async increment(key: string, delta: bigint, { initial }: { readonly initial: bigint }): Promise<bigint> {
    const value = this.#values.get(key);
    const number = value === undefined ? initial : BigInt(value.toString()) + delta;
    this.#values.set(key, Buffer.from(String(number)));
    return number;
  }
}

/** A view of the log of a cache whose calls fail with what a node fails with, and what it was told. */
function viewOn(node: LogNode) {
  const shared = {
    on: (_place: string, _call: unknown, work: (node: MemcachedNode, call: object) => Promise<unknown>) =>
      work(node as unknown as MemcachedNode, {}),
  } as unknown as SharedLevel;
  const told: (CacheChange | undefined)[] = [];
  const log = new ChangeLog(shared, new CacheKeys('cache.'), 200, (change) => void told.push(change));
  return { log, told };
}

test('a change whose entry is late is told by the next look', async () => {
  const node = new LogNode();
  const [writer, reader] = [viewOn(node), viewOn(node)];
  await writer.log.tell({ keys: ['first'], tags: [] });
  await reader.log.look();
  reader.told.length = 0;
  await writer.log.tell(CHANGE);
  node.late = 1;
  await expect(reader.log.look()).rejects.toMatchObject({ code: ErrorCode.TIMEOUT });
  await reader.log.look();
  expect(reader.told).toMatchObject([CHANGE]);
  await reader.log.look();
  expect(reader.told).toHaveLength(1);
});

test('a change that is too long to be told has the others forget everything, and is no error', async () => {
  const node = new LogNode();
  const [writer, reader] = [viewOn(node), viewOn(node)];
  await writer.log.tell(CHANGE);
  await reader.log.look();
  reader.told.length = 0;
  await writer.log.tell({
    keys: [],
    tags: Array.from({ length: 100 }, (_, number) => `a-longer-tag-${number}`),
  });
  await reader.log.look();
  expect(reader.told).toEqual([undefined]);
});

test('a change is told before and after it, and its result is kept before anybody reads again', async () => {
  const { log, told } = viewOn(new LogNode());
  const kept: [string, number][] = [];
  const before = log.version;
  const made = log.carryOut(
    CHANGE,
    async () => 'made',
    (result) => void kept.push([result, log.version]),
  );
  expect(told).toEqual([CHANGE]);
  expect(await made).toBe('made');
  expect(told).toEqual([CHANGE, CHANGE]);
  expect(kept).toEqual([['made', before]]);
  expect(log.version).toBe(before + 1);
});

test('a change that ends with an error is told: it may have happened', async () => {
  const node = new LogNode();
  const [writer, reader] = [viewOn(node), viewOn(node)];
  await writer.log.tell({ keys: ['first'], tags: [] });
  await reader.log.look();
  reader.told.length = 0;
  const late = writer.log.carryOut(CHANGE, async () => {
    throw new StormlampError(ErrorCode.TIMEOUT, 'The answer is late');
  });
  await expect(late).rejects.toMatchObject({ code: ErrorCode.TIMEOUT });
  expect(writer.told).toEqual([CHANGE, CHANGE]);
  await reader.log.look();
  expect(reader.told).toMatchObject([CHANGE]);
});

test('the end of the log waits until what is under way is made and told', async () => {
  const node = new LogNode();
  const [writer, reader] = [viewOn(node), viewOn(node)];
  await writer.log.tell({ keys: ['first'], tags: [] });
  await reader.log.look();
  reader.told.length = 0;
  let release = (): void => undefined;
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  const made = writer.log.carryOut(CHANGE, () => blocked);
  let isClosed = false;
  const closed = writer.log.close().then(() => {
    isClosed = true;
  });
  await new Promise(setImmediate);
  expect(isClosed).toBe(false);
  release();
  await closed;
  await reader.log.look();
  expect(reader.told).toMatchObject([CHANGE]);
  await made;
});
