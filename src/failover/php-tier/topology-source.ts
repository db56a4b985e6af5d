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
