import { describe, expect, test } from 'vitest';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import type { ProbeFailure } from '../../../src/topology/node-description.js';
import { stalenessMs } from '../../../src/topology/replica-freshness.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import { type Finding, master, observationOf, seeds, slave } from '../../spec/topology/made-up-servers.js';

const reception = (position: string) => ({ position, heartbeats: 0, heartbeatMs: 30_000, errno: 0 });
const connected = (position: string): Finding =>
  slave('b', 'a', { lagMs: 0, reception: reception(position) });
const lost: Finding = slave('b', 'a', { lagMs: null, io: 'connecting' });

function seen(
  rounds: readonly (readonly [at: number, Readonly<Record<string, Finding>>])[],
): TopologyDescription {
  let topology = initialTopology(seeds({ a: 'primary', b: 'replica' }));
  for (const [at, round] of rounds)
    for (const [node, finding] of Object.entries(round))
      topology = observe(topology, observationOf(node, finding, at));
  return topology;
}

/** How far `b` may be behind, ten seconds after the primary was lost, when it is still looked at. */
function afterwards(failure: ProbeFailure, b: Finding): number | null {
  const topology = seen([
    [0, { a: master('a'), b: connected('1') }],
    [1_000, { a: failure, b }],
    [11_000, { a: failure, b }],
  ]);
  const replica = topology.nodes[1];
  return replica === undefined ? null : stalenessMs(replica, topology, 11_000);
}

describe('while the primary is down', () => {
  test.each(['refused', 'reset', 'server-shutdown', 'timeout-connect', 'timeout-query', 'other'] as const)(
    'however it is missed (%s) it may go on writing: the lag grows from when it was last seen',
    (failure) => {
      expect(afterwards(failure, lost)).toBe(11_000);
      expect(afterwards(failure, connected('1'))).toBe(11_000);
    },
  );

  test('a replica that still hears of it is as late as it reports', () => {
    expect(afterwards('refused', connected('2'))).toBe(10_000);
    const topology = seen([
      [0, { a: master('a'), b: connected('1') }],
      [1_000, { a: 'refused', b: connected('2') }],
      [11_000, { a: 'refused', b: connected('3') }],
    ]);
    const replica = topology.nodes[1];
    expect(replica && stalenessMs(replica, topology, 11_000)).toBe(0);
  });

  test('the last sign of its life counts, not the first', () => {
    const topology = seen([
      [0, { a: master('a'), b: connected('1') }],
      [1_000, { a: 'refused', b: connected('2') }],
      [6_000, { a: 'refused', b: connected('3') }],
      [11_000, { a: 'refused', b: connected('3') }],
    ]);
    const replica = topology.nodes[1];
    expect(replica && stalenessMs(replica, topology, 11_000)).toBe(5_000);
  });

  test('of who was never seen and never heard nothing is known, whatever the replica reports', () => {
    const topology = seen([
      [0, { a: 'refused', b: connected('1') }],
      [1_000, { a: 'refused', b: connected('1') }],
    ]);
    const replica = topology.nodes[1];
    expect(replica && stalenessMs(replica, topology, 1_000)).toBeNull();
  });

  test('of a chain only the replica next to it hears of it', () => {
    let topology = initialTopology(seeds({ a: 'primary', b: 'replica', c: 'replica' }));
    const c = (position: string): Finding => slave('c', 'b', { lagMs: 0, reception: reception(position) });
    for (const [at, round] of [
      [0, { a: master('a'), b: connected('1'), c: c('1') }],
      [1_000, { a: 'refused', b: connected('1'), c: c('2') }],
      [4_000, { a: 'refused', b: connected('2'), c: c('3') }],
      [9_000, { a: 'refused', b: connected('2'), c: c('4') }],
    ] as const)
      for (const [node, finding] of Object.entries(round))
        topology = observe(topology, observationOf(node, finding, at));
    const staleness = topology.nodes.map((node) => stalenessMs(node, topology, 9_000));
    expect(staleness).toEqual([null, 5_000, 5_000]);
  });
});
