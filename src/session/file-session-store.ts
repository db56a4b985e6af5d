/**
 * PHP's sessions in files, as its files handler keeps them: `sess_<id>`, locked with `flock`, on one folder or on
 * several mounts that mirror each other.
 */
import { asError } from '../common/as-error.js';
import type { CallOptions, Deadline } from '../common/deadline.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { publish } from '../diagnostics/channels.js';
import type { MirroredMounts, MountStatus } from '../files/mirrored-mounts.js';
import type { MissedWrite } from '../files/missed-writes.js';
import { SessionDocument, type VariableChange } from '../php/session-document.js';
import { BackgroundWork } from './background-work.js';
import { type FileCopy, NO_COPY } from './file-copy.js';
import { sessionFileName } from './file-save-path.js';
import type { FileSessionStoreEvents } from './file-session-events.js';
import type { ResolvedFileSessionOptions } from './file-session-options.js';
import { FileSessionRepair, type FileSessionResync } from './file-session-repair.js';
import type { CopiesWritten, LockedCopies } from './locked-copies.js';
import { changedParts } from './reconcile-copies.js';
import { regenerateSession } from './regenerate-session.js';
import { decodeRetiredNote } from './retired-note.js';
import {
  findRetiredNote,
  removeRetiredNote,
  sweepRetiredNotes,
  writeRetiredNote,
} from './retired-note-files.js';
import { RetiredSessions } from './retired-sessions.js';
import { Session } from './session.js';
import type { HeldCopies, SessionFileRead, SessionFiles } from './session-files.js';
import { assertSessionId, createSessionId } from './session-id.js';
import { mergeSession } from './session-merge.js';
import {
  type LoadOptions,
  type RegenerateOptions,
  type SessionSaveResult,
  type SessionStorePort,
  sessionDeadline,
} from './session-store-port.js';

