/** How far a node is believed to be down; a pure function of the topology. */
import type { NodeId } from '../common/node-address.js';
import type { NodeDescription } from '../topology/node-description.js';
import type { TopologyDescription } from '../topology/topology-description.js';

/** The degrees of belief. */
export type Suspicion = 'up' | 'suspect' | 'down' | 'objectively-down' | 'isolated' | 'unknown';

/** Failures in a row before a suspect counts as down. */
const DOWN_AFTER_FAILURES = 3;
/** Milliseconds of failures before a suspect counts as down. */
const DOWN_AFTER_MS = 3_000;

/**
 * Judges a node: one failed probe makes it suspect; three in a row over three seconds make it down in this process's eyes; when
 * moreover every replica of it that answers has lost its connection to it, and there is at least one, it is objectively down.
 * A process that is `tilted` suspects its own eyes first: it never goes beyond suspect.
 */
export function suspicionOf(
  node: NodeDescription,
  topology: TopologyDescription,
  now: number,
  tilted: boolean,
): Suspicion {
  if (node.state === 'new') return 'unknown';
  if (node.state === 'up') return node.blind === undefined ? 'up' : 'suspect';
  if (tilted || node.failures < DOWN_AFTER_FAILURES || now - node.downSince < DOWN_AFTER_MS) return 'suspect';
  return replicasLost(node.id, topology) ? 'objectively-down' : 'down';
}

function replicasLost(source: NodeId, topology: TopologyDescription): boolean {
  const replicas = topology.nodes.filter((node) => node.state === 'up' && node.upstream?.[0] === source);
  return (
    replicas.length > 0 &&
    replicas.every(
      (node) => node.state === 'up' && node.facts.channels.every((channel) => channel.io !== 'yes'),
    )
  );
}
