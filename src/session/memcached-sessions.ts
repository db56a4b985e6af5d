/** Keeps sessions on replicated memcached nodes: under PHP's keys and locks, the first node deciding. */
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { type CopyKey, retiredKey } from '../memcached/copies/copy-key.js';
import { assertAcknowledged, type CopyReport, storeDown } from '../memcached/copies/copy-report.js';
import { noteLifetimeMs } from '../memcached/copies/note-lifetime.js';
import { type CopyRead, ReplicatedCopies } from '../memcached/copies/replicated-copies.js';
import { exptimeOf } from '../memcached/exptime.js';
import { endsByItself as lockEnds } from './lock-end.js';
import { memcachedLock, memcacheLock } from './lock-protocol.js';
import { mergeRivals } from './merge-rivals.js';
import { NodeChange } from './node-change.js';
import { encodeRetiredNote, type RetiredNote } from './retired-note.js';
import type { HeldSessionLock, Session } from './session.js';
import type { FoundSession, KeeperHost, LockedSession, SessionKeeper } from './session-keeper.js';
import {
  sessionDataKey,
  sessionIdOf,
  sessionLockKey,
  sessionPlacement,
  sessionRing,
} from './session-keys.js';
import { type SessionLockOptions, SessionLocks } from './session-lock.js';
import { SessionNodes } from './session-nodes.js';
import type { ResolvedSessionOptions } from './session-options.js';
import { SessionResync } from './session-resync.js';
import { sessionBytes } from './session-values.js';
import { type SaveResult, type SessionChanges, SessionWriter } from './session-writer.js';
import { surelyUnderLock, underLock } from './under-lock.js';

/** See the head of this file. */
export class MemcachedSessions implements SessionKeeper<ResolvedSessionOptions> {
  /** The nodes. */
  readonly nodes: SessionNodes;
  /** The copies on them. */
  readonly copies: ReplicatedCopies;
  /** What brings nodes up to date. */
  readonly resync: SessionResync;
  /** What changes the list of nodes. */
  readonly change: NodeChange;
  readonly #locks: SessionLocks;
  readonly #writer: SessionWriter;
  #host: KeeperHost = { tell: () => undefined, endOf: () => undefined };

