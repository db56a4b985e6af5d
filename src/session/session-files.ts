/** Session files on mirrored mounts, as bytes: where a session is, how it is read, and how its lock is had. */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { Flock } from '../files/flock.js';
import type { FileCreation } from '../files/locked-file.js';
import type { MirroredMounts } from '../files/mirrored-mounts.js';
import type { MissedWrite } from '../files/missed-writes.js';
import type { Mount } from '../files/mount.js';
import { reopened } from '../files/when-stale.js';
import { CopyChoice } from './copy-choice.js';
import { explainDenied, type FileCopy, NO_COPY, peekCopy } from './file-copy.js';
import { sessionFileName } from './file-save-path.js';
import { LockedCopies } from './locked-copies.js';
import type { HeldSessionLock } from './session.js';
import { type CopiesTouched, touchCopies } from './touch-copies.js';

/** What {@link SessionFiles} is made of. */
export interface SessionFilesOptions {
  /** The mounts. */
  readonly mirrored: MirroredMounts;
  /** Takes locks. */
  readonly flock: Flock;
  /** Folders between a mount and a file. */
  readonly depth: number;
  /** How files are made. */
  readonly creation: FileCreation;
  /** Largest session. */
  readonly maxBytes: number;
  /** How long locks are waited for, in milliseconds. */
  readonly lockWaitMs: number;
  /** Whether bytes are a session. */
  readonly sound: (bytes: Buffer) => boolean;
  /** As in `LockedCopiesOptions`. */
  readonly partsOf: (bytes: Buffer) => MissedWrite['parts'];
  /** As in `LockedCopiesOptions`. */
  readonly reconcile: (own: FileCopy, others: FileCopy, missed: MissedWrite) => FileCopy;
}

/** A session's bytes and where they are from. */
export interface SessionFileRead {
  /** The copy that counts. */
  readonly copy: FileCopy;
  /** The mount it is from. */
  readonly mount: Mount;
  /** The mounts before it that could not answer. */
  readonly passed: readonly { readonly mount: Mount; readonly error: unknown }[];
}

/** Copies that stay locked until they are released. */
export interface HeldCopies extends HeldSessionLock {
  /** The copies. */
  readonly copies: LockedCopies;
}

/** See the head of this file. */
export class SessionFiles {
  /** The mounts. */
  readonly mirrored: MirroredMounts;
  readonly #options: SessionFilesOptions;
  readonly #held = new Set<HeldCopies>();

  /** Makes it; nothing is opened. */
  constructor(options: SessionFilesOptions) {
    this.#options = options;
    this.mirrored = options.mirrored;
  }

