/** Planned switchovers under load: nothing that was acknowledged is lost or doubled. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { AppFleet, now } from '../support/app-fleet.js';
import { relayLogSins } from '../support/relay-log-sins.js';
import { eventually } from './eventually.js';

describe.each(['mariadb', 'mysql'] as const)('%s', (flavor) => {
  let servers: LocalCluster;
  let fleet: AppFleet;
  beforeAll(async () => {
    servers = await startLocalCluster({ php: false, memcached: 0, flavor });
    fleet = await AppFleet.open(servers);
  });
  afterAll(async () => {
    await fleet?.close();
    await servers?.close();
  });

  test('there and back while three processes write: zero lost, zero doubled, and no relay log thrown away', async () => {
    const failover = { leaseMs: 2_000 };
    const [first] = await Promise.all([
      fleet.start({ name: 'a', writers: 2, failover }),
      fleet.start({ name: 'b', writers: 2, failover }),
      fleet.start({ name: 'c', writers: 2, failover }),
    ]);
    const before = servers.primary;
    await eventually(
      'everybody writes',
      () => fleet.operations().filter(({ outcome }) => outcome === 'acknowledged').length > 30,
    );
    const plan = await first.ask<FailoverPlan>('plan', { kind: 'switchover' });
    expect(plan).toMatchObject({
      kind: 'switchover',
      from: before.id,
      loss: { known: true, transactions: 0 },
    });
    expect(plan.steps.filter(({ pointOfNoReturn }) => pointOfNoReturn === true).length).toBeGreaterThan(0);

    let primary = before.id;
    for (const to of [plan.to, before.id]) {
      const began = now();
      const result = await first.ask<ChangeResult>('switchover', { to });
      expect(result).toMatchObject({ ok: true, left: [] });
      expect(result.plan).toMatchObject({ from: primary, to });
      primary = to;
      await eventually('writes go on', () =>
        fleet
          .operations()
          .some(
            ({ outcome, began: at }) =>
              outcome === 'acknowledged' && at > began + 100 + fleet.longestGapMs(began),
          ),
      );
      console.log(flavor, 'gap seen by writers', Math.round(fleet.longestGapMs(began)), 'ms');
    }
    await fleet.stopWriters();
    const verdict = await fleet.verdict(before);
    console.log(flavor, { ...verdict });
    expect(verdict).toMatchObject({ lost: [], doubled: [], resurrected: [], torn: [] });
    expect(verdict.acknowledged).toBeGreaterThan(30);
    const replicas = new Set<string>(servers.databases.map(({ id }) => id));
    replicas.delete(before.id);
    const sent = fleet.events.filter(({ event }) => event === 'statement');
    expect(relayLogSins(sent, (node) => replicas.has(node))).toEqual([]);
    // The two other nodes follow, and have everything.
    for (const node of servers.databases) {
      if (node === before) continue;
      await eventually(`${node.name} has every row`, async () => {
        const theirs = await fleet.verdict(node);
        return theirs.lost.length === 0;
      });
      const [{ readOnly } = { readOnly: 0 }] = await node.query<{ readOnly: number }>(
        'SELECT @@global.read_only AS readOnly',
      );
      expect(Number(readOnly)).toBe(1);
    }
  });
});