/** Sessions in files, byte-compatible with PHP's own. Made by `createSessionStore`. */
export class FileSessionStore extends SafeEmitter<FileSessionStoreEvents> implements SessionStorePort {
  /** Tells it from a store on memcached. */
  readonly kind: 'files' = 'files';
  /** The options in force. */
  readonly options: ResolvedFileSessionOptions;
  readonly #files: SessionFiles;
  readonly #mirrored: MirroredMounts;
  readonly #repair: FileSessionRepair;
  readonly #holds = new WeakMap<Session, HeldCopies>();
  readonly #background = new BackgroundWork();
  readonly #collector: NodeJS.Timeout | undefined;
  readonly #retired: RetiredSessions = new RetiredSessions({
    note: (id, note) => writeRetiredNote(this.#mirrored, this.#nameOf(id), note),
    destroy: async (id, options) => {
      await this.destroy(id, options);
      await removeRetiredNote(this.#mirrored, this.#nameOf(id));
    },
    // What is no id was not written by us.
    holds: async (id, followed, options) =>
      !this.options.accept.test(id) || (await this.#read(id, options, followed)).copy.bytes !== null,
    shorten: (id, remainingMs, options) =>
      this.#touch(id, this.#lastUseToEndAt(Date.now() + remainingMs), options),
  });
  #closed = false;

  /** @internal */
  constructor(options: ResolvedFileSessionOptions, files: SessionFiles) {
    super();
    this.options = options;
    this.#files = files;
    this.#mirrored = files.mirrored;
    this.#repair = new FileSessionRepair(files, options, (event) => this.publish('copies-differed', event));
    this.#mirrored.on('mount-changed', (change) => void this.publish('mount-changed', change));
    this.#mirrored.on('mount-repaired', (event) => void this.publish('mount-repaired', event));
    this.#mirrored.on('repair-failed', (event) => void this.publish('repair-failed', event));
    this.#mirrored.watch(this.#repair);
    if (options.gcIntervalMs > 0) {
      this.#collector = setInterval(() => this.#background.add(this.collect()), options.gcIntervalMs);
      this.#collector.unref();
    }
  }

  /** A session that is not in the store: it gets there by `save`, once it has a variable. */
  create(): Session {
    return Session.absent(createSessionId(this.options.idFormat), this.options.serialize);
  }

  /**
   * Reads a session, without waiting for a PHP page that has it locked. The first mount decides; only when it cannot
   * answer, or missed a write of this session, is the next one asked. With `lock` it waits for PHP, and PHP for it, until
   * the session is saved, destroyed or released; a session that is not there is returned without a lock.
   *
   * @throws StormlampError `ERR_SESSION_ID`, `ERR_STORE_DOWN`, `ERR_ACCESS_DENIED` (PHP runs as another user),
   * `ERR_PHP_SYNTAX` (what is stored is not a session), `ERR_SESSION_LOCKED`, `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`.
   */
  async load(id: string, options?: LoadOptions): Promise<Session> {
    if (options?.lock ?? this.options.conflict === 'lock') return this.#loadLocked(id, options);
    const { copy, mount } = await this.#read(id, options);
    publish('session', () => ({
      operation: 'load',
      node: mount.path,
      detail: copy.bytes === null ? 'miss' : 'hit',
    }));
    return copy.bytes === null
      ? Session.absent(id, this.options.serialize)
      : Session.stored(id, this.#decode(copy.bytes));
  }

  /** Reads the stored bytes of a session, undecoded; null when it is not there. Errors: as `load`. */
  async readRaw(id: string, options?: CallOptions): Promise<Buffer | null> {
    return (await this.#read(id, options)).copy.bytes;
  }

  /**
   * Stores the variables that were changed since the session was loaded: takes PHP's lock, reads what is there now, merges
   * variable by variable, writes in place on every mount, and unlocks. An unchanged session writes nothing. A session that
   * was loaded with its lock is unlocked by this, whatever the outcome.
   *
   * @throws StormlampError `ERR_SESSION_LOCKED`, `ERR_STORE_DOWN` (no mount, or fewer than `acks` asks for, took it),
   * `ERR_ACCESS_DENIED`, `ERR_SESSION_TOO_LARGE`, `ERR_PHP_VALUE`, `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`. After an
   * error nothing in `session` is lost.
   */
  async save(session: Session, options?: CallOptions): Promise<SessionSaveResult> {
    this.#assertOpen();
    assertSessionId(session.id, this.options.accept);
    const deadline = sessionDeadline(options);
    return session.turns.run(deadline, () => this.#save(session, deadline));
  }

  async #save(session: Session, deadline: Deadline): Promise<SessionSaveResult> {
    const changes = session.pendingChanges();
    const endsAt = this.#retired.endOf(session.id);
    const over = endsAt !== undefined && endsAt <= Date.now();
    if (changes === undefined || over) {
      await session.release();
      return { outcome: over ? 'gone' : 'unchanged', copies: [] };
    }
    return this.#locked(session, deadline, async (copies) => {
      const result = await this.#mergeAndWrite(session, changes, copies);
      if (endsAt !== undefined) await this.#touch(session.id, this.#lastUseToEndAt(endsAt), undefined);
      return result;
    });
  }

  /** Stores bytes as they are on every mount, under the lock. For tools that move sessions; `save` is for applications. */
  async writeRaw(id: string, bytes: Buffer, options?: CallOptions): Promise<SessionSaveResult> {
    this.#assertOpen();
    assertSessionId(id, this.options.accept);
    // What PHP cannot decode it deletes, so it must not get there.
    this.#decode(bytes);
    return this.#files.locked(id, sessionDeadline(options), async (copies) =>
      this.#write(copies, bytes, await copies.deciding()),
    );
  }

  /**
   * Renews a session's life by the date of its files, as PHP does. A session that was replaced by `regenerate` keeps the moment
   * that it has. Errors: `ERR_SESSION_ID`, `ERR_STORE_DOWN`, `ERR_CLOSED`.
   */
  async touch(id: string, options?: CallOptions): Promise<void> {
    assertSessionId(id, this.options.accept);
    const note = await findRetiredNote(this.#mirrored, this.#nameOf(id));
    if (note === undefined) await this.#touch(id, new Date(), options);
  }

  async #touch(id: string, at: Date, options: CallOptions | undefined): Promise<void> {
    this.#assertOpen();
    assertSessionId(id, this.options.accept);
    const { reached, missed } = await sessionDeadline(options).race(
      'Touching the session',
      this.#repair.touch(this.#nameOf(id), at),
    );
    for (const [mount, error] of missed) this.#tellMissed('touch', mount.path, error);
    if (reached.length === 0) throw this.#mirrored.allDown('No mount could be touched', missed);
  }

