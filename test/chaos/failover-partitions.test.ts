/**
 * Cuts between single processes and single servers, and servers that only vote. Every process lives in a network namespace of
 * its own, so that this needs root.
 */
import { describe, expect } from 'vitest';
import { now } from '../support/app-fleet.js';
import { writableNodes } from '../support/crash-at-step.js';
import type { World } from '../support/failover-world.js';
import { lawlessWriter, overlapMs } from '../support/handover.js';
import { scenario } from '../support/scenarios.js';

/** When a process was acknowledged something last before `at`, and first after it; infinite when never. */
function around(world: World, app: string, at: number): { last: number; first: number } {
  const own = world.fleet
    .operations()
    .filter(({ id, outcome }) => outcome === 'acknowledged' && id.startsWith(`${app}.`));
  const ends = own.map(({ ended = 0 }) => ended);
  return {
    last: Math.max(Number.NEGATIVE_INFINITY, ...ends.filter((end) => end <= at)),
    first: Math.min(Number.POSITIVE_INFINITY, ...ends.filter((end) => end > at)),
  };
}

/** Mends the network of a process, and waits until it writes. */
async function healed(world: World, app: string): Promise<void> {
  world.network(app).heal();
  const at = now();
  const writes = (): boolean => around(world, app, at + 200).first < Number.POSITIVE_INFINITY;
  await world.until('it writes again', writes);
}

const ports = (nodes: readonly { readonly port: number }[]): number[] => nodes.map(({ port }) => port);

describe('cuts between processes and servers', () => {
  scenario('14 one process is cut off from the primary', { separate: true }, async (world) => {
    const since = now();
    world.network('a').cut([world.first.port]);
    await world.noFailover(since, 12_000);
    // The other one goes on, and the first one, without a lease, sends nothing.
    expect(around(world, 'b', since + 11_000).first).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(world.event('lease-lost', since, ({ app }) => app === 'a')).toBeDefined();
    await healed(world, 'a');
    await world.finish();
  });

  scenario(
    '17 the primary and one process here, the replicas and the other one there',
    { separate: true },
    async (world) => {
      const lawless = await lawlessWriter(world.servers, world.first);
      const since = now();
      const replication = world.first.faults.partition({ only: 'replication' });
      world.network('a').cut(ports(world.servers.replicas));
      world.network('b').cut([world.first.port]);
      const plan = await world.failedOver(since);
      const promoted = world.event(
        'change-done',
        since,
        ({ detail }) => (detail['plan'] as { opId: string }).opId === plan.opId,
      );
      const before = around(world, 'a', promoted?.at ?? 0).last;
      const after =
        world.fleet
          .operations()
          .filter(
            ({ id, outcome, ended = 0 }) =>
              outcome === 'acknowledged' && id.startsWith('b.') && ended > before,
          )
          .map(({ ended = 0 }) => ended)[0] ?? 0;
      // Nobody was acknowledged by the old primary after somebody was by the new one.
      expect(after).toBeGreaterThan(before);
      // The rows of both say the same, and that whoever obeys no lease is acknowledged on the old one meanwhile.
      const next = world.node(plan.to);
      const lawful = world.fleet.operations().filter(({ outcome }) => outcome === 'acknowledged');
      const ids = new Set(lawful.map(({ id }) => id));
      const overlap = await overlapMs(world.first, next, ids);
      expect(overlap).toBeLessThan(0);
      const others = await lawless.stop();
      const control = await overlapMs(world.first, next, new Set([...ids, ...others]));
      expect(control).toBeGreaterThan(0);
      // The watcher of two primaries finds the lawless writer, too, and nothing without it.
      expect(await world.twoPrimaries(others)).toEqual([expect.stringMatching(/^two primaries: /)]);
      expect(await world.twoPrimaries()).toEqual([]);
      replication.heal();
      world.network('a').heal();
      world.network('b').heal();
      await world.until(
        'one node takes writes',
        async () => (await writableNodes(world.servers)).length === 1,
      );
      const healed = now();
      await world.until(
        'the first process writes there, too',
        () => around(world, 'a', healed).first < Number.POSITIVE_INFINITY,
      );
      const { lost, acknowledged } = await world.finish({ mayLose: true, others });
      return {
        silenceBetweenMs: Math.round(after - before),
        overlapMs: Math.round(overlap ?? 0),
        overlapWithoutLeaseMs: Math.round(control ?? 0),
        lost: lost.length,
        acknowledged,
        told: plan.loss.transactions,
        toldUnseenMs: Math.round(plan.loss.unseenMs),
        story: process.env['STORMLAMP_CHAOS_STORY'] === '1' ? world.fleet.story(since) : undefined,
      };
    },
  );

  scenario(
    '18 the primary, a replica and one process here, the rest there',
    { separate: true },
    async (world) => {
      const [near, far] = world.servers.replicas;
      if (near === undefined || far === undefined) throw new Error('two replicas are needed');
      const since = now();
      const cut = world.servers.isolate(far);
      world.network('a').cut([far.port]);
      world.network('b').cut(ports([world.first, near]));
      await world.noFailover(since, 12_000);
      expect(world.acknowledgedAfter(since + 8_000)).toBeGreaterThan(0);
      expect(world.event('lease-lost', since, ({ app }) => app === 'b')).toBeDefined();
      expect(await writableNodes(world.servers)).toEqual([world.first]);
      cut.heal();
      world.network('a').heal();
      world.network('b').heal();
      await world.finish();
    },
  );

  scenario(
    '19 answers of the primary are lost on the way to one process',
    { separate: true },
    async (world) => {
      const since = now();
      world.network('a').cut([world.first.port], 'answers');
      await world.noFailover(since, 12_000);
      expect(world.acknowledgedAfter(since + 8_000)).toBeGreaterThan(0);
      await healed(world, 'a');
      await world.finish();
    },
  );
});

