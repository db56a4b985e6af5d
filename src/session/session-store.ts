/** PHP's sessions on replicated memcached nodes. */
import type { CallOptions } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import type { ReplicatedCopies } from '../memcached/copies/replicated-copies.js';
import type { NodeResyncReport } from '../memcached/resync/resync.js';
import { CommonSessionStore } from './common-session-store.js';
import { forwardResyncEvents } from './forward-resync-events.js';
import { MemcachedSessions } from './memcached-sessions.js';
import type { NodeChangeState, SetNodesOptions } from './node-change.js';
import type { SessionStoreEvents } from './session-events.js';
import { assertSessionId } from './session-id.js';
import type { SessionNodeStatus, SessionNodes } from './session-nodes.js';
import type { ResolvedSessionOptions } from './session-options.js';
import { preflightSessions, type SessionPreflightReport } from './session-preflight.js';

/** Sessions on memcached nodes, byte-compatible with PHP's own. Made by `createSessionStore`. */
export class SessionStore extends CommonSessionStore<ResolvedSessionOptions, SessionStoreEvents> {
  /** Tells it from a store in files. */
  readonly kind: 'memcached' = 'memcached';
  readonly #sessions: MemcachedSessions;

  /** @internal */
  constructor(
    options: ResolvedSessionOptions,
    createNode?: ConstructorParameters<typeof SessionNodes>[3],
    endsByItself?: ConstructorParameters<typeof MemcachedSessions>[2],
  ) {
    const sessions = new MemcachedSessions(options, createNode, endsByItself);
    super(sessions);
    this.#sessions = sessions;
    forwardResyncEvents(sessions.resync.resync, this);
  }

  /**
   * Looks at every node once, and goes on looking.
   *
   * @internal
   */
  start(replacedToo?: boolean): Promise<void> {
    return this.#sessions.start(replacedToo);
  }

  /**
   * Looks at all nodes now, and brings every one that can be reached up to date: one that came back empty is filled from the
   * others, one that missed writes gets them. That happens by itself, too; this waits for it. How far it is, is told by the
   * events `resync-started`, `resync-progress` and `resynced`.
   *
   * @returns what became of each node. Errors: `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`.
   */
  async resync(options?: CallOptions): Promise<readonly NodeResyncReport[]> {
    this.assertOpen();
    return await this.#sessions.resync.resync.run(options);
  }

  /**
   * Adds and removes nodes while the store serves: `prepare`, `switch`, `finish`, each in every process before any takes the next
   * one. `switch` waits until the nodes hold what they shall hold. The number of copies stays as it is. See docs/replication.md.
   *
   * @param nodes all nodes from now on, in the order of PHP's `save_path`
   * @throws StormlampError `ERR_CHANGE_REFUSED` for a step out of turn, `ERR_STORE_DOWN` naming nodes that do not answer: the store then
   * goes on as it was. `ERR_INVALID_OPTION`, `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`; what copying to a node came to.
   */
  async setNodes(nodes: readonly string[], options: SetNodesOptions): Promise<void> {
    this.assertOpen();
    await this.#sessions.change.take(nodes, options);
    this.publish('nodes-changed', { step: options.step, nodes: this.options.nodes.map(({ id }) => id) });
  }

  /** How far this process has come in a change of nodes; undefined when none is under way. */
  get nodeChange(): NodeChangeState | undefined {
    return this.#sessions.change.underWay;
  }

  /**
   * Whether the nodes allow what the store may have to do: each is asked whether it can be filled from the others, which nodes with SASL
   * cannot be. Never rejects for what it finds. Errors: `ERR_CLOSED`.
   */
  async preflight(): Promise<SessionPreflightReport> {
    this.assertOpen();
    return await preflightSessions(this.options);
  }

  /** The nodes, the phases of their breakers and how far they are to be trusted. */
  status(): readonly SessionNodeStatus[] {
    return this.#sessions.nodes.status();
  }

  /** The nodes that hold the copies of a session, the deciding one first. */
  holders(id: string): readonly NodeId[] {
    assertSessionId(id, this.options.accept);
    return this.copies.holders(this.#sessions.key(id)).map((node) => node.id);
  }

  /** @internal The nodes, looked at. */
  get nodes(): SessionNodes {
    return this.#sessions.nodes;
  }

  /** @internal The copies of sessions, for what else serves them. */
  get copies(): ReplicatedCopies {
    return this.#sessions.copies;
  }
}
