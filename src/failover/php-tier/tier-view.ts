/** What other programs are told about a cluster: who takes writes, who serves reads, and until when that may be believed. */
import type { NodeAddress, NodeId } from '../../common/node-address.js';
import type { NodeDescription } from '../../topology/node-description.js';
import { selectNodes } from '../../topology/node-selection.js';
import { type LagLimits, stalenessMs } from '../../topology/replica-freshness.js';
import type { TopologyDescription } from '../../topology/topology-description.js';
import { nodeIn } from '../../topology/topology-description.js';
import { votedWriter } from '../../topology/voted-writer.js';
import type { ClusterSnapshot } from '../cluster-snapshot.js';
import type { FailureKind } from '../failure-kind.js';

/** A node that other programs may use. */
export interface TierNode {
  /** Its name. */
  readonly id: NodeId;
  /** Where it listens. */
  readonly address: NodeAddress;
  /** Its share of reads relative to the others. */
  readonly weight: number;
  /** How far it is behind, milliseconds; null for the primary, and when nobody knows. */
  readonly lagMs: number | null;
}

/** What other programs are told, without times. */
export interface TierView {
  /** The node that takes writes, where voters vote by their word; null while there is none, or more than one. */
  readonly primary: TierNode | null;
  /** The replicas that are fresh enough, in the order of the configuration. */
  readonly replicas: readonly TierNode[];
  /** What is wrong with the primary. */
  readonly failure: FailureKind | null;
}

/** How the view is made. */
export interface TierViewOptions extends LagLimits {
  /** Addresses as the other programs must use them, by node; nodes that are left out keep their own. */
  readonly addresses: Readonly<Record<NodeId, NodeAddress>>;
  /** Monotonic milliseconds. */
  readonly now: number;
}

/** The view of a cluster now. A node that an operator took out is not in it. */
export function tierView(
  topology: TopologyDescription,
  state: ClusterSnapshot,
  { maxLagMs, maxLagWithoutPrimaryMs, addresses, now }: TierViewOptions,
): TierView {
  const isOut = (id: NodeId): boolean =>
    state.nodes.find(({ node }) => node === id)?.suspicion === 'isolated';
  const described = (node: NodeDescription): TierNode => ({
    id: node.id,
    address: Object.hasOwn(addresses, node.id) ? (addresses[node.id] ?? node.address) : node.address,
    weight: node.weight,
    lagMs: rounded(stalenessMs(node, topology, now)),
  });
  const writer = votedWriter(topology, state);
  const primary = writer === undefined || isOut(writer) ? undefined : nodeIn(topology, writer);
  const allows = (id: NodeId): boolean => !isOut(id);
  const criteria = { preference: 'replica', maxLagMs, maxLagWithoutPrimaryMs, now, allows } as const;
  const fit = selectNodes(topology, criteria);
  return {
    primary: primary === undefined ? null : described(primary),
    replicas: topology.nodes.filter((node) => fit.candidates.includes(node)).map(described),
    // Without the votes it may look well from here.
    failure: state.failure ?? (state.voted === null ? 'no-primary' : null),
  };
}

/** Whether two views send calls to different nodes. */
export function sendsElsewhere(a: TierView, b: TierView): boolean {
  const key = ({ primary, replicas, failure }: TierView): string =>
    JSON.stringify([primary?.id, replicas.map(({ id, weight }) => [id, weight]), failure]);
  return key(a) !== key(b);
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
