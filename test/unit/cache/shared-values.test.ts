import { expect, test } from 'vitest';
import { CacheKeys } from '../../../src/cache/cache-keys.js';
import { resolveCacheOptions } from '../../../src/cache/cache-options.js';
import { CacheTags } from '../../../src/cache/cache-tags.js';
import { markedValue } from '../../../src/cache/marked-value.js';
import type { SharedLevel } from '../../../src/cache/shared-level.js';
import { SharedValues } from '../../../src/cache/shared-values.js';
import type { CacheVersion } from '../../../src/cache/store-over.js';
import type { NotedGenerations } from '../../../src/cache/tag-note.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import type { MemcachedNode, StoreOptions, StoreResult } from '../../../src/memcached/memcached-node.js';
import { FakeMemcached, FakeMemcachedNode } from '../../../src/testing/fake/fake-memcached.js';

const MINUTE = 60_000;
const PLAN = { ttlMs: MINUTE, negativeTtlMs: 0, tags: ['posts'] };
const OPTIONS = resolveCacheOptions({ nodes: ['cache1:11211'] });

/** A client of which every store of a note waits, or that takes no note. */
class NotesNode extends FakeMemcachedNode {
  /** What is waited for before a note is stored. */
  noting: Promise<unknown> = Promise.resolve();
  /** Whether notes are larger than the node takes. */
  refusesNotes = false;

  constructor(server: FakeMemcached) {
    super(server, undefined);
  }

  override async set(key: string, value: Buffer, options: StoreOptions): Promise<StoreResult> {
    await this.#beforeNote(key);
    return await super.set(key, value, options);
  }

  override async add(key: string, value: Buffer, options: StoreOptions): Promise<StoreResult> {
    await this.#beforeNote(key);
    return await super.add(key, value, options);
  }

  async #beforeNote(key: string): Promise<void> {
    if (!key.endsWith('~tags')) return;
    await this.noting;
    if (this.refusesNotes) throw new StormlampError(ErrorCode.SESSION_TOO_LARGE, 'It does not fit');
  }
}

/** One process's view of the values on a server. */
function processOn(server: FakeMemcached) {
  const node = new NotesNode(server);
  const shared = {
    on: (_place: string, _call: unknown, work: (node: MemcachedNode, call: object) => Promise<unknown>) =>
      work(node, {}),
  } as unknown as SharedLevel;
  const keys = new CacheKeys('cache.');
  const tags = new CacheTags(shared, keys);
  const values = new SharedValues(shared, keys, tags, OPTIONS.format.maxBytes);
  const writeWith = async (
    value: string,
    generations: NotedGenerations,
    over: CacheVersion | 'anything' = 'anything',
  ): Promise<string> =>
    (await values.write('page', markedValue(value, PLAN, OPTIONS), MINUTE, generations, over)).status;
  return {
    node,
    tags,
    writeWith,
    write: async (value: string, over?: CacheVersion | 'anything'): Promise<string> =>
      await writeWith(value, (await tags.generations(PLAN.tags)) ?? {}, over),
    read: async (): Promise<(string | undefined)[]> => {
      const found = [await values.read('page', PLAN.tags), await values.read('page', [])];
      return found.map((one) => (typeof one === 'symbol' ? 'down' : one.value?.value.toString()));
    },
  };
}

function held(): { readonly until: Promise<void>; readonly release: () => void } {
  let release = (): void => undefined;
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { until, release };
}

test.each([
  [undefined, 'first'],
  [undefined, 'second'],
  ['before', 'first'],
  ['before', 'second'],
] as const)(
  'over %s two stores with tags at a time leave the later one, noted by the %s before the other',
  async (before, faster) => {
    const server = new FakeMemcached('cache1:11211');
    const [first, second] = [processOn(server), processOn(server)];
    if (before !== undefined) await first.write(before);
    const holds = { first: held(), second: held() };
    first.node.noting = holds.first.until;
    second.node.noting = holds.second.until;
    const writes = { first: first.write('first'), second: second.write('second') };
    await expect.poll(() => server.read('cache.page')?.value.toString()).toBe('second');
    holds[faster].release();
    await writes[faster];
    holds.first.release();
    holds.second.release();
    expect(await Promise.all([writes.first, writes.second])).toEqual(['stored', 'stored']);
    expect(await first.read()).toEqual(['second', 'second']);
    await second.tags.renew('posts');
    expect(await first.read()).toEqual([undefined, undefined]);
  },
);

test('a note of a version that is there no more keeps no value from being noted', async () => {
  const server = new FakeMemcached('cache1:11211');
  const process = processOn(server);
  server.write('cache.page~tags', Buffer.from(`{"of":"${2n ** 63n}","tags":[]}`), 0, 0);
  expect(await process.write('value')).toBe('stored');
  expect(await process.read()).toEqual(['value', 'value']);
});

test.each(['anything', 'nothing', 'what was there'])(
  'a value over %s whose note does not fit is left to nobody',
  async (what) => {
    const server = new FakeMemcached('cache1:11211');
    const process = processOn(server);
    if (what !== 'nothing') await process.write('old');
    const seen = server.read('cache.page')?.cas ?? 'nothing';
    process.node.refusesNotes = true;
    expect(await process.write('new', what === 'anything' ? what : seen)).toBe('too-large');
    expect(server.read('cache.page')).toBeUndefined();
  },
);

test.each([
  ['more', 10_001, 't'],
  ['longer', 5_000, 'a'.repeat(200)],
])(
  'a value with %s tags than anybody reads is not stored, however much its node takes',
  async (_, length, prefix) => {
    const server = new FakeMemcached('cache1:11211');
    const process = processOn(server);
    await process.write('old');
    const names = Array.from({ length }, (_, number) => `${prefix}${number}`);
    const generations = Object.fromEntries(names.map((name) => [name, 'a'.repeat(16)]));
    expect(await process.writeWith('new', generations)).toBe('too-large');
    expect(server.read('cache.page')).toBeUndefined();
  },
);