  /** `touch` of a session that was just loaded, which nobody waits for; `close` does. */
  touchLater(id: string): void {
    if (this.#closed || this.#retired.endOf(id) !== undefined) return;
    this.#background.add(this.#touch(id, new Date(), undefined));
  }

  /**
   * Removes every copy, under the lock; a session that was loaded with its lock is given as it is, not by its id.
   *
   * @throws StormlampError `ERR_STORE_DOWN` when no copy could be removed; a copy that was missed is the event
   * `copy-missed`, and is removed when its mount is back.
   */
  async destroy(target: string | Session, options?: CallOptions): Promise<void> {
    this.#assertOpen();
    const id = typeof target === 'string' ? target : target.id;
    assertSessionId(id, this.options.accept);
    for (const replaced of this.#retired.take(id)) await this.destroy(replaced, options);
    await this.#locked(target, sessionDeadline(options), async (copies) => {
      this.#tellAll('destroy', await copies.remove(await copies.deciding()));
    });
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
        locked: (work) =>
          this.#locked(session, deadline, async (copies) => work((await copies.deciding()).bytes)),
      }),
    );
  }

  /**
   * Repairs what mounts missed, then brings every mount to what the deciding one holds: PHP writes its sessions on the
   * first mount only, so call this as often as a copy may lag behind.
   */
  async resync(progress?: (done: FileSessionResync) => void): Promise<FileSessionResync> {
    this.#assertOpen();
    await this.#mirrored.checkNow();
    return this.#repair.resync(undefined, progress);
  }

  /** Lets a new or emptied mount take part, after filling it from the others. Errors: as `save`. */
  async fill(mount: string): Promise<void> {
    this.#assertOpen();
    await this.#mirrored.admit(mount, async (filling) => void (await this.#repair.resync(filling)));
  }

  /** Removes the files of sessions that nobody used for `lifetimeMs`; how many. PHP or cron usually does this. */
  async collect(): Promise<number> {
    this.#assertOpen();
    await sweepRetiredNotes(this.#mirrored, Date.now() - this.options.lifetimeMs);
    return this.#repair.collect(this.options.lifetimeMs);
  }

  /** Looks at every mount now, and repairs what can be repaired. Never rejects. */
  checkMounts(): Promise<void> {
    return this.#mirrored.checkNow();
  }

  /** Tells listeners of `save-failed` or `save-dropped` about a save whose caller cannot be told any more. */
  reportSaveFailure(error: unknown): void {
    const dropped = isStormlampError(error, ErrorCode.SESSION_GONE);
    this.publish(dropped ? 'save-dropped' : 'save-failed', { error: asError(error) });
  }

  /** The mounts and their states. */
  status(): readonly MountStatus[] {
    return this.#mirrored.status();
  }

  /** Waits for what is under way, and stops looking at the mounts. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#retired.close();
    this.#closed = true;
    clearInterval(this.#collector);
    await this.#mirrored.close();
    await this.#background.settled();
    await this.#files.releaseAll();
  }

  /** Same as {@link FileSessionStore.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read(id: string, options: CallOptions | undefined, followed = 0): Promise<SessionFileRead> {
    this.#assertOpen();
    assertSessionId(id, this.options.accept);
    const deadline = sessionDeadline(options);
    const read = await deadline.race('Reading the session', this.#files.read(id, deadline));
    for (const { mount, error } of read.passed) this.#tellMissed('load', mount.path, error);
    return (await this.#isOver(id, read.copy, followed, options)) ? { ...read, copy: NO_COPY } : read;
  }

  async #isOver(id: string, copy: FileCopy, followed = 0, options?: CallOptions): Promise<boolean> {
    if (copy.bytes === null) return false;
    const note = await findRetiredNote(this.#mirrored, this.#nameOf(id));
    // One that PHP used after its end is a session of PHP's own.
    if (note === undefined || (decodeRetiredNote(note)?.endsAt ?? 0) < copy.modifiedMs) return false;
    return this.#retired.isOver(id, note, followed, options);
  }

  /** The date of a session's files by which it ends then. */
  #lastUseToEndAt(endsAt: number): Date {
    return new Date(endsAt - this.options.lifetimeMs);
  }

  readonly #nameOf = (id: string): string => sessionFileName(id, this.options.depth);

  async #loadLocked(id: string, options: CallOptions | undefined): Promise<Session> {
    this.#assertOpen();
    assertSessionId(id, this.options.accept);
    const held = await this.#files.hold(id, sessionDeadline(options));
    try {
      const copy = await held.copies.deciding();
      const bytes = (await this.#isOver(id, copy, 0, options)) ? null : copy.bytes;
      publish('session', () => ({
        operation: 'load',
        node: undefined,
        detail: bytes === null ? 'miss' : 'hit',
      }));
      if (bytes === null) {
        await held.release();
        return Session.absent(id, this.options.serialize);
      }
      const session = Session.stored(id, this.#decode(bytes));
      this.#holds.set(session, held);
      session.holdLock(held);
      return session;
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  /** Runs `work` under the lock that the session holds, which is given back then, or under one taken for the moment. */
  async #locked<T>(
    target: string | Session,
    deadline: Deadline,
    work: (copies: LockedCopies) => Promise<T>,
  ): Promise<T> {
    if (typeof target === 'string') return this.#files.locked(target, deadline, work);
    const lock = target.takeLock();
    const held = lock === undefined ? undefined : this.#holds.get(target);
    if (held === undefined) return this.#files.locked(target.id, deadline, work);
    try {
      return await work(held.copies);
    } finally {
      await held.release();
    }
  }

  async #mergeAndWrite(
    session: Session,
    changes: ReadonlyMap<string, VariableChange>,
    copies: LockedCopies,
  ): Promise<SessionSaveResult> {
    const now = await copies.deciding();
    if (now.bytes === null && session.exists && this.options.onGone === 'drop')
      return { outcome: 'gone', copies: [] };
    const { base } = session;
    const stored = now.bytes === null ? session.inherited : this.#decode(now.bytes);
    const onto = this.options.conflict === 'last-write-wins' ? undefined : stored;
    const { bytes, decided } = mergeSession(base, changes, onto, this.options.onConflict);
    for (const decision of decided) this.publish('conflict-decided', decision);
    const result = await this.#write(copies, bytes, now, changedParts(changes.keys(), stored));
    session.wrote(this.#decode(bytes), this.#decode(base.encodeWith(changes)));
    return result;
  }

  async #write(
    copies: LockedCopies,
    bytes: Buffer,
    before: FileCopy,
    parts?: MissedWrite['parts'],
  ): Promise<SessionSaveResult> {
    if (bytes.length > this.options.maxBytes) {
      throw new StormlampError(
        ErrorCode.SESSION_TOO_LARGE,
        `The session has ${bytes.length} bytes, more than \`sessions.maxBytes\` (${this.options.maxBytes}); nothing was written`,
      );
    }
    const written = await copies.write(bytes, before, parts);
    this.#tellAll('save', written);
    const all = this.#mirrored.mounts.length;
    const needed = { one: 1, majority: Math.floor(all / 2) + 1, all }[this.options.acks];
    if (written.reached.length < needed) {
      const failures = new Map(written.missed.map(({ mount, error }) => [mount, error]));
      throw this.#mirrored.allDown('Too few mounts took the session', failures);
    }
    const paths = written.reached.map(({ path }) => path);
    publish('session', () => ({ operation: 'save', node: paths[0], detail: `${paths.length} copies` }));
    return { outcome: 'saved', copies: paths };
  }

  #tellAll(operation: 'save' | 'destroy', { missed }: CopiesWritten): void {
    for (const { mount, error } of missed) this.#tellMissed(operation, mount.path, error);
  }

  #tellMissed(operation: 'load' | 'save' | 'touch' | 'destroy', node: string, error: unknown): void {
    this.publish('copy-missed', { operation, node, error: asError(error) });
  }

  #decode(bytes: Buffer): SessionDocument {
    return SessionDocument.decode(bytes, this.options.serialize);
  }

  #assertOpen(): void {
    if (this.#closed) throw new StormlampError(ErrorCode.CLOSED, 'The session store is closed');
  }
}
