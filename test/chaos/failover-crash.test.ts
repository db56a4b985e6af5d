/**
 * The process that makes a change is killed after every single step of every kind of plan; another one finishes or undoes it.
 * STORMLAMP_CHAOS_ONLY names kinds of plans, STORMLAMP_CHAOS_STEPS steps, STORMLAMP_CHAOS_SERVER a part of the server's name.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { DATABASES } from '../integration/database-matrix.js';
import { table } from '../support/chaos-report.js';
import {
  type CrashResult,
  crashAtStep,
  crashInFailover,
  crashInForcedFailover,
  crashInRejoin,
} from '../support/crash-at-step.js';
import { World } from '../support/failover-world.js';
import { wanted } from '../support/scenarios.js';

const PROMOTE = [
  'renew',
  'stop-receiving',
  'assert-applied',
  'stop-replication',
  'forget-source',
  'epoch',
  'take-writes',
  'verify-writes',
  'follow-0',
  'start-replication',
  'release',
];
const PLANS = [
  {
    kind: 'switchover',
    crash: crashAtStep,
    steps: [
      'lock-change',
      'look-again',
      'begin',
      'position',
      'drain',
      'wait-leases',
      'lock-promote',
      'wait-writers',
      'refuse-writes',
      'final-position',
      'same-position',
      'wait-handover',
      ...PROMOTE,
    ],
  },
  {
    kind: 'failover',
    crash: crashInFailover,
    steps: [
      'lock-change',
      'look-again',
      'freeze',
      'confirm',
      'assert-complete',
      'wait-handover',
      'drain',
      'confirm-again',
      ...PROMOTE,
      'begin',
    ],
  },
  {
    // After `epoch` the old primary may have what nobody else has, and is left: that step is in test/integration.
    kind: 'forced-failover',
    crash: crashInForcedFailover,
    steps: [
      'lock-change',
      'look-again',
      'unlogged',
      'home',
      'table',
      'note',
      'refuse-writes',
      'freeze',
      'confirm',
      'assert-complete',
      'wait-handover',
      'drain',
      'confirm-again',
      'renew',
      'stop-receiving',
      'assert-applied',
      'stop-replication',
      'forget-source',
    ],
  },
  {
    kind: 'rejoin',
    crash: crashInRejoin,
    steps: ['lock-change', 'look-again', 'wait-handover', 'follow-0', 'start-replication', 'release'],
  },
] as const;
const rows: (string | number)[][] = [];

afterAll(() => {
  const text = table(
    ['server', 'plan', 'killed after', 'died there', 'longest time without a write', 'lost', 'doubled'],
    rows,
  );
  console.log(text);
});

const SERVERS = DATABASES.filter(({ name }) => name.includes(process.env['STORMLAMP_CHAOS_SERVER'] ?? ''));
const CASES = SERVERS.flatMap(({ name: server, options }) =>
  PLANS.map((plan) => ({ server, options, ...plan })),
);

describe.each(CASES)('$server, $kind', ({ server, options, kind, crash, steps }) => {
  test.skipIf(!wanted(kind))('killed after every step', async () => {
    // Every failover here is the first one.
    await using world = await World.open({ ...options, failover: { blockMs: 0 } });
    const only = process.env['STORMLAMP_CHAOS_STEPS']?.split(',');
    const tried = steps.filter((each) => only?.includes(each) ?? true);
    for (const step of tried) {
      const result: CrashResult = await crash(world.servers, world.fleet, { step, phase: 'finished' });
      const { died, outageMs, verdict } = result;
      rows.push([
        server,
        kind,
        step,
        died ? 'yes' : 'no',
        `${Math.round(outageMs)} ms`,
        verdict.lost.length,
        verdict.doubled.length,
      ]);
      console.log(rows.at(-1)?.join(' '));
      expect(verdict, step).toMatchObject({ lost: [], doubled: [], resurrected: [], torn: [] });
    }
    // The rejoin is of replicas whose source was taken away.
    await world.finish(kind === 'rejoin' ? { hadSource: () => false } : {});
    // The killing worked: nearly every process died where it was to.
    const died = rows.filter(
      ([on, plan, , there]) => on === server && plan === kind && there === 'yes',
    ).length;
    expect(died).toBeGreaterThanOrEqual(tried.length - 2);
  });
});
