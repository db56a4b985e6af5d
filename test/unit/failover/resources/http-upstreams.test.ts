import { expect, test } from 'vitest';
import { createHttpUpstreams } from '../../../../src/failover/resources/http-upstreams.js';

const urls = ['http://a:1', 'http://b:1'];

test('requests go to all, the busy one less, and never to an ejected one', () => {
  const upstreams = createHttpUpstreams({ urls });
  const ejections: string[] = [];
  upstreams.on('upstream-ejected', ({ url }) => ejections.push(url));
  const seen = new Set(Array.from({ length: 50 }, () => upstreams.pick()).map(({ url }) => url));
  expect(seen.size).toBe(2);
  for (let n = 0; n < 200 && ejections.length === 0; n += 1) {
    const ticket = upstreams.pick();
    if (ticket.url === 'http://a:1') ticket.failure();
    else ticket.success();
  }
  expect(ejections).toEqual(['http://a:1']);
  expect(new Set(Array.from({ length: 50 }, () => upstreams.pick().url))).toEqual(new Set(['http://b:1']));
  expect(upstreams.upstreams.map(({ ejected }) => ejected)).toEqual([true, false]);
});

test('the last one is never ejected, and a request may avoid what it tried', () => {
  const upstreams = createHttpUpstreams({ urls });
  for (let n = 0; n < 100; n += 1) upstreams.pick().failure();
  expect(upstreams.upstreams.filter(({ ejected }) => !ejected).length).toBe(1);
  const fresh = createHttpUpstreams({ urls });
  for (let n = 0; n < 20; n += 1) expect(fresh.pick(new Set(['http://a:1'])).url).toBe('http://b:1');
  expect(urls).toContain(fresh.pick(new Set(urls)).url);
});

test('a ticket counts once, and a request that was given up counts for nothing', () => {
  const upstreams = createHttpUpstreams({ urls, consecutiveFailures: 2 });
  const ticket = upstreams.pick();
  for (let n = 0; n < 9; n += 1) ticket.failure();
  for (let n = 0; n < 50; n += 1) upstreams.pick().cancel();
  expect(upstreams.upstreams.some(({ ejected }) => ejected)).toBe(false);
});

test.each([
  [{ urls: [] }, /upstreams.urls/],
  [{ urls: ['http://a', 'http://a'] }, /upstreams.urls/],
  [{ urls: ['ftp://a'] }, /upstreams.urls/],
  [{ urls, baseMS: 1 }, /did you mean `baseMs`/],
  [{ urls, maxEjectedShare: 2 }, /upstreams.maxEjectedShare/],
])('%j is refused by name', (options, message) => {
  expect(() => createHttpUpstreams(options as { urls: string[] })).toThrow(message);
});
