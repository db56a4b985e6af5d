/** Where programs that are not Node learn from: a cluster, as far as they need it. */
import type { TopologyDescription } from '../../topology/topology-description.js';
import type { FailoverManager } from '../failover-manager.js';

/** What is needed of a cluster; the object that `createCluster()` gives is one. */
export interface TopologySource {
  /** The present picture of the database nodes. */
  topology(): TopologyDescription;
  /** Its failover manager. */
  readonly failover: Pick<FailoverManager, 'state' | 'on' | 'off'>;
}

/** Whether nodes that are up were looked at within `maxAgeMs`: of a cluster that was closed the picture stays, and is worth nothing. */
export function isFresh(topology: TopologyDescription, now: number, maxAgeMs: number): boolean {
  const up = topology.nodes.filter((node) => node.state === 'up');
  return up.length === 0 || up.some((node) => now - node.seenAt < maxAgeMs);
}
