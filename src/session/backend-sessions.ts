/** Keeps sessions in a backend of the application's own: one copy, a lock of this process and of the backend, notes beside sessions. */

import { asError } from '../common/as-error.js';
import type { Deadline } from '../common/deadline.js';
import { shown } from '../common/option-reader.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { publish } from '../diagnostics/channels.js';
import { SessionDocument } from '../php/session-document.js';
import type { ResolvedCommonSessionOptions } from './common-session-options.js';
import { LocalSessionLocks, sessionLocked } from './local-session-locks.js';
import { decodeRetiredNote, encodeRetiredNote, type RetiredNote } from './retired-note.js';
import type { HeldSessionLock, Session } from './session.js';
import type { SessionBackend, SessionBackendCall, SessionBackendLock } from './session-backend.js';
import type { FoundSession, KeeperHost, LockedSession, SessionKeeper } from './session-keeper.js';
import { mergeSession } from './session-merge.js';
import type { SessionSaveResult } from './session-store-port.js';
import type { SessionChanges } from './session-writer.js';
import { surelyUnderLock, underLock } from './under-lock.js';

/** See the head of this file. */
export class BackendSessions implements SessionKeeper<ResolvedCommonSessionOptions> {
  /** {@inheritDoc SessionKeeper.options} */
  readonly options: ResolvedCommonSessionOptions;
  readonly #backend: SessionBackend;
  readonly #name: string;
  readonly #locks = new LocalSessionLocks();
  #host: KeeperHost = { tell: () => undefined, endOf: () => undefined };

  /** Keeps sessions in `backend`. */
  constructor(options: ResolvedCommonSessionOptions, backend: SessionBackend) {
    this.options = options;
    this.#backend = backend;
    this.#name = backend.name ?? 'backend';
  }

  /** {@inheritDoc SessionKeeper.serve} */
  serve(host: KeeperHost): void {
    this.#host = host;
  }

