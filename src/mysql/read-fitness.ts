/** Whether reads are served, and which replicas serve none although they answer: one answer for pages, probes and commands. */
import type { NodeId } from '../common/node-address.js';
import { describeError } from '../common/stormlamp-error.js';
import type { TopologyDescription, TopologyWarningCode } from '../topology/topology-description.js';
import type { ClusterCore } from './cluster-core.js';
import type { FitnessView, UnfitReplica } from './replica-fitness.js';

/** See the head of this file. */
export interface ReadFitness {
  /** Whether a node may take a read that asks for nothing of its own. */
  readonly serves: boolean;
  /** Replicas that answer and serve no reads. */
  readonly unfit: readonly UnfitReplica[];
  /** Whether what is new, or back, may turn out to be fit with the next looks. */
  readonly mayChange: boolean;
}

/** How reads are served by `core`. */
export function readFitness(core: ClusterCore, fitness: FitnessView): ReadFitness {
  const fresh = fitness.fresh();
  const unfit = new Map<NodeId, string>();
  for (const { node, reason } of [...fitness.unfit(), ...fresh.filter(({ mayChange }) => !mayChange)])
    unfit.set(node, reason);
  for (const node of core.topology.nodes) {
    const { refusal } = core.node(node.id);
    if (refusal !== undefined && node.state === 'up' && node.role === 'replica')
      unfit.set(node.id, describeError(refusal));
  }
  return {
    serves: servesReads(core),
    unfit: core.topology.nodes.flatMap(({ id }) => {
      const reason = unfit.get(id);
      return reason === undefined ? [] : [{ node: id, reason }];
    }),
    mayChange: fresh.some(({ mayChange }) => mayChange),
  };
}

function servesReads({ router, options }: ClusterCore): boolean {
  const { preference, primaryShareLimit } = options.reads;
  const { candidates } = router.considered(undefined);
  // Without a share nothing ever falls back to the primary.
  const isStrict = preference === 'replica-preferred' && primaryShareLimit === 0;
  return candidates.some(
    (node) =>
      !isStrict || node.id === options.reads.affinity || (node.state === 'up' && node.role === 'replica'),
  );
}

/** Warnings that say already why a replica serves no reads. */
const SAID_BY: ReadonlySet<TopologyWarningCode> = new Set([
  'replication-stopped',
  'partial-replica',
  'unchecked-replication',
  'blind-monitor',
]);

/** Whether a warning of `topology` says already why `node` serves no reads. */
export function isSaid({ warnings }: Pick<TopologyDescription, 'warnings'>, node: NodeId): boolean {
  return warnings.some((warning) => warning.node === node && SAID_BY.has(warning.code));
}
