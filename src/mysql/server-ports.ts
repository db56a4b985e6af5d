/** How a client reaches its servers; `stormlamp/testing` puts made-up ones in the place of real ones. */
import type { HealthProbe } from '../health/health-probe.js';
import { type ConnectionFactory, createConnectionFactory } from './connection-factory.js';
import type { MysqlNodeConfig } from './connection-options.js';
import type { CredentialsSource, MysqlCredentials } from './connection-settings.js';
import { type KillOutcome, killQuery } from './kill-query.js';
import type { PhysicalConnection } from './physical-connection.js';
import { createReplicationProbe, type ReplicationProbeOptions } from './replication-probe.js';

/** Makes connections to servers, and looks at them. */
export interface ServerPorts {
  /** Whether values are given beside the text, as made-up servers show them; otherwise they are in it when it is sent. */
  readonly takesValues?: boolean;
  /** Makes connections to one node. */
  connectionsTo(config: MysqlNodeConfig): ConnectionFactory;
  /** Looks at one node. */
  probeOf(options: ReplicationProbeOptions): HealthProbe;
  /** Ends the statement of a connection from the side, with the node's account or that in `credentials`. Never rejects. */
  kill(
    connection: PhysicalConnection,
    config: MysqlNodeConfig,
    credentials?: MysqlCredentials | CredentialsSource,
  ): Promise<KillOutcome>;
}

/** Servers in the network. */
export const realServers: ServerPorts = Object.freeze({
  connectionsTo: createConnectionFactory,
  probeOf: createReplicationProbe,
  kill: killQuery,
});
