/** 50 PHP processes and 50 Node workers hammer the same sessions for a minute: no acknowledged change is lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type HammerSize, hammerSessions } from '../support/session-hammer.js';

const LONG: HammerSize = {
  php: Number(process.env['STORMLAMP_CHAOS_WORKERS'] ?? 50),
  node: Number(process.env['STORMLAMP_CHAOS_WORKERS'] ?? 50),
  sessions: 10,
  durationMs: Number(process.env['STORMLAMP_CHAOS_SECONDS'] ?? 60) * 1_000,
};

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
    const report = await hammerSessions(servers, handler, LONG);
    const { lost, ...counts } = report;
    console.log(handler, JSON.stringify({ ...counts, lost: lost.length }));
    expect(lost).toEqual([]);
    expect(report.phpSaved).toBeGreaterThan(0);
    expect(report.nodeSaved).toBeGreaterThan(0);
  },
);
