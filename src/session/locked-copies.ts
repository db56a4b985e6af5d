/** All copies of one session file, open and locked: what a save, a removal or a repair works on. */
import { unlink } from 'node:fs/promises';
import type { Deadline } from '../common/deadline.js';
import { ErrorCode } from '../common/stormlamp-error.js';
import type { Flock } from '../files/flock.js';
import { type FileCreation, type LockedFile, openLocked } from '../files/locked-file.js';
import type { MirroredMounts } from '../files/mirrored-mounts.js';
import type { LateChange, MissedWrite } from '../files/missed-writes.js';
import type { Mount } from '../files/mount.js';
import { noteTaken } from '../files/mount-acks.js';
import { unlessMissing } from '../files/mount-health.js';
import { shareMissed } from '../files/share-missed.js';
import { reopened } from '../files/when-stale.js';
import { writeInPlace } from '../files/write-in-place.js';
import { CopyChoice } from './copy-choice.js';
import { commonDate, copiedDate } from './copy-date.js';
import { type FileCopy, NO_COPY, readCopy, versionOf } from './file-copy.js';

/** What the copies need to know of their store. */
export interface LockedCopiesOptions {
  /** The mounts. */
  readonly mirrored: MirroredMounts;
  /** Takes locks. */
  readonly flock: Flock;
  /** The file, relative to a mount. */
  readonly name: string;
  /** How files are made. */
  readonly creation: FileCreation;
  /** Largest session. */
  readonly maxBytes: number;
  /** How long locks are waited for. */
  readonly patience: Deadline;
  /** Whether bytes are a session. */
  readonly sound: (bytes: Buffer) => boolean;
  /** What the parts of a session are. */
  readonly partsOf: (bytes: Buffer) => MissedWrite['parts'];
  /** Makes one session of the copy of a mount that missed a write and was written since, and of the others'. */
  readonly reconcile: (own: FileCopy, others: FileCopy, missed: MissedWrite) => FileCopy;
}

/** What a write did. */
export interface CopiesWritten {
  /** Mounts that took it. */
  readonly reached: readonly Mount[];
  /** Mounts that did not; it is remembered that they missed it. */
  readonly missed: readonly { readonly mount: Mount; readonly error: unknown }[];
}

interface Change extends Pick<MissedWrite, 'kind' | 'at' | 'ended' | 'unusedFor'> {
  readonly parts?: (() => MissedWrite['parts']) | undefined;
}

interface OpenCopy {
  readonly mount: Mount;
  file: LockedFile | undefined;
  copy: FileCopy;
}

/** See the head of this file. */
export class LockedCopies {
  readonly #options: LockedCopiesOptions;
  readonly #open: OpenCopy[] = [];
  readonly #failures = new Map<Mount, unknown>();
  /** What mounts missed, once it was looked up: nobody else changes that while the copies are locked. */
  readonly #missed = new Map<Mount, MissedWrite | undefined>();

  private constructor(options: LockedCopiesOptions) {
    this.#options = options;
  }

