/**
 * The short form of `npm run chaos -- memcached-faults`: every fault of one memcached node once, under load; nothing acknowledged is
 * lost but what a node without memory threw out, and all copies are alike in the end.
 */
import { afterAll, beforeAll, test } from 'vitest';
import { expectKept, playFault, SESSION_FAULTS } from '../support/session-faults.js';
import { MemcachedServers } from './memcached-servers.js';

let servers: MemcachedServers;
beforeAll(async () => {
  servers = await MemcachedServers.open();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

test.each(SESSION_FAULTS)('$name: every acknowledged change is there, on every node', async (fault) => {
  const report = await playFault(servers, fault, { sessions: 20, faultMs: 1_200, node: 0 });
  expectKept(report);
});
