import { afterEach, expect, test, vi } from 'vitest';
import { createTieredCache } from '../../../src/cache/create-tiered-cache.js';
import { SharedLevel } from '../../../src/cache/shared-level.js';
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
