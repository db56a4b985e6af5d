/** Keeps sessions in files on mirrored mounts: locked and dated as PHP's files handler does, written in place on every mount. */
import { asError } from '../common/as-error.js';
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { publish } from '../diagnostics/channels.js';
import type { MirroredMounts } from '../files/mirrored-mounts.js';
import type { MissedWrite } from '../files/missed-writes.js';
import { assertTakable, assertTaken } from '../files/mount-acks.js';
import { SessionDocument } from '../php/session-document.js';
import { commonDate } from './copy-date.js';
import type { FileCopy } from './file-copy.js';
import { sessionFileName } from './file-save-path.js';
import type { ResolvedFileSessionOptions } from './file-session-options.js';
import type { CopiesWritten, LockedCopies } from './locked-copies.js';
import { changedParts } from './reconcile-copies.js';
import { decodeRetiredNote, type RetiredNote } from './retired-note.js';
import { findRetiredNote, removeRetiredNote, writeRetiredNote } from './retired-note-files.js';
import type { HeldSessionLock, Session } from './session.js';
import type { HeldCopies, SessionFiles } from './session-files.js';
import type { FoundSession, KeeperHost, LockedSession, SessionKeeper } from './session-keeper.js';
import { mergeSession } from './session-merge.js';
import type { SessionSaveResult } from './session-store-port.js';
import type { SessionChanges } from './session-writer.js';

/** For messages. */
const THE_SESSION = 'the session';

/** See the head of this file. */
export class FileSessions implements SessionKeeper<ResolvedFileSessionOptions> {
  /** {@inheritDoc SessionKeeper.options} */
  readonly options: ResolvedFileSessionOptions;
  readonly #files: SessionFiles;
  readonly #mirrored: MirroredMounts;
  readonly #held = new WeakMap<HeldSessionLock, HeldCopies>();
  #host: KeeperHost = { tell: () => undefined, endOf: () => undefined };

  /** Keeps sessions in `files`. */
  constructor(options: ResolvedFileSessionOptions, files: SessionFiles) {
    this.options = options;
    this.#files = files;
    this.#mirrored = files.mirrored;
  }

  /** {@inheritDoc SessionKeeper.serve} */
  serve(host: KeeperHost): void {
    this.#host = host;
  }

  /** {@inheritDoc SessionKeeper.read} */
  async read(id: string, deadline: Deadline): Promise<FoundSession> {
    // The note first: who ends a replaced session removes its file, and then the note.
    const note = await findRetiredNote(this.#mirrored, this.#nameOf(id));
    const { copy, mount, passed } = await deadline.race(
      'Reading the session',
      this.#files.read(id, deadline),
    );
    for (const { mount: down, error } of passed) this.#tellMissed('load', down.path, error);
    return foundSession(copy, mount.path, note);
  }

  /** {@inheritDoc SessionKeeper.lock} */
  async lock(id: string, deadline: Deadline): Promise<LockedSession> {
    const held = await this.#files.hold(id, deadline);
    this.#held.set(held, held);
    return { lock: held, read: async () => this.#foundLocked(id, await held.copies.deciding()) };
  }

  /** {@inheritDoc SessionKeeper.save} */
  save(session: Session, changes: SessionChanges, deadline: Deadline): Promise<SessionSaveResult> {
    return this.#locked(session, deadline, async (copies) => {
      const result = await this.#merge(session, changes, copies);
      const endsAt = this.#host.endOf(session.id);
      if (endsAt !== undefined) await this.touch(session.id, endsAt, deadline);
      return result;
    });
  }

