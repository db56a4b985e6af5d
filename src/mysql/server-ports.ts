/** How a client reaches its servers; `stormlamp/testing` puts made-up ones in the place of real ones. */
import type { HealthProbe } from '../health/health-probe.js';
import { type ConnectionFactory, createConnectionFactory } from './connection-factory.js';
import type { MysqlNodeConfig } from './connection-options.js';
import { killQuery } from './kill-query.js';
import type { PhysicalConnection } from './physical-connection.js';
import { createReplicationProbe, type ReplicationProbeOptions } from './replication-probe.js';

/** Makes connections to servers, and looks at them. */
export interface ServerPorts {
  /** Makes connections to one node. */
  connectionsTo(config: MysqlNodeConfig): ConnectionFactory;
  /** Looks at one node. */
  probeOf(options: ReplicationProbeOptions): HealthProbe;
  /** Ends a statement from the side. */
  kill(connection: PhysicalConnection, config: MysqlNodeConfig, sql: string): void;
}

/** Servers in the network. */
export const realServers: ServerPorts = Object.freeze({
  connectionsTo: createConnectionFactory,
  probeOf: createReplicationProbe,
  kill: (connection: PhysicalConnection, config: MysqlNodeConfig, sql: string) =>
    void killQuery(connection, config, sql),
});
