/** The primary dies under load: another node takes over by itself, and what comes back is told apart. Freezes are in test/chaos. */
import { afterEach, expect, test } from 'vitest';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import { frozenIn } from '../../src/failover/plan/frozen-replicas.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { AppFleet, now } from '../support/app-fleet.js';
import { relayLogSins } from '../support/relay-log-sins.js';
import { eventually } from './eventually.js';

/** Shorter than the default, and still good on a machine that is busy with other things. */
const FAST = { leaseMs: 3_000 };
const SEMI_SYNC = [
  '--rpl-semi-sync-slave-enabled=1',
  '--rpl-semi-sync-master-wait-point=AFTER_SYNC',
  '--rpl-semi-sync-master-timeout=600000',
];
const TIMEOUT = { timeout: 600_000 };

let servers: LocalCluster | undefined;
let fleet: AppFleet | undefined;
afterEach(async () => {
  await fleet?.close();
  await servers?.close();
});

async function begin(): Promise<[LocalCluster, AppFleet]> {
  servers = await startLocalCluster({ php: false, memcached: 0, serverArgs: { mysql: SEMI_SYNC } });
  fleet = await AppFleet.open(servers);
  // Not before the replicas are there: nothing could be committed.
  await servers.primary.query('SET GLOBAL rpl_semi_sync_master_enabled=1');
  const apps = fleet;
  const mysql = { blockMs: 60_000 };
  await Promise.all(
    ['a', 'b'].map((name) =>
      apps.start({
        name,
        writers: 2,
        mysql,
        failover: { ...FAST, host: name, maxLoss: 'none' },
      }),
    ),
  );
  await eventually(
    'somebody is elected, and everybody writes',
    () => {
      const acknowledged = apps.operations().filter(({ outcome }) => outcome === 'acknowledged').length;
      return apps.event('leadership-changed', 0) !== undefined && acknowledged > 50;
    },
    60_000,
  );
  return [servers, fleet];
}

async function takenOver(
  apps: AppFleet,
  cluster: LocalCluster,
  since: number,
): Promise<[FailoverPlan, LocalDatabaseNode]> {
  const done = await eventually(
    'another node takes over',
    () =>
      apps.event('change-done', since, ({ detail }) => (detail['plan'] as FailoverPlan).kind === 'failover'),
    // On a machine that is starved of CPU every process distrusts itself again and again, and does not act then.
    240_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${apps.story(since)}`);
  });
  const plan = done.detail['plan'] as FailoverPlan;
  for (const { app, event, at, detail } of apps.events)
    if (at >= since && /aborted|blocked|leadership/.test(event))
      console.log(Math.round(at - since), app, event, JSON.stringify(detail).slice(0, 400));
  await eventually('writes go on', () => apps.acknowledgedAfter(done.at) > 0, 60_000);
  const next = cluster.databases.find(({ id }) => id === plan.to);
  if (next === undefined) throw new Error('the new primary is unknown');
  return [plan, next];
}

test(
  'SIGKILL with semi-synchronous replication: nothing acknowledged is lost, and the old primary becomes a replica',
  TIMEOUT,
  async () => {
    const [cluster, apps] = await begin();
    const old = cluster.primary;
    const since = now();
    await old.kill();
    const [plan, next] = await takenOver(apps, cluster, since);
    expect(plan).toMatchObject({
      from: old.id,
      reason: 'dead-primary',
      loss: { known: true, transactions: 0 },
    });
    const [noted] = await next.query<{ details: string }>(
      'SELECT details FROM ha_meta.operation WHERE op_id=?',
      [plan.opId],
    );
    const others = cluster.databases.filter(({ id }) => id !== old.id);
    expect(frozenIn(noted?.details ?? '')).toMatchObject({
      replicas: Object.fromEntries(
        others.map(({ id }) => [id, { received: expect.stringMatching(/-\d+/), acknowledges: true }]),
      ),
      commitWaits: { acknowledgers: 2, waitFor: 1, timeoutMs: 600_000, afterSync: true },
    });
    console.log('first acknowledged write after', Math.round(apps.longestGapMs(since)), 'ms');
    await apps.stopWriters();
    const verdict = await apps.verdict(next);
    console.log({ ...verdict });
    expect(verdict).toMatchObject({ lost: [], doubled: [], resurrected: [], torn: [] });
    await old.start();
    // It has nothing of its own, or it has what nobody was told about: then it is left alone.
    await eventually(
      'the old primary follows, or is found to differ',
      async () => {
        if (apps.event('node-diverged', since) !== undefined) return true;
        const [status] = await old.query('SHOW SLAVE STATUS');
        return status?.['Slave_IO_Running'] === 'Yes' && status['Slave_SQL_Running'] === 'Yes';
      },
      60_000,
    );
    const [{ writable } = { writable: 1 }] = await old.query<{ writable: number }>(
      'SELECT @@global.read_only=0 AS writable',
    );
    expect(Number(writable)).toBe(0);
    const sent = apps.events.filter(({ event }) => event === 'statement');
    expect(relayLogSins(sent, (node) => node !== old.id)).toEqual([]);
  },
);

test(
  'no replica receives when the primary dies, as a process leaves them that dies in the midst of a failover: another one fails over',
  TIMEOUT,
  async () => {
    const [cluster, apps] = await begin();
    const since = now();
    await Promise.all(cluster.replicas.map((replica) => replica.query('STOP SLAVE IO_THREAD')));
    await cluster.primary.kill();
    const [, next] = await takenOver(apps, cluster, since);
    await apps.stopWriters();
    expect(await apps.verdict(next)).toMatchObject({ lost: [], doubled: [], resurrected: [], torn: [] });
  },
);