  /** {@inheritDoc SessionKeeper.store} */
  store(id: string, bytes: Buffer, deadline: Deadline): Promise<SessionSaveResult> {
    return this.#files.locked(id, deadline, async (copies) =>
      this.#write(copies, bytes, await copies.deciding()),
    );
  }

  /** {@inheritDoc SessionKeeper.touch} */
  async touch(id: string, endsAt: number | undefined, deadline: Deadline): Promise<void> {
    // A session ends when its file is older than it may live.
    const lastUse = endsAt === undefined ? commonDate(Date.now()) : endsAt - this.options.lifetimeMs;
    const { reached, missed } = await deadline.race(
      'Touching the session',
      this.#files.touch(this.#nameOf(id), lastUse),
    );
    for (const [mount, error] of missed) this.#tellMissed('touch', mount.path, error);
    if (reached.length === 0) throw this.#mirrored.allDown('No mount could be touched', missed);
  }

  /** {@inheritDoc SessionKeeper.remove} */
  async remove(target: string | Session, deadline: Deadline): Promise<void> {
    await this.#locked(target, deadline, async (copies) => {
      this.#assertTaken('destroy', await copies.remove(await copies.deciding()));
    });
  }

  /** {@inheritDoc SessionKeeper.locked} */
  locked<T>(session: Session, deadline: Deadline, work: (found: FoundSession) => Promise<T>): Promise<T> {
    return this.#locked(session, deadline, async (copies) =>
      work(await this.#foundLocked(session.id, await copies.deciding())),
    );
  }

  /** {@inheritDoc SessionKeeper.note} */
  note(id: string, note: RetiredNote): Promise<unknown> {
    return writeRetiredNote(this.#mirrored, this.#nameOf(id), note);
  }

  /** {@inheritDoc SessionKeeper.hasNote} */
  async hasNote(id: string): Promise<boolean> {
    return (await findRetiredNote(this.#mirrored, this.#nameOf(id))) !== undefined;
  }

  /** {@inheritDoc SessionKeeper.forgetNote} */
  forgetNote(id: string): Promise<unknown> {
    return removeRetiredNote(this.#mirrored, this.#nameOf(id));
  }

  /** {@inheritDoc SessionKeeper.close} */
  async close(work: Promise<void>): Promise<void> {
    await this.#mirrored.close();
    await work;
    await this.#files.releaseAll();
  }

  /** A session whose lock is held, so that nobody can end it meanwhile. */
  async #foundLocked(id: string, copy: FileCopy): Promise<FoundSession> {
    const note = copy.bytes === null ? undefined : await findRetiredNote(this.#mirrored, this.#nameOf(id));
    return foundSession(copy, undefined, note);
  }

  /** Runs `work` under the lock that the session holds, which is given back then, or under one taken for the moment. */
  async #locked<T>(
    target: string | Session,
    deadline: Deadline,
    work: (copies: LockedCopies) => Promise<T>,
  ): Promise<T> {
    if (typeof target === 'string') return this.#files.locked(target, deadline, work);
    const lock = target.takeLock();
    const held = lock && this.#held.get(lock);
    if (held === undefined) return this.#files.locked(target.id, deadline, work);
    try {
      return await work(held.copies);
    } finally {
      await held.release();
    }
  }

  async #merge(session: Session, changes: SessionChanges, copies: LockedCopies): Promise<SessionSaveResult> {
    const now = await copies.deciding();
    const { onGone, conflict, onConflict } = this.options;
    if (now.bytes === null && session.exists && onGone === 'drop') return { outcome: 'gone', copies: [] };
    const { base } = session;
    const stored = now.bytes === null ? session.inherited : this.#decode(now.bytes);
    const onto = conflict === 'last-write-wins' ? undefined : stored;
    const { bytes, decided } = mergeSession(base, changes, onto, onConflict);
    for (const decision of decided) this.#host.tell('conflict-decided', decision);
    const made = this.#decode(bytes);
    const result = await this.#write(copies, bytes, now, () => changedParts(changes.keys(), stored, made));
    session.wrote(made, this.#decode(base.encodeWith(changes)));
    return result;
  }

  async #write(
    copies: LockedCopies,
    bytes: Buffer,
    before: FileCopy,
    parts?: () => MissedWrite['parts'],
  ): Promise<SessionSaveResult> {
    if (bytes.length > this.options.maxBytes) {
      throw new StormlampError(
        ErrorCode.SESSION_TOO_LARGE,
        `The session has ${bytes.length} bytes, more than \`sessions.maxBytes\` (${this.options.maxBytes}); nothing was written`,
      );
    }
    const { mounts, failures } = copies;
    assertTakable(this.#mirrored, this.options.acks, { what: THE_SESSION, mounts, failures });
    const written = await copies.write(bytes, before, parts);
    this.#assertTaken('save', written);
    const paths = written.reached.map(({ path }) => path);
    publish('session', () => ({ operation: 'save', node: paths[0], detail: `${paths.length} copies` }));
    return { outcome: 'saved', copies: paths };
  }

  #assertTaken(operation: 'save' | 'destroy', { reached, missed }: CopiesWritten): void {
    for (const { mount, error } of missed) this.#tellMissed(operation, mount.path, error);
    const failures = new Map(missed.map(({ mount, error }) => [mount, error]));
    assertTaken(this.#mirrored, this.options.acks, { what: THE_SESSION, mounts: reached, failures });
  }

  #tellMissed(operation: 'load' | 'save' | 'touch' | 'destroy', node: string, error: unknown): void {
    this.#host.tell('copy-missed', { operation, node, error: asError(error) });
  }

  #decode(bytes: Buffer): SessionDocument {
    return SessionDocument.decode(bytes, this.options.serialize, undefined, 'later');
  }

  #nameOf(id: string): string {
    return sessionFileName(id, this.options.depth);
  }
}

function foundSession(
  { bytes, modifiedMs }: FileCopy,
  place: string | undefined,
  note: Buffer | undefined,
): FoundSession {
  // One that PHP used after its end is a session of PHP's own.
  const counts = bytes !== null && note !== undefined && (decodeRetiredNote(note)?.endsAt ?? 0) >= modifiedMs;
  return { bytes, place, note: counts ? note : undefined };
}
