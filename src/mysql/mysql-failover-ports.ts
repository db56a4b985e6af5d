/** What failover may see of a MySQL client, and do to it. */
import type { NodeId } from '../common/node-address.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import type { MysqlNodeConfig } from './connection-options.js';
import type { CredentialsSource, MysqlCredentials } from './connection-settings.js';
import type { WriteGate } from './write-gate.js';

/** @internal What the failover manager gets of a MySQL client. */
export interface MysqlFailoverPorts {
  /** Watches the nodes. */
  readonly watcher: TopologyWatcher;
  /** How to reach each node. */
  readonly nodes: readonly MysqlNodeConfig[];
  /** The account that looks at the servers, when it is not the nodes' own. */
  readonly monitorCredentials: MysqlCredentials | CredentialsSource | undefined;
  /** What may be done to the calls of this process. */
  readonly targets: {
    isolate(node: NodeId, reason: string): () => void;
    guardWrites(gate: WriteGate): void;
  };
}
