/** One connection to one memcached server. It is never mended: after a fault a new one is made. */
import type { StormlampError } from '../common/stormlamp-error.js';
import type { PendingCall } from './pending-call.js';
import type { WireRequest } from './wire-message.js';

/** A connection that carries calls until its first fault. */
export interface NodeConnection {
  /** Longest body of an answer in bytes; a longer one is a fault. */
  bodyLimit: number;
  /**
   * Sends one request, or quiet ones and an ordinary one behind them, together with all others of this turn of the event loop. `call`
   * gets the answers with the place of their request, or the fault; it is over with the answer to the last one.
   */
  send(requests: readonly WireRequest[], call: PendingCall): void;
  /** Ends the connection without a fault, when nothing is under way. */
  end(): void;
  /** Throws the connection away: all its calls fail with `error`, which may be told in other words to each. */
  fault(error: StormlampError): void;
}

/** Makes a connection; `onEnd` is called once, before its calls fail. */
export type ConnectNode = (onEnd: (connection: NodeConnection) => void) => NodeConnection;
