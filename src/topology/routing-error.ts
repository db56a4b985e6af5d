/** The errors of calls that found no node: they carry the topology that was seen and say of each node why it was not taken. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { type NodeDescription, whyDown } from './node-description.js';
import type { RejectedNode, SelectionCriteria } from './node-selection.js';
import type { LagLimits } from './replica-freshness.js';
import type { TopologyDescription } from './topology-description.js';

/** No node could take the call; nothing was sent. Its code is `ERR_NO_PRIMARY`, `ERR_SPLIT_BRAIN` or `ERR_NO_REPLICA`. */
export class RoutingError extends StormlampError {
  /** The picture of the cluster that the decision was made on. */
  readonly topology: TopologyDescription;
  /** Every node and why it was not taken. */
  readonly rejected: readonly RejectedNode[];

  /** Makes an error. */
  constructor(
    code: ErrorCode,
    message: string,
    topology: TopologyDescription,
    rejected: readonly RejectedNode[],
  ) {
    const cause = topology.nodes.find((node) => node.state === 'down');
    super(code, message, cause?.state === 'down' ? { cause: cause.error } : {});
    this.topology = topology;
    this.rejected = rejected;
  }
}

/** The error of a write that has nowhere to go: `ERR_NO_PRIMARY`, or `ERR_SPLIT_BRAIN` when too many nodes claim it. */
export function noWriterError(topology: TopologyDescription): RoutingError {
  const { writer } = topology;
  const rejected = topology.nodes.map((node) => ({ node: node.id, reason: reasonNotWriter(node, topology) }));
  if (writer.kind === 'split-brain') {
    return new RoutingError(
      ErrorCode.SPLIT_BRAIN,
      `Writes are refused because ${joined(writer.nodes)} are all writable primaries. ` +
        'Decide which one holds the right data, and make the others read-only replicas of it.',
      topology,
      rejected,
    );
  }
  return new RoutingError(
    ErrorCode.NO_PRIMARY,
    `No primary takes writes: ${told(rejected)}. ` +
      'Bring the primary back, or promote a replica and let the other nodes follow it.',
    topology,
    rejected,
  );
}

/** The error of a read that no node may serve: `ERR_NO_REPLICA`. */
export function noReaderError(
  topology: TopologyDescription,
  criteria: Pick<SelectionCriteria, 'preference' | keyof LagLimits>,
  rejected: readonly RejectedNode[],
): RoutingError {
  const { maxLagMs, maxLagWithoutPrimaryMs = maxLagMs } = criteria;
  const isBound = topology.writer.kind === 'no-primary' && maxLagWithoutPrimaryMs < Number.POSITIVE_INFINITY;
  const names = isBound ? 'maxLagMs, or maxLagWithoutPrimaryMs while no primary can be reached' : 'maxLagMs';
  return new RoutingError(
    ErrorCode.NO_REPLICA,
    `No node may serve a read with preference '${criteria.preference}' and at most ${maxLagMs} ms of lag: ${told(rejected)}. ` +
      `Mend the nodes, allow more lag (${names}), or allow the primary (replica-preferred).`,
    topology,
    rejected,
  );
}

function reasonNotWriter(node: NodeDescription, topology: TopologyDescription): string {
  if (node.state === 'new') return 'it was not looked at yet';
  if (node.state === 'down') return whyDown(node);
  const warning = topology.warnings.find(
    ({ node: about, code }) => about === node.id && code !== 'writable-replica',
  );
  if (topology.writer.kind === 'split-brain' && topology.writer.nodes.includes(node.id)) {
    return 'it is one of several that claim to be the primary';
  }
  if (node.role === 'replica') return 'it is a replica';
  return warning?.message ?? 'it has no source, but nothing shows that it is the primary';
}

function told(rejected: readonly RejectedNode[]): string {
  if (rejected.length === 0) return 'no nodes are known';
  return rejected.map(({ node, reason }) => `${node}: ${reason}`).join('; ');
}

function joined(nodes: readonly NodeId[]): string {
  return nodes.join(' and ');
}
