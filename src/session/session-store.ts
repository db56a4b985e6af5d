/** PHP's sessions for Node: loads, saves by merge, touches and destroys them on replicated memcached nodes. */
import { asError } from '../common/as-error.js';
import type { CallOptions, Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { publish } from '../diagnostics/channels.js';
import { type CopyKey, retiredKey } from '../memcached/copies/copy-key.js';
import { storeDown } from '../memcached/copies/copy-report.js';
import { ReplicatedCopies } from '../memcached/copies/replicated-copies.js';
import { exptimeOf } from '../memcached/exptime.js';
import type { NodeResyncReport } from '../memcached/resync/resync.js';
import { SessionDocument } from '../php/session-document.js';
import { BackgroundWork } from './background-work.js';
import { forwardResyncEvents } from './forward-resync-events.js';
import { memcachedLock, memcacheLock } from './lock-protocol.js';
import { mergeRivals } from './merge-rivals.js';
import { NodeChange, type SetNodesOptions } from './node-change.js';
import { regenerateSession } from './regenerate-session.js';
import { encodeRetiredNote } from './retired-note.js';
import { RetiredSessions } from './retired-sessions.js';
import { type HeldSessionLock, Session } from './session.js';
import type { SessionStoreEvents } from './session-events.js';
import { assertSessionId, createSessionId } from './session-id.js';
import {
  sessionDataKey,
  sessionIdOf,
  sessionLockKey,
  sessionPlacement,
  sessionRing,
} from './session-keys.js';
import { SessionLocks } from './session-lock.js';
import { type SessionNodeStatus, SessionNodes } from './session-nodes.js';
import { noteLifetimeMs, type ResolvedSessionOptions } from './session-options.js';
import { SessionResync } from './session-resync.js';
import { type LoadOptions, type RegenerateOptions, sessionDeadline } from './session-store-port.js';
import { sessionBytes } from './session-values.js';
import { type SaveResult, SessionWriter } from './session-writer.js';
import { tellDecider, tellMissed } from './tell-copies.js';
import { surelyUnderLock, underLock } from './under-lock.js';

/** Sessions on memcached nodes, byte-compatible with PHP's own. Made by `createSessionStore`. */
export class SessionStore extends SafeEmitter<SessionStoreEvents> {
  /** Tells it from a store in files. */
  readonly kind: 'memcached' = 'memcached';
  /** @internal The nodes, looked at. */
  readonly nodes: SessionNodes;
  /** @internal The copies of sessions, for what else serves them. */
  readonly copies: ReplicatedCopies;
  readonly #locks: SessionLocks;
  readonly #writer: SessionWriter;
  readonly #resync: SessionResync;
  readonly #change: NodeChange;
  readonly #background = new BackgroundWork();
  readonly #retired: RetiredSessions = new RetiredSessions({
    note: (id, note, options) => {
      const exptime = exptimeOf(Math.max(1, note.endsAt - Date.now()));
      const content = { value: encodeRetiredNote(note), exptime };
      return this.copies.store(retiredKey(this.#key(id)), content, sessionDeadline(options));
    },
    destroy: async (id, options) => {
      await this.destroy(id, options);
      await this.copies.delete(retiredKey(this.#key(id)), sessionDeadline(options));
    },
    // What is no id was not written by us.
    holds: async (id, followed, options) =>
      !this.options.accept.test(id) || (await this.#read(id, options, followed)).item !== null,
    shorten: async (id, remainingMs, options) => {
      const exptime = exptimeOf(remainingMs, this.options.handler);
      tellMissed(this, 'touch', await this.copies.touch(this.#key(id), exptime, sessionDeadline(options)));
    },
  });
  #closed = false;

  /** @internal */
  constructor(options: ResolvedSessionOptions, createNode?: ConstructorParameters<typeof SessionNodes>[3]) {
    super();
    this.nodes = new SessionNodes(
      options,
      (change) => this.publish('breaker-changed', change),
      (node, before, after) => this.publish('node-standing', { node, before, after }),
      createNode,
      () => this.copies.places.ring,
    );
    this.copies = new ReplicatedCopies({
      nodes: this.nodes.nodes,
      place: sessionPlacement(options),
      copies: options.copies,
      ring: sessionRing(options),
      standings: this.nodes.standings,
      operationTimeoutMs: options.operationTimeoutMs,
      noteLifetimeMs: noteLifetimeMs(options.lifetimeMs),
      onDiffering: (key) => this.#resync.mendLater(key),
    });
    this.#writer = new SessionWriter({
      store: options,
      copies: this.copies,
      onConflict: (decision) => this.publish('conflict-decided', decision),
      onReport: (report) => tellMissed(this, 'save', report),
      endOf: (id) => this.#retired.endOf(id),
    });
    this.#locks = new SessionLocks(this.copies, {
      protocol: (options.handler === 'memcache' ? memcacheLock : memcachedLock)(options.lockExpireMs),
      waitMs: options.lockWaitMs,
      breakMs: options.lockBreakMs,
      onBroken: (broken) => this.publish('lock-broken', broken),
      onLost: (lost) => this.publish('lock-lost', lost),
    });
    this.#resync = new SessionResync({
      store: options,
      copies: this.copies,
      addressOf: (node) => this.nodes.addressOf(node),
      standings: this.nodes.standings,
      monitor: this.nodes.monitor,
      locked: async (key, deadline, work) =>
        underLock(await this.#lock(sessionIdOf(options, key), deadline), work),
      onConflict: (decision) => this.publish('conflict-decided', decision),
    });
    forwardResyncEvents(this.#resync.resync, this);
    const { resync } = this.#resync;
    this.#change = new NodeChange({ store: options, nodes: this.nodes, copies: this.copies, resync });
  }

  /**
   * Looks at every node once, and goes on looking.
   *
   * @internal
   */
  async start(): Promise<void> {
    this.nodes.monitor.on('node-observed', (seen) => this.#resync.resync.observed(seen));
    await this.nodes.start();
    if (this.options.resync) await this.#resync.resync.start();
  }

  /** A session that is not in the store: it gets there by `save`, once it has a variable. */
  create(): Session {
    return Session.absent(createSessionId(this.options.idFormat), this.options.serialize);
  }

  /**
   * Reads a session. The first node in PHP's order decides; only when it cannot answer is the next one asked.
   * A session that is not there is returned with `exists` false and the id that was asked for, without a lock.
   *
   * @throws StormlampError `ERR_SESSION_ID`, `ERR_SESSION_LOCKED` (with `lock`), `ERR_STORE_DOWN`, `ERR_PHP_SYNTAX` (what is stored is not a session),
   * `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`.
   */
  async load(id: string, options?: LoadOptions): Promise<Session> {
    if (!(options?.lock ?? this.options.conflict === 'lock')) return this.#load(id, options);
    this.#assertOpen();
    assertSessionId(id, this.options.accept);
    const lock = await this.#locks.acquire(sessionLockKey(this.options, id), sessionDeadline(options));
    lock.keep();
    try {
      const session = await this.#load(id, options);
      if (session.exists) session.holdLock(lock);
      else await lock.release();
      return session;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async #load(id: string, options: CallOptions | undefined): Promise<Session> {
    const { item, node } = await this.#read(id, options);
    publish('session', () => ({ operation: 'load', node, detail: item === null ? 'miss' : 'hit' }));
    return item === null
      ? Session.absent(id, this.options.serialize)
      : Session.stored(id, this.#decode(item));
  }

  /** Reads the stored bytes of a session, undecoded; null when it is not there. Errors: as `load`. */
  async readRaw(id: string, options?: CallOptions): Promise<Buffer | null> {
    return (await this.#read(id, options)).item;
  }

  /**
   * Stores the variables that were changed since the session was loaded.
   *
   * Takes the lock that PHP takes, reads what is stored now, merges variable by variable, compares and sets on the
   * first node, writes the same bytes to the other copies, and unlocks. An unchanged session writes nothing. A session
   * that was loaded with its lock is unlocked by this, whatever the outcome; another save takes the lock anew. Where the lock
   * turns out to have been lost meanwhile, it is taken again, to see to it that nobody overwrote what was saved.
   *
   * @throws StormlampError `ERR_SESSION_LOCKED`, `ERR_STORE_DOWN`, `ERR_SESSION_TOO_LARGE`, `ERR_PHP_VALUE` (a value
   * that PHP has no counterpart for), `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`, `ERR_OUTCOME_UNKNOWN` (the lock was lost
   * every time). After an error nothing in `session` is lost.
   */
  async save(session: Session, options?: CallOptions): Promise<SaveResult> {
    this.#assertOpen();
    assertSessionId(session.id, this.options.accept);
    const deadline = sessionDeadline(options);
    return session.turns.run(deadline, () => this.#save(session, deadline));
  }

  async #save(session: Session, deadline: Deadline): Promise<SaveResult> {
    const changes = session.pendingChanges();
    const over = (this.#retired.endOf(session.id) ?? Number.POSITIVE_INFINITY) <= Date.now();
    if (changes === undefined || over) {
      await session.release();
      return { outcome: over ? 'gone' : 'unchanged', copies: [] };
    }
    if (this.options.conflict === 'last-write-wins')
      return this.#writer.overwrite(session, changes, deadline).finally(() => session.release());
    const merged = await surelyUnderLock(
      () => this.#lock(session, deadline),
      (again) => this.#writer.merge(session, changes, deadline, again),
    );
    if (merged === undefined) return { outcome: 'gone', copies: [] };
    return this.#writer.saved(session, changes, merged);
  }

  /** Stores bytes as they are on every copy, under the lock. For tools that move sessions; `save` is for applications. */
  async writeRaw(id: string, bytes: Buffer, options?: CallOptions): Promise<SaveResult> {
    this.#assertOpen();
    assertSessionId(id, this.options.accept);
    // What PHP cannot decode it deletes, so it must not get there.
    this.#decode(bytes);
    const deadline = sessionDeadline(options);
    return surelyUnderLock(
      () => this.#lock(id, deadline),
      () => this.#writer.raw(id, bytes, deadline),
    );
  }

  /**
   * Renews the expiry of every copy. A session that was replaced by `regenerate` keeps the moment that it has. Errors:
   * `ERR_SESSION_ID`, `ERR_STORE_DOWN`, `ERR_CLOSED`.
   */
  async touch(id: string, options?: CallOptions): Promise<void> {
    this.#assertOpen();
    const note = await this.copies.read(retiredKey(this.#key(id)), sessionDeadline(options));
    if (note.item === null) await this.#touch(id, options);
  }

  async #touch(id: string, options?: CallOptions): Promise<void> {
    const key = this.#key(id);
    const report = await this.copies.touch(key, exptimeOf(this.options.lifetimeMs), sessionDeadline(options));
    tellMissed(this, 'touch', report);
    if (report.reached.length === 0) throw storeDown(report.missed);
  }

  /** `touch` of a session that was just loaded, which nobody waits for; `close` does. */
  touchLater(id: string): void {
    if (this.#closed || this.#retired.endOf(id) !== undefined) return;
    this.#background.add(this.#touch(id));
  }

  /**
   * Removes every copy, under the lock; a session that was loaded with its lock is given as it is, not by its id.
   *
   * @throws StormlampError `ERR_STORE_DOWN` when no copy could be removed; a copy that was missed is the event `copy-missed`.
   */
  async destroy(target: string | Session, options?: CallOptions): Promise<void> {
    this.#assertOpen();
    const id = typeof target === 'string' ? target : target.id;
    const key = this.#key(id);
    const deadline = sessionDeadline(options);
    for (const replaced of this.#retired.take(id)) await this.destroy(replaced, options);
    await surelyUnderLock(
      () => this.#lock(target, deadline),
      async () => {
        const report = await this.copies.delete(key, deadline);
        tellMissed(this, 'destroy', report);
        if (report.reached.length === 0) throw storeDown(report.missed);
      },
    );
    publish('session', () => ({ operation: 'destroy', node: undefined, detail: '' }));
  }

  /**
   * Saves the session's variables under a new id; the session with the new id. The old session stays as it was stored, for
   * requests that are under way with its id, and is removed after `graceMs`, or with the new one. Errors: as `save`.
   */
  async regenerate(session: Session, options?: RegenerateOptions): Promise<Session> {
    this.#assertOpen();
    const deadline = sessionDeadline(options);
    return session.turns.run(deadline, () =>
      regenerateSession(session, this.options, this.#retired, options, {
        save: (renamed) => this.save(renamed, options),
        // Nothing that a page of PHP saves meanwhile may be left behind.
        locked: async (work) =>
          underLock(await this.#lock(session, deadline), async () =>
            work(await this.readRaw(session.id, options)),
          ),
      }),
    );
  }

  /** Tells listeners of `save-failed` or `save-dropped` about a save whose caller cannot be told any more. */
  reportSaveFailure(error: unknown): void {
    const gone = isStormlampError(error, ErrorCode.SESSION_GONE);
    this.publish(gone ? 'save-dropped' : 'save-failed', { error: asError(error) });
  }

  /**
   * Looks at all nodes now, and brings every one that can be reached up to date: one that came back empty is filled from the
   * others, one that missed writes gets them. That happens by itself, too; this waits for it. How far it is, is told by the
   * events `resync-started`, `resync-progress` and `resynced`.
   *
   * @returns what became of each node. Errors: `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`.
   */
  async resync(options?: CallOptions): Promise<readonly NodeResyncReport[]> {
    this.#assertOpen();
    return await this.#resync.resync.run(options);
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
    this.#assertOpen();
    await this.#change.take(nodes, options);
    this.publish('nodes-changed', { step: options.step, nodes: this.options.nodes.map(({ id }) => id) });
  }

  /** The options in force. */
  get options(): ResolvedSessionOptions {
    return this.#change.options;
  }

  /** The nodes, the phases of their breakers and how far they are to be trusted. */
  status(): readonly SessionNodeStatus[] {
    return this.nodes.status();
  }

  /** The nodes that hold the copies of a session, the deciding one first. */
  holders(id: string): readonly NodeId[] {
    return this.copies.holders(this.#key(id)).map((node) => node.id);
  }

  /** Waits for what is under way, then closes the connections. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#retired.close();
    this.#closed = true;
    await this.nodes.stop();
    await this.#resync.close();
    await this.#background.settled();
    await this.#locks.releaseAll();
    await this.nodes.close();
  }

  /** Same as {@link SessionStore.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read(
    id: string,
    options: CallOptions | undefined,
    followed = 0,
  ): Promise<{ readonly item: Buffer | null; readonly node: NodeId }> {
    this.#assertOpen();
    const key = this.#key(id);
    const read = await this.copies.read(key, sessionDeadline(options), retiredKey(key));
    tellDecider(this, this.nodes.standings, key, read.node);
    const { item, node, rivals, beside } = read;
    const { handler, serialize } = this.options;
    const over = beside !== null && (await this.#retired.isOver(id, beside.value, followed, options));
    if (item === null || over) return { item: null, node };
    const bytes = sessionBytes(item, handler);
    if (rivals.length === 0) return { item: bytes, node };
    const others = rivals.map((rival) => sessionBytes(rival, handler));
    return { item: mergeRivals(bytes, others, serialize).bytes, node };
  }

  async #lock(target: string | Session, deadline: Deadline): Promise<HeldSessionLock> {
    const id = typeof target === 'string' ? target : target.id;
    const held = typeof target === 'string' ? undefined : target.takeLock();
    if (held !== undefined) return held;
    const lock = await this.#locks.acquire(sessionLockKey(this.options, id), deadline);
    // A machine that is too slow for one life of the lock gives it another.
    lock.keep();
    return lock;
  }

  #decode(bytes: Buffer): SessionDocument {
    return SessionDocument.decode(bytes, this.options.serialize);
  }

  #key(id: string): CopyKey {
    assertSessionId(id, this.options.accept);
    return sessionDataKey(this.options, id);
  }

  #assertOpen(): void {
    if (this.#closed) throw new StormlampError(ErrorCode.CLOSED, 'The session store is closed');
  }
}