  /**
   * Reads a session: from the first mount that answers and did not miss a write of it, as `LockedCopies.deciding` does.
   *
   * @throws StormlampError `ERR_STORE_DOWN`, `ERR_SESSION_LOCKED` (only where the file cannot be understood without its
   * lock), `ERR_ACCESS_DENIED`, `ERR_SESSION_ID`, `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  async read(id: string, deadline: Deadline): Promise<SessionFileRead> {
    const name = sessionFileName(id, this.#options.depth);
    const failures = new Map<Mount, unknown>();
    const passed: { mount: Mount; error: unknown }[] = [];
    const { mounts } = this.mirrored;
    const choice = new CopyChoice<SessionFileRead>(this.#options, mounts.length > 1);
    for (const mount of mounts) {
      deadline.check('Reading the session');
      if (!mount.readable) {
        passed.push({ mount, error: 'error' in mount.health ? mount.health.error : undefined });
        continue;
      }
      try {
        const copy = await this.#copyOn(mount, name, id, deadline);
        const missed = await this.mirrored.missedBy(mount, name);
        const answer = choice.offer({ copy, mount, passed: [...passed] }, missed, mount === mounts[0]);
        if (answer !== undefined) return answer;
      } catch (error) {
        // A mount that broke down is passed by; anything else is about this session.
        if (mount.readable) throw explainDenied(error);
        failures.set(mount, error);
        passed.push({ mount, error });
      }
    }
    const left = choice.last();
    if (left !== undefined) return left;
    throw this.mirrored.allDown('No mount that holds the session can be reached', failures);
  }

  /**
   * Runs `work` with all reachable copies of a session locked, as PHP locks them.
   *
   * @throws StormlampError `ERR_SESSION_LOCKED` when a lock could not be had in time; otherwise as {@link SessionFiles.read}.
   */
  async locked<T>(
    id: string,
    deadline: Deadline,
    work: (copies: LockedCopies) => Promise<T>,
    waitMs: number = this.#options.lockWaitMs,
  ): Promise<T> {
    return this.lockedFile(sessionFileName(id, this.#options.depth), deadline, work, waitMs);
  }

  /** Locks all reachable copies of a session until they are released. Errors: as {@link SessionFiles.locked}. */
  hold(id: string, deadline: Deadline): Promise<HeldCopies> {
    return new Promise((resolve, reject) => {
      const held = this.locked(
        id,
        deadline,
        (copies) =>
          new Promise<void>((done) => {
            const hold: HeldCopies = {
              copies,
              // The kernel keeps it as long as the file is open.
              lost: false,
              release: () => {
                done();
                this.#held.delete(hold);
                return held.catch(() => undefined);
              },
            };
            this.#held.add(hold);
            resolve(hold);
          }),
      );
      held.catch(reject);
    });
  }

  /** Renews the date of a session's copies; see {@link touchCopies}. Never rejects. */
  touch(name: string, at: number): Promise<CopiesTouched> {
    return touchCopies(this.mirrored, this.#options.flock, name, at);
  }

  /** Releases everything that is held. Never rejects. */
  async releaseAll(): Promise<void> {
    await Promise.all([...this.#held].map((hold) => hold.release()));
  }

  /** The same as {@link SessionFiles.locked} for a file that is named by its path, relative to a mount. */
  async lockedFile<T>(
    name: string,
    deadline: Deadline,
    work: (copies: LockedCopies) => Promise<T>,
    waitMs: number = this.#options.lockWaitMs,
  ): Promise<T> {
    const patience = deadline.within(Math.max(1, waitMs));
    let turn: 'waited for' | 'there' | 'missed' = 'waited for';
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const done = this.mirrored.turns.run(name, async () => {
      if (turn === 'missed') throw lockedFor(waitMs);
      turn = 'there';
      begin();
      return reopened(async () => {
        const copies = await this.#acquire(name, patience);
        if (copies === 'busy') throw lockedFor(waitMs);
        try {
          return await work(copies);
        } catch (error) {
          throw explainDenied(error);
        } finally {
          await copies.release();
        }
      });
    });
    try {
      // Another call of this process may hold the lock for as long as its request runs.
      await patience.race('Waiting for the session lock', Promise.race([begun, done]));
    } catch (error) {
      turn = 'missed';
      done.catch(() => undefined);
      deadline.check('Waiting for the session lock');
      throw isStormlampError(error, ErrorCode.TIMEOUT) && error.node === undefined
        ? lockedFor(waitMs)
        : error;
    }
    return done;
  }

  async #acquire(name: string, patience: Deadline): Promise<LockedCopies | 'busy'> {
    try {
      return await LockedCopies.acquire({ ...this.#options, name, patience });
    } catch (error) {
      throw explainDenied(error);
    }
  }

  async #copyOn(mount: Mount, name: string, id: string, deadline: Deadline): Promise<FileCopy> {
    const { flock, maxBytes, sound } = this.#options;
    const copy = await reopened(() => peekCopy(mount, mount.at(name), flock, maxBytes, sound));
    if (copy !== 'unsure') return copy;
    return this.locked(id, deadline, async (copies) => copies.of(mount) ?? NO_COPY);
  }
}

/** Whether an error says that somebody else kept the lock. */
export function isLockedError(error: unknown): boolean {
  return isStormlampError(error, ErrorCode.SESSION_LOCKED);
}

function lockedFor(waitMs: number): StormlampError {
  return new StormlampError(
    ErrorCode.SESSION_LOCKED,
    `Another request kept the session locked for ${waitMs} ms; nothing was written. A PHP page holds the lock until it ends or calls session_write_close()`,
  );
}
