/** What can be done to the network in front of a node, in the words that users see. */

/** Names of the faults. */
export type FaultKind = 'latency' | 'partition' | 'reset' | 'half-open' | 'throttle' | 'slice';

/** Which way bytes go: from the client to the server, from the server to the client, or both. */
export type FaultDirection = 'to-server' | 'to-client' | 'both';

/** A fault that is in force until it is healed; `using` heals it at the end of the block. */
export interface Fault extends Disposable {
  /** What it does. */
  readonly kind: FaultKind;
  /** Whether it is still in force. */
  readonly active: boolean;
  /** Ends this fault and leaves the others in force. Does nothing the second time. */
  heal(): void;
}

/** What every fault can be limited to. */
export interface FaultOptions {
  /**
   * Of a database's connections only those of `'clients'`, or only those by which replicas read its binary log
   * (`'replication'`). Default: all. A new connection is known as one or the other when its client logs in.
   */
  readonly only?: 'clients' | 'replication';
}

/** A slow network. */
export interface LatencyOptions extends FaultOptions {
  /** Milliseconds that every piece of data is held back. */
  readonly ms: number;
  /** At most so many milliseconds more, by chance, without changing the order. Default 0. */
  readonly jitterMs?: number;
  /** Default `'to-client'`, so that `ms` is what a round trip takes longer. */
  readonly direction?: FaultDirection;
}

/** A cut network. */
export interface PartitionOptions extends FaultOptions {
  /** Default `'both'`. */
  readonly direction?: FaultDirection;
}

/** A narrow network. */
export interface ThrottleOptions extends FaultOptions {
  /** How many bytes a second pass on each connection. */
  readonly bytesPerSecond: number;
  /** Default `'both'`. */
  readonly direction?: FaultDirection;
}

/** A network that tears data into small pieces. */
export interface SliceOptions extends FaultOptions {
  /** The size of the largest piece. */
  readonly bytes: number;
  /** Default `'both'`. */
  readonly direction?: FaultDirection;
}

/** The faults of one node, or of all nodes of a cluster. Several can be in force at once. */
export interface NodeFaults {
  /** Holds data back. The TCP handshake itself is not slowed. */
  latency(options: LatencyOptions): Fault;
  /**
   * A black hole: connections stay open and nothing passes, nothing is lost, no side learns anything, not even that the
   * other one closed. New connections are accepted and get no answer. When healed, what was held goes on.
   */
  partition(options?: PartitionOptions): Fault;
  /** Resets (RST) every connection, and every new one as soon as it is there. */
  reset(options?: FaultOptions): Fault;
  /**
   * The server forgets every connection and the client is not told: it can write, and gets no answer. New connections
   * are accepted and never reach the server. When healed, they are reset.
   */
  halfOpen(options?: FaultOptions): Fault;
  /** Lets only so many bytes a second through. */
  throttle(options: ThrottleOptions): Fault;
  /** Passes data in pieces, each in a packet of its own. */
  slice(options: SliceOptions): Fault;
  /** Ends all faults. */
  heal(): void;
  /** The faults in force, oldest first. */
  readonly active: readonly FaultKind[];
}
