/**
 * Cuts between single processes and single servers, and servers that only vote. Every process lives in a network namespace of
 * its own, so that this needs root.
 */
import { describe, expect } from 'vitest';
import { now } from '../support/app-fleet.js';
import { writableNodes } from '../support/crash-at-step.js';
import type { World } from '../support/failover-world.js';
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

const ports = (nodes: readonly { readonly port: number }[]): number[] => nodes.map(({ port }) => port);

describe('cuts between processes and servers', () => {
  scenario('14 one process is cut off from the primary', { separate: true }, async (world) => {
    const since = now();
    world.network('a').cut([world.first.port]);
    await world.noFailover(since, 12_000);
    // The other one goes on, and the first one, without a lease, sends nothing.
    expect(around(world, 'b', since + 11_000).first).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(world.event('lease-lost', since, ({ app }) => app === 'a')).toBeDefined();
    world.network('a').heal();
    const healed = now();
    await world.until(
      'it writes again',
      () => around(world, 'a', healed + 200).first < Number.POSITIVE_INFINITY,
    );
    await world.finish();
  });

  scenario(
    '17 the primary and one process here, the replicas and the other one there',
    { separate: true },
    async (world) => {
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
      const { lost, acknowledged } = await world.finish({ mayLose: true });
      return {
        silenceBetweenMs: Math.round(after - before),
        lost: lost.length,
        acknowledged,
        told: plan.loss.transactions,
        story: process.env['STORMLAMP_CHAOS_STORY'] === '1' ? world.fleet.story(since) : undefined,
      };
    },
  );
});
