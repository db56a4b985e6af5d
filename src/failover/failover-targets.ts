/** What the failover manager does to the calls of this process. */
import type { NodeId } from '../common/node-address.js';
import type { WriteGate } from '../mysql/write-gate.js';

/** What the manager needs from whoever sends calls to the nodes. */
export interface FailoverTargets {
  /** Sends no calls to `node` until the returned function is called. */
  isolate(node: NodeId, reason: string): () => void;
  /** Lets `gate` decide about writes from now on. */
  guardWrites(gate: WriteGate): void;
}

/** How a node is taken out. */
export interface IsolateOptions {
  /** Shown to callers and in the journal. Default `isolated by an operator`. */
  readonly reason?: string | undefined;
  /** Ends by itself after so many milliseconds; 0, the default, never. */
  readonly ttlMs?: number | undefined;
}
