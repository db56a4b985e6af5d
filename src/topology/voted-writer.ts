/** Where writes may go, in one form for everybody who tells it: probes, pages, metrics, and programs that know no lease. */
import type { NodeId } from '../common/node-address.js';
import { nodeIn, type TopologyDescription } from './topology-description.js';

/** What is known of the primary besides the picture of the nodes. */
export interface WriterVotes {
  /** The node that a majority votes for, also while somebody changes the primary; null while there is none. Left out where nobody votes. */
  readonly voted?: NodeId | null | undefined;
  /** What is wrong with the primary, in a word; null when nothing is. */
  readonly failure?: string | null | undefined;
}

/**
 * The node that takes writes; undefined while there is none. Where voters vote it is the one that has the votes, if it is also seen to
 * take writes: what is written to one that only looks like the primary is lost when a majority has another one.
 */
export function votedWriter(topology: TopologyDescription, votes: WriterVotes = {}): NodeId | undefined {
  const { writer } = topology;
  const { voted } = votes;
  if (voted === undefined) return writer.kind === 'primary' ? writer.node : undefined;
  const node = voted === null ? undefined : nodeIn(topology, voted);
  return node?.state === 'up' && !node.facts.readOnly ? node.id : undefined;
}

/** Why there is none, in words of one line. */
export function noWriterWords({ writer }: TopologyDescription, votes: WriterVotes = {}): string {
  const { voted, failure = null } = votes;
  if (failure !== null) return failure;
  if (voted === undefined || writer.kind !== 'primary' || voted === writer.node) return 'no primary';
  return voted === null ? `no majority votes for ${writer.node}` : `a majority votes for ${voted}`;
}

/** Whether a node looks like the primary from here, and this process may not write to it all the same: it lacks the votes. */
export function lacksVotes(topology: TopologyDescription, votes: WriterVotes = {}): boolean {
  return topology.writer.kind === 'primary' && votedWriter(topology, votes) === undefined;
}