  /**
   * Locks every copy that can be reached, in the order of the mounts, which is the same for everybody.
   *
   * All of them, and not only the first: machines may see different mounts, and whoever shares one mount with another
   * must wait for it.
   *
   * @returns `'busy'` when one of the locks could not be had; nothing is locked then
   * @throws StormlampError `ERR_STORE_DOWN` when no copy can be reached; what a file says for itself (denied, too large).
   */
  static async acquire(options: LockedCopiesOptions): Promise<LockedCopies | 'busy'> {
    const copies = new LockedCopies(options);
    try {
      for (const mount of options.mirrored.writable()) {
        if ((await copies.#add(mount)) === 'busy') {
          await copies.release();
          return 'busy';
        }
      }
      if (!copies.#open.some(({ mount }) => mount.readable)) throw copies.#down();
      return copies;
    } catch (error) {
      await copies.release();
      throw error;
    }
  }

  /** The mounts whose copies these are, and can be written as far as is known. */
  get mounts(): readonly Mount[] {
    return this.#open.filter(({ file }) => file?.readOnly !== true).map(({ mount }) => mount);
  }

  /** What went wrong on the mounts whose copies are not among these. */
  get failures(): ReadonlyMap<Mount, unknown> {
    return this.#failures;
  }

  /** A mount's own copy; undefined when it is not among these. */
  of(mount: Mount): FileCopy | undefined {
    return this.#open.find((one) => one.mount === mount)?.copy;
  }

  /** What a mount missed. Errors: as `MirroredMounts.missedBy`. */
  async missedBy(mount: Mount): Promise<MissedWrite | undefined> {
    if (!this.#missed.has(mount))
      this.#missed.set(mount, await this.#options.mirrored.missedBy(mount, this.#options.name));
    return this.#missed.get(mount);
  }

  /** When the session was last used, by the youngest of its copies, in milliseconds since 1970. */
  get lastUse(): number {
    return Math.max(...this.#open.map(({ copy }) => copy.modifiedMs));
  }

  /**
   * The copy that counts; see {@link CopyChoice}.
   *
   * @param but a mount that is not asked
   * @throws StormlampError `ERR_STORE_DOWN` when no mount is left to ask: that is not the same as a missing file.
   */
  async deciding(but?: Mount): Promise<FileCopy> {
    const asked = this.#open.filter(({ mount }) => mount.readable && mount !== but);
    const choice = new CopyChoice(this.#options, asked.length > 1);
    for (const one of asked) {
      const isFirst = one.mount === this.#options.mirrored.mounts[0];
      const answer = choice.offer(one, await this.missedBy(one.mount), isFirst);
      if (answer !== undefined) return answer.copy;
    }
    const left = choice.last();
    if (left === undefined) throw this.#down();
    return left.copy;
  }

  /**
   * Writes the same bytes to every copy.
   *
   * @param parts what this changes, for the mounts that miss it
   * @param before the copy that counted, which the mounts that are down presumably hold
   * @throws StormlampError `ERR_STORE_DOWN` when no mount took it, or before it is begun: what is missed could not be remembered;
   * `ERR_OUTCOME_UNKNOWN` when it is made, and that could not be remembered.
   */
  write(bytes: Buffer, before: FileCopy, parts?: () => MissedWrite['parts']): Promise<CopiesWritten> {
    const at = Date.now();
    return this.#change({ kind: 'write', at, parts }, before, bytes, (one) =>
      this.#writeOne(one, bytes, commonDate(at)),
    );
  }

  /**
   * Removes every copy. Arguments and errors: as {@link LockedCopies.write}.
   *
   * @param unusedFor of a collection: for how long, in milliseconds, nobody had used the session. Left out, it is ended for good.
   */
  remove(before: FileCopy, unusedFor?: number): Promise<CopiesWritten> {
    const at = Date.now();
    const why = unusedFor === undefined ? { ended: at } : { unusedFor, parts: () => ({}) };
    return this.#change({ kind: 'delete', at, ...why }, before, null, ({ mount, file }) =>
      mount.run('Removing', async () => {
        if (file !== undefined) await unlessMissing(unlink(file.path));
      }),
    );
  }

  /**
   * Brings one mount's copy to `copy`, whatever the others hold, and to the date of the last use. Where that was just now, the date
   * stays a little behind: whoever wrote it may write as much once more with the same date, and this one has to be looked at then.
   */
  async bring(mount: Mount, copy: FileCopy): Promise<void> {
    const one = this.#open.find((open) => open.mount === mount);
    if (one === undefined) throw this.#failures.get(mount) ?? this.#down();
    await shareMissed(this.#options.mirrored, mount, this.#options.name);
    try {
      if (copy.bytes !== null) {
        const date = copiedDate(Math.max(copy.modifiedMs, this.lastUse), Date.now());
        const { file } = one;
        if (file === undefined || one.copy.version !== copy.version)
          await this.#writeOne(one, copy.bytes, date);
        else await mount.run('Dating', () => setDate(file, date));
      } else if (one.file !== undefined) {
        const { path } = one.file;
        await mount.run('Removing', () => unlessMissing(unlink(path)));
      }
      await mount.confirm();
    } catch (error) {
      await this.#rememberLate(one, copy).catch(() => undefined);
      throw error;
    }
  }

  /** Gives all locks back. Never rejects. */
  async release(): Promise<void> {
    for (const { mount, file } of this.#open.reverse())
      if (file !== undefined) await mount.close(file.handle);
  }

  async #add(mount: Mount): Promise<'added' | 'busy'> {
    try {
      const opened = await reopened(() => this.#openCopy(mount));
      if (opened === 'busy') return 'busy';
      this.#open.push(opened);
    } catch (error) {
      // A mount that broke down is done without; anything else is about this file, and for the caller.
      if (mount.writable) throw error;
      this.#failures.set(mount, error);
    }
    return 'added';
  }

  async #openCopy(mount: Mount): Promise<OpenCopy | 'busy'> {
    const { flock, name, maxBytes, patience } = this.#options;
    const file = await openLocked({ mount, path: mount.at(name), flock, patience });
    if (file === 'busy') return 'busy';
    if (file === 'absent') return { mount, file: undefined, copy: NO_COPY };
    try {
      return { mount, file, copy: await mount.run('Reading', () => readCopy(file.handle, maxBytes)) };
    } catch (error) {
      await mount.close(file.handle);
      throw error;
    }
  }

  async #change(
    { parts, ...told }: Change,
    before: FileCopy,
    made: Buffer | null,
    change: (one: OpenCopy) => Promise<unknown>,
  ): Promise<CopiesWritten> {
    const { mirrored, name } = this.#options;
    const open = [...this.#open];
    const holders = open.map(({ mount }) => mount);
    const absent = mirrored.mounts.filter((mount) => !holders.includes(mount));
    const record = (superseded: string | null) => ({ ...told, name, superseded, parts: parts?.() });
    // Written down first: were this process to die after the write, nobody would know that a copy is stale.
    for (const misser of absent) await mirrored.remember(holders, misser, record(before.version));
    const reached: Mount[] = [];
    const failed: { one: OpenCopy; error: unknown }[] = [];
    for (const one of open) {
      try {
        await change(one);
        await one.mount.confirm();
        reached.push(one.mount);
      } catch (error) {
        failed.push({ one, error });
      }
    }
    const failures = new Map(this.#failures);
    for (const { one, error } of failed) failures.set(one.mount, error);
    if (reached.length === 0) throw mirrored.allDown('No mount took the session', failures);
    for (const { one } of failed) {
      const held = await this.#heldBy(one);
      const missed = { ...record(held.version), late: this.#lateOn(one, made) };
      await noteTaken(mirrored.remember(reached, one.mount, missed, { parts: this.#partsIn(held) }));
    }
    // A mount that has this write lacks nothing any more: what PHP writes on the first one from now on is newer than its copy.
    for (const mount of reached) {
      const old = await this.missedBy(mount);
      if (old !== undefined && !(await mirrored.forget(mount, name, old)))
        throw mirrored.allDown(
          `The session was changed, but what ${mount.path} had missed before cannot be taken back`,
          failures,
          ErrorCode.OUTCOME_UNKNOWN,
        );
    }
    const missed = [...absent, ...failed.map(({ one }) => one.mount)].map((mount) => ({
      mount,
      error: failures.get(mount) ?? ('error' in mount.health ? mount.health.error : undefined),
    }));
    return { reached, missed };
  }

  async #writeOne(one: OpenCopy, bytes: Buffer, at: number): Promise<void> {
    const { mount } = one;
    const file = one.file ?? (await this.#create(one));
    if (file.readOnly)
      throw noted(mount, Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' }));
    try {
      await mount.run('Writing', async () => {
        await writeInPlace(file.handle, bytes, one.copy.bytes ?? Buffer.alloc(0));
        await setDate(file, at);
        if (mount.writesBehind) await file.handle.datasync();
      });
    } catch (error) {
      // An empty file would be an empty session to PHP; where there was none, there is none.
      if (file.created) await mount.run('Removing', () => unlessMissing(unlink(file.path))).catch(() => {});
      throw error;
    }
  }

  async #create(one: OpenCopy): Promise<LockedFile> {
    const { flock, name, creation, patience, maxBytes } = this.#options;
    const { mount } = one;
    await mount.confirm();
    const opened = await openLocked({ mount, path: mount.at(name), flock, create: creation, patience });
    if (typeof opened === 'string') throw new Error(`The session file was ${opened} when it was to be made`);
    one.file = opened;
    // Made by somebody else meanwhile, who may have written: what is longer than our bytes has to be cut.
    if (!opened.created) one.copy = await mount.run('Reading', () => readCopy(opened.handle, maxBytes));
    return opened;
  }

  /** What a copy is after a write that failed. */
  async #heldBy({ mount, file, copy }: OpenCopy): Promise<Pick<FileCopy, 'bytes' | 'version'>> {
    if (file === undefined || file.created) return { bytes: copy.bytes, version: versionOf(copy.bytes) };
    try {
      return await mount.run('Reading', () => readCopy(file.handle, this.#options.maxBytes));
    } catch {
      return copy;
    }
  }

  #partsIn({ bytes }: Pick<FileCopy, 'bytes'>): MissedWrite['parts'] {
    return bytes === null ? {} : this.#options.partsOf(bytes);
  }

  /** What a change may still make of a copy whose mount did not let it come back. */
  #lateOn({ mount, file }: OpenCopy, made: Buffer | null): readonly LateChange[] {
    if (mount.writable) return [];
    if (made === null) return [{ version: null }];
    const late = [{ version: versionOf(made), parts: this.#options.partsOf(made) }];
    return file === undefined || file.created ? [...late, { version: versionOf(Buffer.alloc(0)) }] : late;
  }

  async #rememberLate(one: OpenCopy, { bytes }: FileCopy): Promise<void> {
    const late = this.#lateOn(one, bytes);
    if (late.length === 0) return;
    const { mirrored, name } = this.#options;
    const holders = this.#open.flatMap(({ mount }) => (mount === one.mount ? [] : [mount]));
    const kind = bytes === null ? 'delete' : 'write';
    const missed = { name, kind, superseded: one.copy.version, at: Date.now(), parts: {}, late } as const;
    await mirrored.remember(holders, one.mount, missed);
  }

  #down(): Error {
    return this.#options.mirrored.allDown('No mount that holds the session can be reached', this.#failures);
  }
}

/** Dates a file; in seconds, because a `Date` would cut off what is finer than a millisecond. */
function setDate({ handle }: LockedFile, at: number): Promise<void> {
  return handle.utimes(at / 1000, at / 1000);
}

function noted(mount: Mount, error: Error): Error {
  mount.learnFrom(error);
  return error;
}
