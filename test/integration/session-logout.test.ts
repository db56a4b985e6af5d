/** A logout is a logout: nobody who logged out is logged in again, whatever reads meanwhile and whoever is cut off. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { playLogouts } from '../support/session-logout.js';
import { MemcachedServers } from './memcached-servers.js';

let servers: MemcachedServers;
beforeAll(async () => {
  servers = await MemcachedServers.open();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

test.each([
  { cut: false, words: 'with all nodes in reach' },
  { cut: true, words: 'while the process that logs out is cut off from a node' },
])('60 users log out $words', async ({ cut }) => {
  const report = await playLogouts(servers, { users: 60, cut });
  expect(report).toMatchObject({ backAgain: 0, leftInTheEnd: 0, refused: 0 });
  expect(report.loads).toBeGreaterThan(60);
});