describe('servers that only vote', () => {
  scenario(
    'W1 two data nodes and a witness: the primary dies',
    { replicas: 1, witnesses: 1 },
    async (world) => {
      const since = now();
      await world.first.kill();
      const plan = await world.failedOver(since);
      expect(plan.to).toBe(world.servers.replicas[0]?.id);
      const [{ vote } = { vote: '' }] =
        (await world.witnesses[0]?.query<{ vote: string }>('SELECT vote FROM ha_meta.vote')) ?? [];
      expect(vote).toBe(plan.to);
      const { lost } = await world.finish({ mayLose: true });
      return { lost: lost.length, outageMs: Math.round(world.fleet.longestGapMs(since)) };
    },
  );

  scenario(
    'W2 two data nodes and a witness: the witness dies, then a switchover',
    { replicas: 1, witnesses: 1 },
    async (world) => {
      await world.witnesses[0]?.kill();
      const since = now();
      await world.noFailover(since, 6_000);
      expect(world.acknowledgedAfter(since + 4_000)).toBeGreaterThan(0);
      expect(await world.leader().ask('switchover')).toMatchObject({ ok: true });
      // It votes for the old primary until somebody changes that: it must not give the lease back to it.
      await world.witnesses[0]?.start();
      const back = now();
      await world.until('writes go on', () => world.acknowledgedAfter(back) > 20);
      const voted = 'SELECT vote FROM ha_meta.vote';
      await world.until('its vote is mended', async () => {
        const rows = await world.witnesses[0]?.query<{ vote: string }>(voted);
        return rows?.[0]?.vote === world.servers.replicas[0]?.id;
      });
      await world.finish();
    },
  );

  scenario(
    'W3 two data nodes and a witness: both others die, and nobody acts',
    { replicas: 1, witnesses: 1 },
    async (world) => {
      await world.witnesses[0]?.kill();
      const since = now();
      await world.first.kill();
      await world.noFailover(since, 12_000);
      expect(await writableNodes(world.servers)).toEqual([]);
      await world.witnesses[0]?.start();
      const plan = await world.failedOver(since);
      expect(plan.to).toBe(world.servers.replicas[0]?.id);
      await world.finish({ mayLose: true });
    },
  );

  scenario(
    '7 primary and one replica die together: two of four are no majority',
    { witnesses: 1 },
    async (world) => {
      const since = now();
      await Promise.all([world.first.kill(), world.servers.replicas[0]?.kill()]);
      await world.noFailover(since, 12_000);
      expect(await writableNodes(world.servers)).toEqual([]);
      await world.servers.replicas[0]?.start();
      const plan = await world.failedOver(since);
      await world.finish({ mayLose: true });
      return { to: plan.to };
    },
  );

  scenario('7w primary and one replica die together, two witnesses', { witnesses: 2 }, async (world) => {
    const since = now();
    await Promise.all([world.first.kill(), world.servers.replicas[0]?.kill()]);
    const plan = await world.failedOver(since);
    expect(plan.to).toBe(world.servers.replicas[1]?.id);
    const { lost } = await world.finish({ mayLose: true });
    return { lost: lost.length, told: plan.loss.transactions };
  });
});
