import { once } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { createTieredCache } from '../../../src/cache/create-tiered-cache.js';
import { NODE_DOWN, SharedLevel } from '../../../src/cache/shared-level.js';
import type { TieredCache } from '../../../src/cache/tiered-cache.js';
import { FakeMemcached, FakeMemcachedNode } from '../../../src/testing/fake/fake-memcached.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** msgpack, which is not read. */
const UNREADABLE = 7;

test.each(['missing', 'voided', 'made anew'])(
  'a value that was %s and is removed just before it is stored is not left behind',
  async (what) => {
    const server = new FakeMemcached('cache1:11211');
    const node = new FakeMemcachedNode(server, undefined);
    vi.spyOn(SharedLevel.prototype, 'on').mockImplementation(async (_place, _call, work) => work(node, {}));
    const nodes = ['cache1:11211'];
    await using maker = createTieredCache({ nodes, refreshAt: 0 });
    await using other = createTieredCache({ nodes, pollMs: 1 });
    const options = { tags: ['users'], ttlMs: 3_000 };
    if (what !== 'missing') await maker.set('user', 'old', options);
    if (what === 'voided') await maker.invalidateTags(options.tags);
    let removed: Promise<boolean> | undefined;
    for (const store of ['add', 'set'] as const) {
      const real = node[store].bind(node);
      vi.spyOn(node, store).mockImplementation(async (key, ...rest) => {
        if (key === 'cache.user') {
          removed ??= other.delete('user');
          await removed;
        }
        return await real(key, ...rest);
      });
    }
    await expect
      .poll(async () => {
        if (maker.stats().refreshed === 0) await maker.wrap('user', () => 'outdated', options);
        return maker.stats().made + maker.stats().refreshed;
      })
      .toBe(1);
    await maker.close();
    expect(await other.get('user')).toBeUndefined();
    expect(server.read('cache.user')).toBeUndefined();
  },
);

test('what cannot be read, and comes back when it is removed, is made all the same', async () => {
  const server = new FakeMemcached('cache1:11211');
  const node = new FakeMemcachedNode(server, undefined);
  vi.spyOn(node, 'delete').mockImplementation(async () => 'deleted');
  vi.spyOn(SharedLevel.prototype, 'on').mockImplementation(async (_place, _call, work) => work(node, {}));
  server.write('cache.user', Buffer.from('?'), UNREADABLE, 0);
  await using cache = createTieredCache({ nodes: ['cache1:11211'] });
  expect(await cache.wrap('user', () => ({ name: 'ada' }))).toEqual({ name: 'ada' });
});

/** Two caches of processes that share a node, which may fail to do single operations. */
function fleetOnOneNode() {
  const server = new FakeMemcached('cache1:11211');
  const node = new FakeMemcachedNode(server, undefined);
  vi.spyOn(SharedLevel.prototype, 'on').mockImplementation(
    async (_place, _call, work) => await work(node, {}).catch(() => NODE_DOWN),
  );
  const open = (): TieredCache => createTieredCache({ nodes: ['cache1:11211'], pollMs: 1 });
  return { server, node, maker: open(), other: open() };
}

/** Has the first `times` operations of one kind on `key` fail. */
function failing(
  node: FakeMemcachedNode,
  operation: 'add' | 'delete' | 'getMany',
  key: string,
  times: number,
) {
  let left = times;
  const real = node[operation].bind(node) as (...args: readonly unknown[]) => Promise<never>;
  vi.spyOn(node, operation).mockImplementation(async (...args: readonly unknown[]) => {
    const [first] = [args[0]].flat();
    if (first !== key || left === 0) return await real(...args);
    left -= 1;
    throw new Error('The answer is late');
  });
}

test.each([
  ['getMany', 'cache.user'],
  ['add', 'cache.user~make'],
] as const)(
  'what is made after the node did not answer (%s) is kept in the process alone: nobody could tell that it was removed',
  async (operation, key) => {
    const { server, node, maker, other } = fleetOnOneNode();
    failing(node, operation, key, 1);
    const made = await maker.wrap('user', async () => {
      expect(await other.delete('user')).toBe(true);
      return 'outdated';
    });
    expect(made).toBe('outdated');
    expect(server.read('cache.user')).toBeUndefined();
    await expect.poll(() => maker.get('user')).toBeUndefined();
    failing(node, operation, key, 1);
    expect(await maker.wrap('user', () => 'made')).toBe('made');
    expect(await maker.get('user')).toBe('made');
    expect(server.read('cache.user')).toBeUndefined();
    await Promise.all([maker.close(), other.close()]);
  },
);

test.each([
  [1, true, undefined],
  [2, false, 'outdated'],
])(
  'a delete that could not tell the maker (%d times) does so when the node answers again, or says that it did not',
  async (times, done, left) => {
    const { node, maker, other } = fleetOnOneNode();
    failing(node, 'delete', 'cache.user~make', times);
    await maker.wrap('user', async () => {
      expect(await other.delete('user')).toBe(done);
      return 'outdated';
    });
    await maker.close();
    expect(await other.get('user')).toBe(left);
    await other.close();
  },
);

test('what its maker stored before it could be told is removed', async () => {
  const { server, node, maker, other } = fleetOnOneNode();
  let told = false;
  let removed: Promise<boolean> | undefined;
  const making = new AbortController();
  const removing = new AbortController();
  const [add, remove] = [node.add.bind(node), node.delete.bind(node)];
  vi.spyOn(node, 'add').mockImplementation(async (key, ...rest) => {
    if (key === 'cache.user' && !removing.signal.aborted) await once(removing.signal, 'abort');
    return await add(key, ...rest);
  });
  vi.spyOn(node, 'delete').mockImplementation(async (key, ...rest) => {
    if (key === 'cache.user~make' && !told) {
      told = true;
      throw new Error('The answer is late');
    }
    const done = await remove(key, ...rest);
    if (key !== 'cache.user') return done;
    removing.abort();
    if (!making.signal.aborted) await once(making.signal, 'abort');
    return done;
  });
  const make = (): string => {
    removed = other.delete('user');
    return 'outdated';
  };
  expect(await maker.wrap('user', make)).toBe('outdated');
  expect(server.read('cache.user')).toBeDefined();
  making.abort();
  expect(await removed).toBe(true);
  expect(server.read('cache.user')).toBeUndefined();
  await Promise.all([maker.close(), other.close()]);
});
