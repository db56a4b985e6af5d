/** The process that changes the primary is killed in the middle: another one finishes or undoes what it left. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { AppFleet } from '../support/app-fleet.js';
import { type CrashPoint, crashAtStep } from '../support/crash-at-step.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let fleet: AppFleet;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
  fleet = await AppFleet.open(servers);
  const mysql = { blockMs: 60_000 };
  for (const name of ['a', 'b']) {
    await fleet.start({ name, writers: 2, mysql, failover: { leaseMs: 3_000, host: name } });
  }
  await eventually(
    'everybody writes',
    () => fleet.operations().filter(({ outcome }) => outcome === 'acknowledged').length > 30,
    60_000,
  );
});
afterAll(async () => {
  await fleet?.close();
  await servers?.close();
});

/** With writes refused everywhere, which is undone; and with nobody following yet, which is finished. All others: test/chaos. */
const POINTS: readonly CrashPoint[] = [
  { step: 'final-position', phase: 'finished' },
  { step: 'verify-writes', phase: 'finished' },
];

test.each(POINTS)('killed when $step has $phase', { timeout: 600_000 }, async (point) => {
  const result = await crashAtStep(servers, fleet, point);
  console.log(JSON.stringify({ ...result, verdict: { ...result.verdict } }));
  expect(result.verdict).toMatchObject({ lost: [], doubled: [], resurrected: [], torn: [] });
});
