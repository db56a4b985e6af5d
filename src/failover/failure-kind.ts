/** What is wrong with a cluster that has no writer, read off the topology. */
import type { NodeId } from '../common/node-address.js';
import { nodeIn, type TopologyDescription } from '../topology/topology-description.js';

/** The kinds of trouble that are told apart. */
export type FailureKind =
  /** The primary's process is gone: connections are refused or reset. */
  | 'dead-primary'
  /** The primary does not answer: it, its host or the network hangs. */
  | 'unreachable-primary'
  /** The primary answers and refuses writes. */
  | 'read-only-primary'
  /** Several nodes claim to be the primary. */
  | 'split-brain'
  /** No node claims to be the primary. */
  | 'no-primary';

/** Why `topology`, whose primary was `lost`, has no writer. */
export function failureKindOf(topology: TopologyDescription, lost: NodeId | null): FailureKind {
  if (topology.writer.kind === 'split-brain') return 'split-brain';
  const node = lost === null ? undefined : nodeIn(topology, lost);
  if (node?.state === 'up' && node.facts.readOnly && node.facts.channels.length === 0)
    return 'read-only-primary';
  if (node?.state !== 'down') return 'no-primary';
  switch (node.failure) {
    case 'refused':
    case 'reset':
    case 'server-shutdown':
      return 'dead-primary';
    default:
      return 'unreachable-primary';
  }
}
