/** Planned switchovers under load: nothing that was acknowledged is lost or doubled. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type App, type AppEvent, AppFleet, now } from '../support/app-fleet.js';
import { writableNodes } from '../support/crash-at-step.js';
import { relayLogSins } from '../support/relay-log-sins.js';
import { eventually } from './eventually.js';

/**
 * Nodes that began to receive from a new primary while they still kept everybody from writing to it: their vote was changed
 * before that, and writes need nothing else.
 */
function heldUpWrites(sent: readonly AppEvent[]): readonly string[] {
  const held = new Set<string>();
  const heldUp: string[] = [];
  let isPromoted = false;
  for (const { detail } of sent) {
    const node = String(detail['node']);
    const sql = String(detail['sql']);
    const isAnswered = detail['outcome'] != null;
    if (sql.includes(':change') && sql.includes('GET_LOCK')) isPromoted = false;
    if (sql.includes('INTO ha_meta.topology')) isPromoted = true;
    if (!sql.includes(':promote')) {
      if (isPromoted && !isAnswered && held.has(node) && /^START (SLAVE|REPLICA)$/.test(sql))
        heldUp.push(node);
    } else if (sql.includes('GET_LOCK')) held.add(node);
    else if (sql.includes('RELEASE_LOCK') && isAnswered) held.delete(node);
  }
  return heldUp;
}

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

  async function isPrimaryAfterSwitchover(app: App, to: string): Promise<boolean> {
    const result = await app.ask<ChangeResult>('switchover', { to }).catch((error: Error) => error);
    if (!(result instanceof Error) && result.ok) {
      expect(result.plan).toMatchObject({ kind: 'switchover', to });
      return true;
    }
    console.log(flavor, result instanceof Error ? result.message : `${result.at}: ${result.error.message}`);
    const writable = await writableNodes(servers);
    return writable.length === 1 && writable[0]?.id === to;
  }

  test('there and back while three processes write: zero lost, zero doubled, and no relay log thrown away', {
    timeout: 400_000,
  }, async () => {
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
      60_000,
    );
    const plan = await first.ask<FailoverPlan>('plan', { kind: 'switchover' });
    expect(plan).toMatchObject({
      kind: 'switchover',
      from: before.id,
      loss: { known: true, transactions: 0 },
    });
    expect(plan.steps.filter(({ pointOfNoReturn }) => pointOfNoReturn === true).length).toBeGreaterThan(0);

    for (const to of [plan.to, before.id]) {
      const began = now();
      // A machine that is too busy to keep its locks gives a change up and undoes it, or leaves the rest to who is elected.
      await eventually(`${to} is the primary`, () => isPrimaryAfterSwitchover(first, to), 90_000);
      await eventually('writes go on', () => fleet.acknowledgedAfter(now() - 100) > 0, 60_000);
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
    expect(heldUpWrites(sent)).toEqual([]);
    // The two other nodes follow, and have everything.
    for (const node of servers.databases) {
      if (node === before) continue;
      await eventually(
        `${node.name} has every row`,
        async () => {
          const theirs = await fleet.verdict(node);
          return theirs.lost.length === 0;
        },
        60_000,
      );
      const [{ readOnly } = { readOnly: 0 }] = await node.query<{ readOnly: number }>(
        'SELECT @@global.read_only AS readOnly',
      );
      expect(Number(readOnly)).toBe(1);
    }
  });
});
