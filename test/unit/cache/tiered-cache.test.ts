import { afterEach, expect, test, vi } from 'vitest';
import { createTieredCache } from '../../../src/cache/create-tiered-cache.js';
import { SharedLevel } from '../../../src/cache/shared-level.js';
import { FakeMemcached, FakeMemcachedNode } from '../../../src/testing/fake/fake-memcached.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** msgpack, which is not read. */
const UNREADABLE = 7;

test('what cannot be read, and comes back when it is removed, is made all the same', async () => {
  const server = new FakeMemcached('cache1:11211');
  const node = new FakeMemcachedNode(server, undefined);
  vi.spyOn(node, 'delete').mockImplementation(async () => 'deleted');
  vi.spyOn(SharedLevel.prototype, 'on').mockImplementation(async (_place, _call, work) => work(node, {}));
  server.write('cache.user', Buffer.from('?'), UNREADABLE, 0);
  await using cache = createTieredCache({ nodes: ['cache1:11211'] });
  expect(await cache.wrap('user', () => ({ name: 'ada' }))).toEqual({ name: 'ada' });
});
