/** The events of the MySQL client. */
import type { BreakerChange } from '../breaker/node-breaker.js';
import type { NodeId } from '../common/node-address.js';
import type { TopologyEvents } from '../health/topology-watcher.js';
import type { NewConnection } from './new-connection.js';
import type { MysqlConnection } from './promise-connection.js';
import type { ReplicaFitnessChange } from './replica-fitness.js';
import type { KillFailure, RouteEvent } from './session-ports.js';

/** The events of a `MysqlCluster`. */
export interface MysqlClusterEvents
  extends Pick<
    TopologyEvents,
    'topology-changed' | 'primary-changed' | 'node-changed' | 'warning-began' | 'warning-ended'
  > {
  /**
   * A replica that answers became too late for reads (`reads.maxLagMs`), or stopped, or follows another server, or is fit again.
   * It is judged with each look of its monitor; that it does not answer at all is told as `node-changed`.
   */
  readonly 'replica-fitness-changed': ReplicaFitnessChange;
  /** A statement was given a node. */
  readonly route: RouteEvent;
  /** A breaker changed its phase. */
  readonly 'breaker-changed': BreakerChange;
  /** A connection to a node could not be made. */
  readonly 'connect-failed': { readonly node: NodeId; readonly error: Error };
  /**
   * A server that another one names cannot be used, a node may not be asked for its replicas, or a function of `addressMap` or
   * `discover.resolver` failed. The cluster goes on with the nodes that it knows.
   */
  readonly 'discovery-failed': { readonly node: NodeId; readonly error: Error };
  /**
   * What `monitor.lagSource` names began to fail for a node, whose lag is unknown until it is mended: the function threw, took too
   * long or gave no number, or the heartbeat table is missing or locked.
   */
  readonly 'lag-failed': { readonly node: NodeId; readonly error: Error };
  /**
   * A statement that was given up (a limit, a signal, a stream that was left) could not be ended on its server, and goes on there:
   * the server could not be reached, or the statement is in a routine with the rights of another account.
   */
  readonly 'kill-failed': KillFailure;
  /** The heartbeat, which this process was to write (`monitor.lagSource`), could not be written. */
  readonly 'heartbeat-failed': { readonly node: NodeId; readonly error: Error };
  /**
   * A physical connection to one of the nodes was made. What a listener sends on it runs before anybody borrows it, and again after
   * every reset: session settings made here hold for everything. A listener that fails, or rejects, closes it.
   */
  readonly connection: NewConnection;
  /** A connection was checked out. */
  readonly acquire: MysqlConnection;
  /** A connection was given back. */
  readonly release: MysqlConnection;
}