  /** Connects to nothing yet; `endsByItself` is asked about locks on nodes that `createNode` makes. */
  constructor(
    options: ResolvedSessionOptions,
    createNode?: ConstructorParameters<typeof SessionNodes>[3],
    endsByItself: SessionLockOptions['endsByItself'] = (node, key, deadline) =>
      this.#endsByItself(node, key, deadline),
  ) {
    this.nodes = new SessionNodes(
      options,
      (change) => this.#host.tell('breaker-changed', change),
      (node, before, after) => this.#host.tell('node-standing', { node, before, after }),
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
      giveUpMs: options.recopyAfterMs > 0 ? options.recopyAfterMs : Number.POSITIVE_INFINITY,
      onDiffering: (key) => this.resync.mendLater(key),
    });
    this.#writer = new SessionWriter({
      store: options,
      copies: this.copies,
      onConflict: (decision) => this.#host.tell('conflict-decided', decision),
      onReport: (report) => this.#tellMissed('save', report),
      endOf: (id) => this.#host.endOf(id),
    });
    this.#locks = new SessionLocks(this.copies, {
      protocol: (options.handler === 'memcache' ? memcacheLock : memcachedLock)(options.lockExpireMs),
      waitMs: options.lockWaitMs,
      breakMs: options.lockBreakMs,
      endsByItself,
      onBroken: (broken) => this.#host.tell('lock-broken', broken),
      onLost: (lost) => this.#host.tell('lock-lost', lost),
    });
    this.resync = new SessionResync({
      store: options,
      copies: this.copies,
      addressOf: (node) => this.nodes.addressOf(node),
      standings: this.nodes.standings,
      monitor: this.nodes.monitor,
      locked: async (key, deadline, work) =>
        underLock(await this.#lock(sessionIdOf(options, key), deadline), work),
      onConflict: (decision) => this.#host.tell('conflict-decided', decision),
    });
    const { resync } = this.resync;
    this.change = new NodeChange({ store: options, nodes: this.nodes, copies: this.copies, resync });
  }

  /** {@inheritDoc SessionKeeper.options} */
  get options(): ResolvedSessionOptions {
    return this.change.options;
  }

  /** {@inheritDoc SessionKeeper.serve} */
  serve(host: KeeperHost): void {
    this.#host = host;
  }

  /**
   * Looks at every node once, and goes on looking.
   *
   * @param replacedToo whether it may go by nodes that were replaced: nothing is done before it has taken the steps that the others took
   * @throws StormlampError as `createSessionStore`
   */
  async start(replacedToo = false): Promise<void> {
    this.nodes.monitor.on('node-observed', (seen) => {
      if (seen.ok) this.copies.places.learnReplaced(seen.node, seen.answer.replaced);
      this.change.observed(seen);
      this.resync.resync.observed(seen);
    });
    await this.nodes.start();
    if (!replacedToo) this.copies.places.assertKept();
    if (this.options.resync) await this.resync.resync.start();
  }

  /** {@inheritDoc SessionKeeper.read} */
  async read(id: string, deadline: Deadline): Promise<FoundSession> {
    const key = this.key(id);
    const read = await this.copies.read(key, deadline, retiredKey(key));
    this.#tellDecider(key, read);
    const { item, node, rivals, beside } = read;
    const { handler, serialize } = this.options;
    if (item === null) return { bytes: null, place: node, note: undefined };
    const bytes = sessionBytes(item, handler);
    const others = rivals.map((rival) => sessionBytes(rival, handler));
    return {
      bytes: others.length === 0 ? bytes : mergeRivals(bytes, others, serialize).bytes,
      place: node,
      note: beside?.value,
    };
  }

  /** {@inheritDoc SessionKeeper.lock} */
  async lock(id: string, deadline: Deadline): Promise<LockedSession> {
    return { lock: await this.#lock(id, deadline), read: () => this.read(id, deadline) };
  }

  /** {@inheritDoc SessionKeeper.save} */
  async save(session: Session, changes: SessionChanges, deadline: Deadline): Promise<SaveResult> {
    if (this.options.conflict === 'last-write-wins')
      return this.#writer.overwrite(session, changes, deadline).finally(() => session.release());
    const merged = await surelyUnderLock(
      () => this.#lock(session, deadline),
      (again) => this.#writer.merge(session, changes, deadline, again),
    );
    if (merged === undefined) return { outcome: 'gone', copies: [] };
    return this.#writer.saved(session, changes, merged);
  }

  /** {@inheritDoc SessionKeeper.store} */
  store(id: string, bytes: Buffer, deadline: Deadline): Promise<SaveResult> {
    return surelyUnderLock(
      () => this.#lock(id, deadline),
      (again) => this.#writer.raw(id, bytes, deadline, again),
    );
  }

  /** {@inheritDoc SessionKeeper.touch} */
  async touch(id: string, endsAt: number | undefined, deadline: Deadline): Promise<void> {
    const { lifetimeMs, handler, acks } = this.options;
    const exptime =
      endsAt === undefined ? exptimeOf(lifetimeMs) : exptimeOf(Math.max(1, endsAt - Date.now()), handler);
    try {
      const report = await this.copies.touch(this.key(id), exptime, deadline, acks);
      this.#tellMissed('touch', report);
      if (report.reached.length === 0) throw storeDown(report.missed);
    } catch (error) {
      // What is only to end earlier ends by itself.
      if (endsAt === undefined || !isStormlampError(error, ErrorCode.STORE_DOWN)) throw error;
    }
  }

  /** {@inheritDoc SessionKeeper.remove} */
  async remove(target: string | Session, deadline: Deadline): Promise<void> {
    const key = this.key(typeof target === 'string' ? target : target.id);
    await surelyUnderLock(
      () => this.#lock(target, deadline),
      async () => {
        const report = await this.copies.delete(key, deadline);
        this.#tellMissed('destroy', report);
        assertAcknowledged(report, this.options.acks, this.options.copies);
      },
    );
  }

  /** {@inheritDoc SessionKeeper.locked} */
  async locked<T>(
    session: Session,
    deadline: Deadline,
    work: (found: FoundSession) => Promise<T>,
  ): Promise<T> {
    return underLock(await this.#lock(session, deadline), async () =>
      work(await this.read(session.id, deadline)),
    );
  }

  /** {@inheritDoc SessionKeeper.note} */
  note(id: string, note: RetiredNote, deadline: Deadline): Promise<unknown> {
    const exptime = exptimeOf(Math.max(1, note.endsAt - Date.now()));
    return this.copies.store(retiredKey(this.key(id)), { value: encodeRetiredNote(note), exptime }, deadline);
  }

  /** {@inheritDoc SessionKeeper.hasNote} */
  async hasNote(id: string, deadline: Deadline): Promise<boolean> {
    return (await this.copies.readRemark(retiredKey(this.key(id)), deadline)) !== null;
  }

  /** {@inheritDoc SessionKeeper.forgetNote} */
  forgetNote(id: string, deadline: Deadline): Promise<unknown> {
    return this.copies.delete(retiredKey(this.key(id)), deadline);
  }

  /** Where a session is. */
  key(id: string): CopyKey {
    return sessionDataKey(this.options, id);
  }

  /** {@inheritDoc SessionKeeper.close} */
  async close(work: Promise<void>): Promise<void> {
    await this.nodes.stop();
    await this.resync.close();
    await work;
    await this.#locks.releaseAll();
    await this.nodes.close();
  }

  #tellDecider(key: CopyKey, { node }: CopyRead): void {
    const first = this.copies.holders(key)[0]?.id;
    if (first === undefined || first === node) return;
    const standing = this.nodes.standings.of(first);
    const why = standing === 'filled' ? 'did not answer' : `is ${standing}`;
    const error = new StormlampError(ErrorCode.NODE_UNREACHABLE, `${first} ${why}; ${node} decided`);
    this.#host.tell('copy-missed', { operation: 'load', node: first as NodeId, error });
  }

  async #endsByItself(node: NodeId, key: string, deadline: Deadline): Promise<boolean | undefined> {
    const address = this.nodes.addressOf(node);
    if (address === undefined) return undefined;
    const { tls, operationTimeoutMs } = this.options;
    return await lockEnds({ address, id: node, tls, timeoutMs: operationTimeoutMs }, key, deadline);
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

  #tellMissed(operation: 'save' | 'touch' | 'destroy', report: CopyReport): void {
    for (const { node, error } of report.missed) this.#host.tell('copy-missed', { operation, node, error });
  }
}
