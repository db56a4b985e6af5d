/** What a session needs of the cluster that it belongs to. */
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import type { StatementTrace } from '../diagnostics/statement-trace.js';
import type { Classification } from './classifier/classification.js';
import type { ClusterNode } from './cluster-node.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { QueryRouter } from './query-router.js';
import type { ActiveScope } from './scope.js';
import type { ToldNumbers } from './told-numbers.js';
import type { WriteGate } from './write-gate.js';

/** A statement was given a node. */
export interface RouteEvent {
  /** The text, with its placeholders. */
  readonly sql: string;
  /** What the text does. */
  readonly kind: string;
  /** The node that it goes to. */
  readonly node: NodeId;
  /** The role of that node. */
  readonly role: string;
  /** Why. */
  readonly because: string;
}

/** A statement that was given up and could not be ended on its server. */
export interface KillFailure {
  /** The node where it goes on. */
  readonly node: NodeId;
  /** The number of its session there. */
  readonly threadId: number;
  /** Its text, with its placeholders. */
  readonly sql: string;
  /** Why, and what to do. */
  readonly error: Error;
}

/** The cluster as its sessions see it. */
export interface SessionPorts {
  /** Chooses nodes. */
  readonly router: QueryRouter;
  /** The numbers of server sessions that callers were told. */
  readonly numbers: ToldNumbers;
  /** How long a write waits for a primary, in milliseconds. */
  readonly blockMs: number;
  /** Who must agree to writes; nobody when undefined. */
  readonly writeGate: WriteGate | undefined;
  /**
   * Throws when the cluster was closed.
   *
   * @throws StormlampError `ERR_CLOSED`.
   */
  checkOpen(): void;
  /** The place in the application that calls now, when leaks are looked for. */
  callSite(): string | undefined;
  /** The `sql_mode` with which sessions begin, as far as it is known and the same on all nodes. */
  readonly sqlMode: string | undefined;
  /** Notes that a session has begun on `connection` with another mode than was expected. */
  modeSeen(connection: PhysicalConnection): void;
  /** What a text is in a session with this `sql_mode`; cached. With undefined, the stricter answer of all modes. */
  classify(sql: string, mode: string | undefined): Classification;
  /** What a text is that looks like a read and was refused by a read-only server: it writes, and that is remembered. */
  noteWriter(sql: string, read: Classification): Classification;
  /** The node called `id`; it is one of the topology's. */
  node(id: NodeId): ClusterNode;
  /**
   * The primary, as soon as there is one.
   *
   * Rejects with `ERR_NO_PRIMARY` or `ERR_SPLIT_BRAIN` at the deadline.
   */
  waitForWriter(deadline: Deadline): Promise<NodeId>;
  /** Looks at a node now; resolves when that is done, never rejects. */
  refresh(node: NodeId): Promise<void>;
  /** Ends the statement `sql` that `connection` is working on, from the side; the connection is not used again. */
  cancel(connection: PhysicalConnection, sql: string): void;
  /** Gives a connection back to its pool. */
  release(connection: PhysicalConnection): void;
  /** Closes a connection that cannot be lent again. */
  discard(connection: PhysicalConnection): void;
  /** Tells who wants to know that a statement was given a node. */
  routed(
    sql: string,
    classification: Classification,
    node: NodeId,
    because: string,
    trace?: StatementTrace | undefined,
  ): void;
}

/** What a statement is run with besides itself. */
export interface CallContext {
  /** The limit of the whole call. */
  readonly deadline: Deadline;
  /** The scope in which the call was made. */
  readonly scope: ActiveScope | undefined;
  /** Where the call's way is noted, when somebody traces it. */
  readonly trace?: StatementTrace | undefined;
  /** Whether the statement is ours and not the caller's: it may end the transaction that a function runs in. */
  readonly isOwn?: boolean | undefined;
}
