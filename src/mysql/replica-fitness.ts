/** Tells when a replica that answers begins, or ceases, to be fit for reads: its lag shows in no other event. */
import type { NodeId } from '../common/node-address.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import { type LagLimits, stalenessMs, unfitness } from '../topology/replica-freshness.js';
import { nodeIn, type TopologyDescription } from '../topology/topology-description.js';
import type { ResolvedMysqlOptions } from './mysql-options.js';

/** Whether a replica may serve reads with the limits of the cluster (`reads.maxLagMs`). */
export interface ReplicaFitness {
  /** Whether it may. */
  readonly fit: boolean;
  /** Why it may not, with the server's own words where it has any; '' when it may. */
  readonly reason: string;
  /** How far behind it may be, in milliseconds; null is unknown. */
  readonly lagMs: number | null;
}

/** A replica is fit, or unfit, and was not before. */
export interface ReplicaFitnessChange {
  /** The node. */
  readonly node: NodeId;
  /** How it was; null when it was no replica that answers. */
  readonly before: ReplicaFitness | null;
  /** How it is. */
  readonly after: ReplicaFitness;
}

/** A replica that answers and serves no reads. */
export interface UnfitReplica {
  /** The node. */
  readonly node: NodeId;
  /** Why it serves none, in words that follow the node's name. */
  readonly reason: string;
}

/** What is known of the replicas now. */
export interface FitnessView {
  /** Those that are unfit, as it was told. */
  unfit(): readonly UnfitReplica[];
  /** Those that are unfit, and are new, or back, so that nothing was told yet; whether more looks may tell otherwise. */
  fresh(): readonly (UnfitReplica & { readonly mayChange: boolean })[];
}

/** So many looks a replica that is new, or back, may need until its lag can be known. */
const LOOKS_TO_KNOW = 3;

/**
 * Judges a replica with every look of its monitor and tells what changed. Of one that is new, or back, it tells only that it stays
 * unfit. The result is what is known at any time.
 */
export function tellFitness(
  watcher: Pick<TopologyWatcher, 'topology' | 'on'>,
  { reads, monitor }: Pick<ResolvedMysqlOptions, 'reads' | 'monitor'>,
  tell: (change: ReplicaFitnessChange) => void,
): FitnessView {
  const fresh = new Map<NodeId, ReplicaFitness>();
  const known = new Map<NodeId, ReplicaFitness>();
  const looks = new Map<NodeId, number>();
  const view: FitnessView = {
    unfit: () => present(watcher.topology, known).filter(({ fit }) => !fit),
    fresh: () =>
      present(watcher.topology, fresh).map((each) => ({ ...each, mayChange: each.lagMs === null })),
  };
  // Nobody asks then how late a replica is.
  if (monitor.lagSource === 'unchecked') return view;
  watcher.on('node-observed', ({ node }) => {
    const after = fitnessOf(node, watcher.topology, reads);
    fresh.delete(node);
    if (after === undefined) {
      known.delete(node);
      looks.delete(node);
      return;
    }
    const before = known.get(node) ?? null;
    const count = (looks.get(node) ?? 0) + 1;
    looks.set(node, count);
    if (before === null && !after.fit && count < LOOKS_TO_KNOW) {
      fresh.set(node, after);
      return;
    }
    known.set(node, after);
    if ((before?.fit ?? true) !== after.fit) tell({ node, before, after });
  });
  return view;
}

/** What was found of those that are nodes still. */
function present(
  { nodes }: TopologyDescription,
  found: ReadonlyMap<NodeId, ReplicaFitness>,
): readonly (UnfitReplica & ReplicaFitness)[] {
  return nodes.flatMap(({ id }) => {
    const fitness = found.get(id);
    return fitness === undefined ? [] : [{ node: id, ...fitness }];
  });
}

/** Undefined for what is no replica that answers. */
function fitnessOf(id: NodeId, topology: TopologyDescription, limits: LagLimits): ReplicaFitness | undefined {
  const node = nodeIn(topology, id);
  if (node?.state !== 'up' || node.role !== 'replica') return undefined;
  const now = performance.now();
  const reason = unfitness(node, topology, limits, now);
  return { fit: reason === undefined, reason: reason ?? '', lagMs: stalenessMs(node, topology, now) };
}
