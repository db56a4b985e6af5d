/** One database node as the client uses it: its pool, its breakers, and what it is working on. */

import type { BreakerChange, BreakerState, BreakerTicket, NodeBreaker } from '../breaker/node-breaker.js';
import { createNodeBreaker } from '../breaker/opossum-breaker.js';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError, type StormlampError } from '../common/stormlamp-error.js';
import type { ConnectHooks } from './connection-maker.js';
import type { NodePool } from './node-pool.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { PoolStats } from './pool-errors.js';
import { isNodeFault } from './server-error.js';

/** What a statement is to a node. */
export type Operation = 'read' | 'write';

/** Counters and gauges of one node, for people and metrics. */
export interface NodeStats {
  /** The node. */
  readonly node: NodeId;
  /** Statements that are under way. */
  readonly inFlight: number;
  /** Statements sent as reads since the start. */
  readonly reads: number;
  /** Statements sent as writes, or to the primary for another reason, since the start. */
  readonly writes: number;
  /** Statements that failed in a way that speaks against the node, since the start. */
  readonly faults: number;
  /** The connections. */
  readonly pool: PoolStats;
  /** The phase of each breaker. */
  readonly breakers: Readonly<Record<'connect' | Operation, BreakerState>>;
}

/** What a {@link ClusterNode} is made of. */
export interface ClusterNodeParts {
  /** The node. */
  readonly id: NodeId;
  /** Makes its pool, which asks and tells the node's breaker about connections. */
  readonly createPool: (hooks: ConnectHooks) => NodePool;
  /** Makes a connection that is none of the pool's. */
  readonly connectAside: (deadline: Deadline) => Promise<PhysicalConnection>;
  /** Told when a breaker changes its phase. */
  readonly onBreakerChange: (change: BreakerChange) => void;
  /** Told when a connection could not be made. */
  readonly onConnectError: (error: Error) => void;
  /** Told when a connection was made. */
  readonly onConnected: (connection: PhysicalConnection) => void;
  /** Whether another node could serve if this one did not; the last one is never ejected. */
  readonly canBeSpared: () => boolean;
}

/** After a fault, the successes of this long are counted, too, so that the error rate is right while it matters. */
const WATCHFUL_MS = 10_000;

/** A statement is never a fault for being slow: the monitor finds out whether the node hangs. */
const CALL_TIMEOUT_MS = 2_147_483_647;

const UNCOUNTED: BreakerTicket = Object.freeze({ success: () => undefined, failure: () => undefined });

/** A node of the cluster. */
export class ClusterNode {
  /** The node. */
  readonly id: NodeId;
  /** Its connections. */
  readonly pool: NodePool;
  /**
   * Makes a connection that is none of the pool's, for a holder of one who needs another one for a moment: holders who wait for
   * each other's would wait for ever. Destroy it. Rejects as a connection factory does.
   */
  readonly connectAside: (deadline: Deadline) => Promise<PhysicalConnection>;
  readonly #breakers: Readonly<Record<'connect' | Operation, NodeBreaker>>;
  readonly #counts: Record<Operation, number> = { read: 0, write: 0 };
  readonly #working = new Set<PhysicalConnection>();
  readonly #waiting = new Set<(reason: unknown) => void>();
  readonly #asked = new Set<PhysicalConnection>();
  #faults = 0;
  #inFlight = 0;
  #watchfulUntil = 0;
  /** How many statements had ended when {@link ClusterNode.isStill} was asked last; undefined when none was waited for. */
  #endedBefore: number | undefined;

