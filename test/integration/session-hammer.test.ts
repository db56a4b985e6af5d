/** The short form of `npm run chaos -- sessions`: nothing that PHP or Node were told had been saved is ever lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type HammerSize, hammerSessions } from '../support/session-hammer.js';

const SHORT: HammerSize = { php: 4, node: 4, sessions: 3, durationMs: 3_000 };

let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
});
afterAll(async () => {
  await servers?.close();
});

test.each(['memcached', 'memcache'] as const)(
  'PHP with the extension %s and Node change the same sessions, and every acknowledged change is there',
  async (handler) => {
    const report = await hammerSessions(servers, handler, SHORT);
    // All of it: what was lost is explained by the trouble that there was.
    expect(report).toMatchObject({ lost: [] });
    expect(report.phpSaved).toBeGreaterThan(10);
    expect(report.nodeSaved).toBeGreaterThan(10);
  },
);

test('the check finds what a writer without the lock destroys', async () => {
  const report = await hammerSessions(
    servers,
    'memcached',
    { ...SHORT, sessions: 1 },
    { conflict: 'last-write-wins' },
  );
  expect(report.lost).not.toEqual([]);
});
