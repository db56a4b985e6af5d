import { expect, test } from 'vitest';
import { CacheKeys } from '../../../src/cache/cache-keys.js';
import { CacheTags } from '../../../src/cache/cache-tags.js';
import type { SharedLevel } from '../../../src/cache/shared-level.js';
import type { MemcachedNode } from '../../../src/memcached/memcached-node.js';
import { FakeMemcached, FakeMemcachedNode } from '../../../src/testing/fake/fake-memcached.js';

function tagsOn(server: FakeMemcached): CacheTags {
  const node = new FakeMemcachedNode(server, undefined);
  const shared = {
    on: (_place: string, _call: unknown, work: (node: MemcachedNode, call: object) => Promise<unknown>) =>
      work(node, {}),
  } as unknown as SharedLevel;
  return new CacheTags(shared, new CacheKeys('cache.'));
}

test.each([
  ['4b3403665fea6.92841', 'uniqid with more entropy'],
  ['a:1:{i:0;i:1;}', 'an array'],
  ['', 'an empty text'],
  ['x'.repeat(33), 'a long text'],
])('a tag that PHP gave %j (%s) is void once, and has a generation after that', async (text) => {
  const server = new FakeMemcached('cache1:11211');
  const [one, other] = [tagsOn(server), tagsOn(server)];
  const before = await one.generations(['posts']);
  server.write('cache.~tag.posts', Buffer.from(text), 0, 0);
  const after = await one.generations(['posts']);
  expect(after?.posts).toMatch(/^[\w-]{16}$/);
  expect(after).not.toEqual(before);
  expect(await other.generations(['posts'])).toEqual(after);
});
