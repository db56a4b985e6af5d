/** What every store of PHP's sessions does, whatever keeps them: loads, saves by merge, touches, ends and renames sessions. */
import { asError } from '../common/as-error.js';
import { type CallOptions, Deadline } from '../common/deadline.js';
import { invalidOption } from '../common/option-reader.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { publish } from '../diagnostics/channels.js';
import { SessionDocument } from '../php/session-document.js';
import { BackgroundWork } from './background-work.js';
import type { ResolvedCommonSessionOptions } from './common-session-options.js';
import { regenerateSession } from './regenerate-session.js';
import { RetiredSessions } from './retired-sessions.js';
import { Session } from './session.js';
import type { SessionStoreEvents } from './session-events.js';
import { assertSessionId, createSessionId } from './session-id.js';
import type { FoundSession, SessionKeeper } from './session-keeper.js';
import {
  type LoadOptions,
  type RegenerateOptions,
  type SessionSaveResult,
  type SessionStorePort,
  sessionDeadline,
} from './session-store-port.js';
import { TouchedLately } from './touched-lately.js';

/** What `SessionStore` and `FileSessionStore` have in common. */
export abstract class CommonSessionStore<
    Options extends ResolvedCommonSessionOptions,
    Events extends SessionStoreEvents,
  >
  extends SafeEmitter<Events>
  implements SessionStorePort
{
  readonly #keeper: SessionKeeper<Options>;
  readonly #background = new BackgroundWork();
  readonly #retired: RetiredSessions = new RetiredSessions({
    note: (id, note, options) => this.#keeper.note(id, note, sessionDeadline(options)),
    destroy: async (id, options) => {
      await this.destroy(id, options);
      await this.#keeper.forgetNote(id, sessionDeadline(options));
    },
    // What is no id was not written by us.
    holds: async (id, followed, options) =>
      !this.options.accept.test(id) || (await this.#find(id, options, followed)).bytes !== null,
    shorten: (id, remainingMs, options) =>
      this.#keeper.touch(id, Date.now() + remainingMs, sessionDeadline(options)),
  });
  readonly #touched = new TouchedLately();
  #closed = false;

  /** @internal */
  constructor(keeper: SessionKeeper<Options>) {
    super();
    this.#keeper = keeper;
    keeper.serve({
      tell: (event, payload) => void this.#tell(event, payload),
      endOf: (id) => this.#retired.endOf(id),
    });
  }

  /** The options in force. */
  get options(): Options {
    return this.#keeper.options;
  }

  /** A session that is not in the store: it gets there by `save`, once it has a variable. */
  create(): Session {
    return Session.absent(createSessionId(this.options.idFormat), this.options.serialize);
  }

  /**
   * Reads a session. The first node or mount in PHP's order decides; only when it cannot answer, or is known to have missed
   * something, is the next one asked. Nobody who has the session locked is waited for, unless it is asked for with `lock`: then
   * PHP waits, too, until the session is saved, destroyed or released. A session that is not there is returned with `exists` false
   * and the id that was asked for, without a lock.
   *
   * @throws StormlampError `ERR_SESSION_ID`, `ERR_SESSION_LOCKED`, `ERR_STORE_DOWN`, `ERR_PHP_SYNTAX` (what is stored is not a
   * session), `ERR_ACCESS_DENIED` (files of another user), `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_CLOSED`.
   */
  async load(id: string, options?: LoadOptions): Promise<Session> {
    if (options?.lock ?? this.options.conflict === 'lock') return this.#loadLocked(id, options);
    return this.#sessionOf(id, await this.#find(id, options));
  }

  async #loadLocked(id: string, options: CallOptions | undefined): Promise<Session> {
    const { lock, read } = await this.#keeper.lock(this.#checked(id), begin(options, 'Locking a session'));
    try {
      const session = this.#sessionOf(id, await this.#unlessOver(id, await read(), options));
      if (session.exists) session.holdLock(lock);
      else await lock.release();
      return session;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Reads the stored bytes of a session, undecoded; null when it is not there. Errors: as `load`. */
  async readRaw(id: string, options?: CallOptions): Promise<Buffer | null> {
    return (await this.#find(id, options)).bytes;
  }

  /**
   * Stores the variables that were changed since the session was loaded: takes the lock that PHP takes, reads what is stored now,
   * merges variable by variable, writes every copy, and unlocks. An unchanged session writes nothing. A session that was loaded
   * with its lock is unlocked by this, whatever the outcome; another save takes the lock anew.
   *
   * On memcached the first node is compared and set; where the lock turns out to have been lost meanwhile, it is taken again, to
   * see to it that nobody overwrote what was saved.
   *
   * @throws StormlampError `ERR_SESSION_LOCKED`, `ERR_STORE_DOWN` (no copy, or fewer than `acks` asks for, could take it),
   * `ERR_SESSION_TOO_LARGE`, `ERR_PHP_VALUE` (a value that PHP has no counterpart for), `ERR_ACCESS_DENIED`, `ERR_TIMEOUT`,
   * `ERR_ABORTED`, `ERR_CLOSED`, `ERR_OUTCOME_UNKNOWN` (the lock was lost every time, or a node or mount went away in the midst and fewer
   * copies than `acks` asks for took it). After an error nothing in `session` is lost.
   */
  async save(session: Session, options?: CallOptions): Promise<SessionSaveResult> {
    this.#checked(session.id);
    const deadline = begin(options, 'Saving a session');
    return session.turns.run(deadline, () => this.#save(session, deadline));
  }

  async #save(session: Session, deadline: Deadline): Promise<SessionSaveResult> {
    const changes = session.pendingChanges();
    const endsAt = this.#retired.endOf(session.id) ?? Number.POSITIVE_INFINITY;
    const over = endsAt <= Date.now();
    if (changes === undefined || over) {
      await session.release();
      return { outcome: over ? 'gone' : 'unchanged', copies: [] };
    }
    const result = await this.#keeper.save(session, changes, deadline);
    if (endsAt < Number.POSITIVE_INFINITY && result.outcome === 'saved')
      this.#tell('save-dropped', { error: savedUnderOldId() });
    return result;
  }

  /**
   * Stores bytes as they are on every copy, under the lock. For tools that move sessions; `save` is for applications.
   *
   * @throws StormlampError as `save`; `ERR_INVALID_OPTION` for anything but bytes; `ERR_PHP_SYNTAX` for bytes that are no session.
   */
  async writeRaw(id: string, bytes: Uint8Array, options?: CallOptions): Promise<SessionSaveResult> {
    this.#checked(id);
    if (!(bytes instanceof Uint8Array)) throw invalidOption('bytes', 'a Buffer or Uint8Array', bytes);
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // What PHP cannot decode it deletes, so it must not get there.
    SessionDocument.decode(buffer, this.options.serialize);
    return this.#keeper.store(id, buffer, begin(options, 'Storing a session'));
  }

  /**
   * Renews the life of every copy. A session that was replaced by `regenerate` keeps the moment that it has. Errors:
   * `ERR_SESSION_ID`, `ERR_STORE_DOWN`, `ERR_TIMEOUT`, `ERR_CLOSED`.
   */
  async touch(id: string, options?: CallOptions): Promise<void> {
    const deadline = begin(options, 'Renewing the life of a session');
    if (!(await this.#keeper.hasNote(this.#checked(id), deadline)))
      await this.#keeper.touch(id, undefined, deadline);
  }

  /**
   * `touch` of a session that was just loaded, which nobody waits for; `close` does. Once a second: lives are counted in whole
   * seconds.
   */
  touchLater(id: string): void {
    if (this.#closed || this.#retired.endOf(id) !== undefined) return;
    if (!this.#touched.isDue(id, performance.now())) return;
    const touch = async () => this.#keeper.touch(this.#checked(id), undefined, Deadline.of(undefined));
    this.inBackground(touch().catch(() => this.#touched.forget(id)));
  }

  /**
   * Removes every copy, under the lock; a session that was loaded with its lock is given as it is, not by its id.
   *
   * @throws StormlampError `ERR_STORE_DOWN` when no copy could be removed; a copy that was missed is the event `copy-missed`, and
   * is removed when its node or mount is back. `ERR_OUTCOME_UNKNOWN` when it is ended, and fewer nodes or mounts than `acks` asks for know that.
   * Otherwise as `save`.
   */
  async destroy(target: string | Session, options?: CallOptions): Promise<void> {
    const id = this.#checked(typeof target === 'string' ? target : target.id);
    const deadline = begin(options, 'Removing a session');
    for (const replaced of this.#retired.take(id)) await this.destroy(replaced, options);
    await this.#keeper.remove(target, deadline);
    publish('session', () => ({ operation: 'destroy', node: undefined, detail: '' }));
  }

  /**
   * Saves the session's variables under a new id; the session with the new id. The old session stays as it was stored, for
   * requests that are under way with its id, and is removed after `graceMs`, or with the new one. Errors: as `save`.
   */
  async regenerate(session: Session, options?: RegenerateOptions): Promise<Session> {
    this.#assertOpen();
    const deadline = begin(options, 'Renaming a session');
    return session.turns.run(deadline, () =>
      regenerateSession(session, this.options, this.#retired, options, {
        save: (renamed) => this.save(renamed, options),
        // Nothing that a page of PHP saves meanwhile may be left behind.
        locked: (work) =>
          this.#keeper.locked(session, deadline, async (found) =>
            work((await this.#unlessOver(session.id, found, options)).bytes),
          ),
      }),
    );
  }

  /** Tells listeners of `save-failed` or `save-dropped` about a save whose caller cannot be told any more. */
  reportSaveFailure(error: unknown): void {
    const gone = isStormlampError(error, ErrorCode.SESSION_GONE);
    this.#tell(gone ? 'save-dropped' : 'save-failed', { error: asError(error) });
  }

  /** Waits for what is under way, then lets go of everything. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#retired.close();
    this.#closed = true;
    await this.#keeper.close(this.#background.settled());
  }

  /** Same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Takes on work that nobody waits for but `close`. */
  protected inBackground(work: Promise<unknown>): void {
    this.#background.add(work);
  }

  /** @internal */
  protected assertOpen(): void {
    this.#assertOpen();
  }

  async #find(id: string, options: CallOptions | undefined, followed = 0): Promise<FoundSession> {
    const deadline = begin(options, 'Reading a session');
    const found = await this.#keeper.read(this.#checked(id), deadline);
    return this.#unlessOver(id, found, options, followed);
  }

  /** What was found, or nothing when the session that replaced it is gone, or its moment has passed. */
  async #unlessOver(
    id: string,
    found: FoundSession,
    options: CallOptions | undefined,
    followed = 0,
  ): Promise<FoundSession> {
    const over = found.note !== undefined && (await this.#retired.isOver(id, found.note, followed, options));
    return over ? { ...found, bytes: null } : found;
  }

  #sessionOf(id: string, { bytes, place }: FoundSession): Session {
    const { serialize } = this.options;
    publish('session', () => ({ operation: 'load', node: place, detail: bytes === null ? 'miss' : 'hit' }));
    return bytes === null
      ? Session.absent(id, serialize)
      : Session.stored(id, SessionDocument.decode(bytes, serialize, undefined, 'later'));
  }

  #tell<E extends keyof SessionStoreEvents>(event: E, payload: SessionStoreEvents[E]): void {
    // Every kind of store has these events, and perhaps more.
    (this as unknown as SafeEmitter<SessionStoreEvents>).publish(event, payload);
  }

  #checked(id: string): string {
    this.#assertOpen();
    assertSessionId(id, this.options.accept);
    return id;
  }

  #assertOpen(): void {
    if (this.#closed) throw new StormlampError(ErrorCode.CLOSED, 'The session store is closed');
  }
}

function savedUnderOldId(): StormlampError {
  return new StormlampError(
    ErrorCode.SESSION_GONE,
    'A request saved under an id that `regenerate()` had replaced: what it changed ends with that id, and the session with the new one does not get it',
  );
}

/** The deadline of a call that may begin: what was given up before does nothing, wherever sessions are kept. */
function begin(options: CallOptions | undefined, what: string): Deadline {
  const deadline = sessionDeadline(options);
  deadline.check(what);
  return deadline;
}