  /** Makes the node. */
  constructor(parts: ClusterNodeParts) {
    const { id, onBreakerChange, canBeSpared } = parts;
    this.id = id;
    this.connectAside = parts.connectAside;
    const options = { node: id, callTimeoutMs: CALL_TIMEOUT_MS, onChange: onBreakerChange };
    const connect = createNodeBreaker({
      ...options,
      operation: 'connect',
      isNodeFault,
      canOpen: canBeSpared,
    });
    this.#breakers = {
      connect,
      read: createNodeBreaker({
        ...options,
        operation: 'read',
        isNodeFault: isStatementFault,
        canOpen: canBeSpared,
      }),
      write: createNodeBreaker({ ...options, operation: 'write', isNodeFault: isStatementFault }),
    };
    this.pool = parts.createPool({
      admitConnect: () => connect.admit(),
      onConnectError: parts.onConnectError,
      onConnected: parts.onConnected,
    });
  }

  /** Statements that are under way or wait for a connection. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Why it let nobody in when that was tried last; undefined when it did, or did not answer. */
  get refusal(): Error | undefined {
    return this.pool.refusal;
  }

  /** When reads were let through again last, monotonic milliseconds; `-Infinity` when they always were. */
  get returnedAt(): number {
    return Math.max(this.#breakers.connect.returnedAt, this.#breakers.read.returnedAt);
  }

  /**
   * Whether something is under way, or waits for a connection, and nothing has ended since the last time that this was asked and
   * something was under way: the node may be slow, or silent.
   */
  isStill(): boolean {
    const ended = this.#counts.read + this.#counts.write - this.#inFlight;
    const before = this.#endedBefore;
    const isBusy = this.#inFlight > 0 || this.#waiting.size > 0;
    this.#endedBefore = isBusy ? ended : undefined;
    return isBusy && ended === before;
  }

  /** Whether the breakers let calls of this kind through. */
  allows(operation: Operation): boolean {
    return this.#breakers[operation].allows && this.#breakers.connect.allows;
  }

  /** A connection that can be had at once; undefined when that needs a wait, or when the breaker is open. */
  tryAcquire(operation: Operation): PhysicalConnection | undefined {
    return this.#breakers[operation].allows ? this.pool.tryAcquire() : undefined;
  }

  /**
   * A connection for one call; `side` for what has to reach the node whatever became of its statements.
   *
   * Rejects with `ERR_BREAKER_OPEN`, with the reason of {@link ClusterNode.sendAway}, or as {@link NodePool.acquire} does.
   */
  acquire(operation: Operation | 'side', deadline: Deadline): Promise<PhysicalConnection> {
    return new Promise((resolve, reject) => {
      if (operation !== 'side' && !this.#breakers[operation].allows) this.#breakers[operation].admit();
      this.#waiting.add(reject);
      this.pool.acquire(deadline).then(
        (connection) => {
          if (this.#waiting.delete(reject)) resolve(connection);
          else this.pool.release(connection);
        },
        (error: unknown) => {
          this.#waiting.delete(reject);
          reject(error);
        },
      );
    });
  }

  /** Sends those away who wait for a connection: nothing of theirs was sent, and another node may serve them. */
  sendAway(reason: StormlampError): void {
    for (const reject of this.#waiting) reject(reason);
    this.#waiting.clear();
  }

  /** Notes the start of a statement. The ticket is settled by {@link ClusterNode.finished} or {@link ClusterNode.failed}. */
  started(operation: Operation, connection: PhysicalConnection): BreakerTicket {
    this.#working.add(connection);
    this.#inFlight += 1;
    this.#counts[operation] += 1;
    if (this.#watchfulUntil === 0) return UNCOUNTED;
    if (performance.now() > this.#watchfulUntil) {
      this.#watchfulUntil = 0;
      return UNCOUNTED;
    }
    const breaker = this.#breakers[operation];
    return breaker.allows ? breaker.admit() : UNCOUNTED;
  }

  /** Notes that the node answered a statement, with whatever. */
  finished(ticket: BreakerTicket, connection: PhysicalConnection): void {
    this.#working.delete(connection);
    this.#inFlight -= 1;
    ticket.success();
  }

  /** Notes that a statement failed. */
  failed(operation: Operation, ticket: BreakerTicket, error: unknown, connection: PhysicalConnection): void {
    this.#working.delete(connection);
    this.#inFlight -= 1;
    this.#failed(operation, ticket, error);
  }

  /** Notes what a health probe found. */
  probed(outcome: { readonly ok: true } | { readonly ok: false; readonly error: unknown }): void {
    for (const breaker of this.#all()) breaker.probed(outcome);
    if (outcome.ok) this.pool.nodeReachable();
  }

  /**
   * Gives up what is under way, because the node has not answered anybody for a while and nobody knows whether it ever
   * will: reads are then sent to another node, and writes have an unknown outcome.
   */
  abandon(): void {
    for (const connection of this.#working) connection.destroy();
  }

  /** Notes that a question of our own waits on `connection` for what only the primary can answer; the returned function ends that. */
  asked(connection: PhysicalConnection): () => void {
    this.#asked.add(connection);
    return () => this.#asked.delete(connection);
  }

  /** Gives up what was asked of it as the primary: another node is that now. */
  giveUpQuestions(): void {
    for (const connection of this.#asked) connection.destroy();
  }

  /** Keeps all calls away until the returned function is called. */
  isolate(reason: string): () => void {
    const releases = this.#all().map((breaker) => breaker.isolate(reason));
    return () => {
      for (const release of releases) release();
    };
  }

  /** Counters and gauges. */
  stats(): NodeStats {
    return {
      node: this.id,
      inFlight: this.#inFlight,
      reads: this.#counts.read,
      writes: this.#counts.write,
      faults: this.#faults,
      pool: this.pool.stats,
      breakers: {
        connect: this.#breakers.connect.state,
        read: this.#breakers.read.state,
        write: this.#breakers.write.state,
      },
    };
  }

  /** Stops the breakers; the pool is closed by its owner. */
  closeBreakers(): void {
    for (const breaker of this.#all()) breaker.close();
  }

  #all(): readonly NodeBreaker[] {
    return [this.#breakers.connect, this.#breakers.read, this.#breakers.write];
  }

  #failed(operation: Operation, ticket: BreakerTicket, error: unknown): void {
    if (!isStatementFault(error)) {
      ticket.success();
      return;
    }
    this.#faults += 1;
    this.#watchfulUntil = performance.now() + WATCHFUL_MS;
    if (ticket !== UNCOUNTED) {
      ticket.failure(error);
      return;
    }
    const breaker = this.#breakers[operation];
    if (breaker.allows) breaker.admit().failure(error);
  }
}

/** Whether an error of a statement or of its connection speaks against the node: a slow statement does not. */
function isStatementFault(error: unknown): boolean {
  if (isStormlampError(error, ErrorCode.TIMEOUT) || isStormlampError(error, ErrorCode.ABORTED)) return false;
  if ((error as { code?: unknown } | null)?.code === 'PROTOCOL_SEQUENCE_TIMEOUT') return false;
  return isNodeFault(error);
}
