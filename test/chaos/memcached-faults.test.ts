/**
 * Every fault of a memcached node under load, on both nodes and on both versions: no acknowledged change is lost. And what a fill of
 * half a million sessions takes, with what the load beside it notices.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MemcachedServers } from '../integration/memcached-servers.js';
import { expectKept, playFault, SESSION_FAULTS } from '../support/session-faults.js';
import { fillHalfAMillion } from '../support/session-fill.js';

const faultMs = Number(process.env['STORMLAMP_CHAOS_SECONDS'] ?? 4) * 1_000;

describe.each(['system', 'newest'] as const)('memcached of the %s release', (version) => {
  let servers: MemcachedServers;
  beforeAll(async () => {
    servers = await MemcachedServers.open(version);
  });
  afterAll(async () => {
    await servers[Symbol.asyncDispose]();
  });

  describe.each([0, 1])('node %i', (node) => {
    test.each(SESSION_FAULTS)('$name', async (fault) => {
      const report = await playFault(servers, fault, { sessions: 100, faultMs, node });
      console.log(version, node, JSON.stringify(report));
      expectKept(report);
    });
  });

  test('half a million sessions of 2 kB come back to a node that restarted empty', async () => {
    const report = await fillHalfAMillion(servers, 500_000);
    console.log(version, JSON.stringify(report));
    expect(report.missing).toBe(0);
    expect(report.failedLoads).toBe(0);
  });
});
