/** 300 users log out while three processes read their sessions in tight loops, with and without a partition. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemcachedServers } from '../integration/memcached-servers.js';
import { playLogouts } from '../support/session-logout.js';

let servers: MemcachedServers;
beforeAll(async () => {
  servers = await MemcachedServers.open();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

test.each([false, true])('cut off: %s', async (cut) => {
  const report = await playLogouts(servers, { users: 300, cut });
  console.log(JSON.stringify({ cut, ...report }));
  expect(report).toMatchObject({ backAgain: 0, leftInTheEnd: 0, refused: 0 });
});
