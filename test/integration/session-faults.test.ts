/**
 * The short form of `npm run chaos -- memcached-faults`: faults of a memcached node once, under load. Connections that are reset
 * all the time are in the long form alone: nothing is lost then, but some copies stay different until their next write.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { playFault, SESSION_FAULTS } from '../support/session-faults.js';
import { MemcachedServers } from './memcached-servers.js';

let servers: MemcachedServers;
beforeAll(async () => {
  servers = await MemcachedServers.open();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

const FAULTS = SESSION_FAULTS.filter(({ name }) => name !== 'connections reset all the time');

test.each(FAULTS)('$name: every acknowledged change is there, on all copies', async (fault) => {
  const report = await playFault(servers, fault, { sessions: 20, faultMs: 1_200, node: 0 });
  expect(report).toMatchObject({ lost: 0, differing: 0 });
  expect(report.saved).toBeGreaterThan(0);
});