  /** {@inheritDoc SessionKeeper.read} */
  async read(id: string, deadline: Deadline): Promise<FoundSession> {
    const [note, bytes] = await Promise.all([this.#read(noteKey(id), deadline), this.#read(id, deadline)]);
    return { bytes, place: this.#name, note: bytes === null ? undefined : (note ?? undefined) };
  }

  /** {@inheritDoc SessionKeeper.lock} */
  async lock(id: string, deadline: Deadline): Promise<LockedSession> {
    return { lock: await this.#lock(id, deadline), read: () => this.read(id, deadline) };
  }

  /** {@inheritDoc SessionKeeper.save} */
  async save(session: Session, changes: SessionChanges, deadline: Deadline): Promise<SessionSaveResult> {
    const bytes = await surelyUnderLock(
      () => this.#lock(session, deadline),
      (again) => this.#merge(session, changes, deadline, again),
    );
    if (bytes === undefined) return { outcome: 'gone', copies: [] };
    session.wrote(this.#decode(bytes), this.#decode(session.base.encodeWith(changes)));
    return this.#saved();
  }

  /** {@inheritDoc SessionKeeper.store} */
  async store(id: string, bytes: Buffer, deadline: Deadline): Promise<SessionSaveResult> {
    // They are the caller's, who may change them.
    const own = Buffer.from(bytes);
    await surelyUnderLock(
      () => this.#lock(id, deadline),
      () => this.#write(id, own, deadline),
    );
    return this.#saved();
  }

  /** {@inheritDoc SessionKeeper.touch} */
  async touch(id: string, endsAt: number | undefined, deadline: Deadline): Promise<void> {
    const end = endsAt ?? Date.now() + this.options.lifetimeMs;
    await this.#call('touch', deadline, (call) => this.#backend.touch(id, end, call));
  }

  /** {@inheritDoc SessionKeeper.remove} */
  async remove(target: string | Session, deadline: Deadline): Promise<void> {
    const id = typeof target === 'string' ? target : target.id;
    await surelyUnderLock(
      () => this.#lock(target, deadline),
      () => this.#call('remove', deadline, (call) => this.#backend.remove(id, call)),
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
    const bytes = encodeRetiredNote(note);
    return this.#call('write', deadline, (call) =>
      this.#backend.write(noteKey(id), bytes, note.endsAt, call),
    );
  }

  /** {@inheritDoc SessionKeeper.hasNote} */
  async hasNote(id: string, deadline: Deadline): Promise<boolean> {
    const note = await this.#read(noteKey(id), deadline);
    return note !== null && decodeRetiredNote(note) !== undefined;
  }

  /** {@inheritDoc SessionKeeper.forgetNote} */
  forgetNote(id: string, deadline: Deadline): Promise<unknown> {
    return this.#call('remove', deadline, (call) => this.#backend.remove(noteKey(id), call));
  }

  /** {@inheritDoc SessionKeeper.close} */
  async close(work: Promise<void>): Promise<void> {
    await work;
    await this.#backend.close?.();
  }

  /** The bytes to have; undefined for a session that was ended. `again`: this save had stored its changes before. */
  async #merge(
    session: Session,
    changes: SessionChanges,
    deadline: Deadline,
    again: boolean,
  ): Promise<Buffer | undefined> {
    const { onGone, conflict, onConflict } = this.options;
    const now = await this.#read(session.id, deadline);
    if (now === null && (session.exists || again) && onGone === 'drop') return undefined;
    const stored = now === null ? session.inherited : this.#decode(now);
    const onto = conflict === 'last-write-wins' ? undefined : stored;
    // Whoever changed the same variables after this save is later than it.
    const decide = again ? () => 'theirs' as const : onConflict;
    const { bytes, decided } = mergeSession(session.base, changes, onto, decide);
    for (const decision of decided) this.#host.tell('conflict-decided', decision);
    await this.#write(session.id, bytes, deadline);
    return bytes;
  }

  async #write(id: string, bytes: Buffer, deadline: Deadline): Promise<void> {
    const endsAt = this.#host.endOf(id) ?? Date.now() + this.options.lifetimeMs;
    await this.#call('write', deadline, (call) => this.#backend.write(id, bytes, endsAt, call));
  }

  #saved(): SessionSaveResult {
    publish('session', () => ({ operation: 'save', node: this.#name, detail: '1 copies' }));
    return { outcome: 'saved', copies: [this.#name] };
  }

  async #read(key: string, deadline: Deadline): Promise<Buffer | null> {
    const found = await this.#call('read', deadline, (call) => this.#backend.read(key, call));
    if (found === null || found === undefined) return null;
    if (!(found instanceof Uint8Array)) {
      throw new StormlampError(
        ErrorCode.PROTOCOL,
        `\`read\` of the session backend must give a Uint8Array or null, and gave ${shown(found)}: sessions are bytes, and text would change them`,
      );
    }
    return Buffer.from(found.buffer, found.byteOffset, found.byteLength);
  }

  /** The lock that the session holds, or one taken now. */
  async #lock(target: string | Session, deadline: Deadline): Promise<HeldSessionLock> {
    const held = typeof target === 'string' ? undefined : target.takeLock();
    if (held !== undefined) return held;
    const id = typeof target === 'string' ? target : target.id;
    const { lockWaitMs } = this.options;
    const until = performance.now() + lockWaitMs;
    const leave = await this.#locks.acquire(id, lockWaitMs, deadline);
    try {
      return heldLock(await this.#lockThere(id, Math.max(1, until - performance.now()), deadline), leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #lockThere(id: string, waitMs: number, deadline: Deadline): Promise<SessionBackendLock | undefined> {
    if (this.#backend.lock === undefined) return undefined;
    const wait = deadline.within(waitMs);
    return this.#limited('lock', deadline, wait, sessionLocked.bind(undefined, this.options.lockWaitMs), {
      work: (call) => this.#backend.lock?.(id, call),
      // It came too late for the one who asked.
      late: (lock) => void releaseQuietly(lock),
    });
  }

  #call<T>(
    method: 'read' | 'write' | 'touch' | 'remove',
    deadline: Deadline,
    work: (call: SessionBackendCall) => Promise<T> | T,
  ): Promise<T> {
    const { operationTimeoutMs } = this.options;
    const changes = method === 'write' || method === 'remove';
    const late = (cause: unknown): StormlampError =>
      new StormlampError(
        changes ? ErrorCode.OUTCOME_UNKNOWN : ErrorCode.STORE_DOWN,
        `\`${method}\` of the session backend did not answer within \`operationTimeoutMs\` (${operationTimeoutMs} ms)${changes ? ', and may have been done' : ''}`,
        { cause },
      );
    return this.#limited(method, deadline, deadline.within(operationTimeoutMs), late, { work });
  }

  async #limited<T>(
    method: string,
    deadline: Deadline,
    limit: Deadline,
    tooLate: (cause: unknown) => StormlampError,
    call: {
      readonly work: (call: SessionBackendCall) => Promise<T> | T;
      readonly late?: (value: T) => void;
    },
  ): Promise<T> {
    const what = `\`${method}\` of the session backend`;
    const stop = new AbortController();
    const work = (async () => call.work({ signal: stop.signal }))();
    try {
      return await limit.race(what, work, call.late);
    } catch (error) {
      stop.abort();
      deadline.check(what);
      if (isStormlampError(error, ErrorCode.TIMEOUT)) throw tooLate(error);
      if (isStormlampError(error)) throw error;
      throw new StormlampError(ErrorCode.STORE_DOWN, `${what} failed: ${asError(error).message}`, {
        cause: error,
      });
    }
  }

  #decode(bytes: Buffer): SessionDocument {
    return SessionDocument.decode(bytes, this.options.serialize, undefined, 'later');
  }
}

/** Where the note about a replaced session is; no id of PHP has a point. */
function noteKey(id: string): string {
  return `${id}.replaced`;
}

function heldLock(there: SessionBackendLock | undefined, leave: () => void): HeldSessionLock {
  let released: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    await releaseQuietly(there);
    leave();
  };
  return {
    get lost() {
      return there?.lost === true;
    },
    release: () => {
      released ??= release();
      return released;
    },
  };
}

async function releaseQuietly(lock: SessionBackendLock | undefined): Promise<void> {
  try {
    await lock?.release();
  } catch {
    // It ends by itself, or its backend has a defect that the next lock will show.
  }
}
