/** The port through which a monitor looks at a server; the room that knows the server's protocol implements it. */
import type { ServerFacts } from '../topology/node-description.js';

/** Looks at one node. */
export interface HealthProbe {
  /**
   * Reads the facts of the node, within `timeoutMs`.
   * Rejects with the error of the driver or the server as it came; the monitor classifies it.
   */
  probe(options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<ServerFacts>;
  /** Connects anew with the next look, because the node's name has come to stand for another server. */
  reconnect?(): void;
  /** Gives up connections at once. */
  close(): void;
}
