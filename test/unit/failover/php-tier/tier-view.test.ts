import { expect, test } from 'vitest';
import type { ClusterSnapshot } from '../../../../src/failover/cluster-snapshot.js';
import { tierView } from '../../../../src/failover/php-tier/tier-view.js';
import { initialTopology, observe } from '../../../../src/topology/describe-topology.js';
import { master, observationOf, seeds, slave } from '../../../spec/topology/made-up-servers.js';

const servers = { a: master('a'), b: slave('b', 'a') };
const topology = Object.entries(servers).reduce(
  (before, [node, finding]) => observe(before, observationOf(node, finding, 0)),
  initialTopology(seeds({ a: 'primary', b: 'replica' })),
);
const told = (state: Partial<ClusterSnapshot>): readonly unknown[] => {
  const snapshot = { tilted: false, failure: null, nodes: [], ...state } as unknown as ClusterSnapshot;
  const view = tierView(topology, snapshot, { maxLagMs: 5_000, addresses: {}, now: 0 });
  return [view.primary?.id ?? null, view.failure, view.replicas.map(({ id }) => id)];
};

test.each<[string, Partial<ClusterSnapshot>, string | null, string | null]>([
  ['nobody votes', {}, 'a', null],
  ['a majority votes for it', { voted: 'a' }, 'a', null],
  ['no majority is seen', { voted: null, failure: 'majority-lost' }, null, 'majority-lost'],
  // It was restored from an older copy, or belongs to an earlier epoch.
  ['it gets no lease', { voted: null }, null, 'no-primary'],
  // It is not seen to take writes yet.
  ['another one has the votes', { voted: 'b' }, null, null],
])('the primary in the file when %s', (_, state, primary, failure) => {
  expect(told(state)).toEqual([primary, failure, ['b']]);
});
