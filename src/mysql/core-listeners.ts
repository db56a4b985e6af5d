/** What the machinery of a MySQL client tells the client. */
import type { BreakerChange } from '../breaker/node-breaker.js';
import type { NodeId } from '../common/node-address.js';
import type { ConnectionListeners } from './new-connection.js';
import type { KillFailure, RouteEvent } from './session-ports.js';

/** Who is told what happens inside. */
export interface CoreListeners extends ConnectionListeners {
  /** Whether somebody wants to know about routes; asked for every statement. */
  wantsRoutes(): boolean;
  /** A statement was given a node. */
  onRoute(event: RouteEvent): void;
  /** A breaker changed its phase. */
  onBreakerChange(change: BreakerChange): void;
  /** A connection could not be made. */
  onConnectError(node: NodeId, error: Error): void;
  /** A server that was named by another one cannot be used, or who the replicas are may not be seen. */
  onDiscoveryFailure(node: NodeId, error: Error): void;
  /** The lag of a replica could not be measured. */
  onLagFailure(node: NodeId, error: Error): void;
  /** A statement that was given up goes on on its server. */
  onKillFailure(failure: KillFailure): void;
  /** The heartbeat could not be written. */
  onHeartbeatFailure(node: NodeId, error: Error): void;
}
