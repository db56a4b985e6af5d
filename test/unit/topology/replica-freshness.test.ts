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
  test.each(['refused', 'reset', 'server-shutdown'] as const)(
    'a failure that proves its death (%s) lets the lag stand still',
    (failure) => {
      expect(afterwards(failure, lost)).toBe(1_000);
      expect(afterwards(failure, connected('1'))).toBe(0);
    },
  );

  test.each(['timeout-connect', 'timeout-query', 'other'] as const)(
    'one that only does not answer (%s) may go on writing: the lag grows',
    (failure) => {
      expect(afterwards(failure, lost)).toBeGreaterThanOrEqual(10_000);
      expect(afterwards(failure, connected('1'))).toBe(10_000);
    },
  );

  test('a replica that still hears of it is as late as it reports', () => {
    expect(afterwards('timeout-connect', connected('2'))).toBe(10_000);
    const topology = seen([
      [0, { a: master('a'), b: connected('1') }],
      [1_000, { a: 'timeout-connect', b: connected('2') }],
      [11_000, { a: 'timeout-connect', b: connected('3') }],
    ]);
    const replica = topology.nodes[1];
    expect(replica && stalenessMs(replica, topology, 11_000)).toBe(0);
  });
});
