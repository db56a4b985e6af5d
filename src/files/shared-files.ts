/** Files on mounts that mirror each other: uploads, deployed content, whatever a site puts beside its sessions. */
import { lstat, unlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { type CallOptions, Deadline } from '../common/deadline.js';
import {
  invalidOption,
  readBoolean,
  readChoice,
  readNumber,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { safeListener } from '../common/safe-listener.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { checkEntryName } from './entry-name.js';
import { findFlock } from './flock.js';
import { listShared, type SharedEntry } from './list-shared.js';
import { MirrorWalk, type WalkProgress, type WalkReport } from './mirror-walk.js';
import { MirroredMounts, type MirroredMountsEvents, type MountStatus } from './mirrored-mounts.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';
import { readShared } from './read-shared.js';
import { changeShared, decidingCopy, type MissedMount, type SharedFilesParts } from './shared-change.js';
import { checksumOf } from './shared-copy.js';
import {
  type ResolvedSharedFilesOptions,
  resolveSharedFilesOptions,
  type SharedFilesOptions,
} from './shared-files-options.js';
import { SharedRepair } from './shared-repair.js';
import { checkSource, type SharedFileSource } from './source-pieces.js';
import { bury, deletionTime, sweepTombstones } from './tombstones.js';
import { placeTaken } from './unusable-place.js';
import type { WalkMode } from './walk-plan.js';
import { type WrittenShared, writeShared } from './write-shared.js';

/** Options of {@link SharedFiles.write}. */
export interface WriteSharedOptions extends CallOptions {
  /** Permission bits. Default `0o644`. */
  readonly mode?: number;
  /** The file's date. Default: now. Copies are told apart by size and date, so give another date to other contents. */
  readonly modified?: Date;
  /** The SHA-256 that the file must have, in hexadecimal; another one is `ERR_CHECKSUM`, and nothing is changed. */
  readonly sha256?: string;
}

/** Options of {@link SharedFiles.read}. */
export interface ReadSharedOptions extends CallOptions {
  /** The first byte. Default 0. */
  readonly offset?: number;
  /** The SHA-256 that the file must have, in hexadecimal; another one ends the stream with `ERR_CHECKSUM`. */
  readonly sha256?: string;
}

/** Options of {@link SharedFiles.walk}. */
export interface WalkOptions {
  /** `'one-way'`: every mount becomes like `from`. `'heal'`: every mount gets the latest of each file. Default `'heal'`. */
  readonly mode?: WalkMode;
  /** The source of a one-way walk. Default: the first mount that can be asked. */
  readonly from?: string;
  /** Whether a one-way walk deletes what the source does not have, though nobody remembers a deletion. Default false. */
  readonly prune?: boolean;
  /** `'checksum'` reads every file on every mount instead of trusting size and date. Default `'date'`. */
  readonly compare?: 'date' | 'checksum';
  /** Changes nothing, and tells what would be done. Default false. */
  readonly dryRun?: boolean;
  /** Told about every file. */
  readonly onProgress?: (progress: WalkProgress) => void;
  /** Ends the walk with `ERR_ABORTED`. */
  readonly signal?: AbortSignal;
}

/** What a write did. */
export interface SharedWriteResult {
  /** Bytes. */
  readonly size: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
  /** Mounts that hold the file now. */
  readonly mounts: readonly string[];
  /** Mounts that missed it; they get it when they are back. */
  readonly missed: readonly MissedMount[];
}

/** A file, as `stat` tells it. */
export interface SharedFileStat {
  /** Bytes. */
  readonly size: number;
  /** Its date. */
  readonly modified: Date;
  /** Permission bits. */
  readonly mode: number;
  /** The mount that answered. */
  readonly mount: string;
}

/** Events of {@link SharedFiles}. */
export interface SharedFilesEvents extends MirroredMountsEvents {
  /** The rest of a file is read from the next mount. */
  'read-fell-over': { readonly name: string; readonly mount: string; readonly error: unknown };
  /** A write or a deletion did not reach a mount. */
  'copy-missed': { readonly operation: 'write' | 'delete'; readonly name: string } & MissedMount;
  /** Two mounts hold different files that nobody can put in an order. */
  'copies-differed': {
    readonly name: string;
    readonly mount: string;
    readonly kept: 'its own' | 'the others';
    readonly aside: string | undefined;
  };
}

/** See the head of this file. Made by {@link createSharedFiles}. */
export class SharedFiles extends SafeEmitter<SharedFilesEvents> {
  /** The options in force. */
  readonly options: ResolvedSharedFilesOptions;
  readonly #parts: SharedFilesParts;
  readonly #mirrored: MirroredMounts;
  /** What is being written, by what ends the wait for its source. */
  readonly #writes = new Map<AbortController, Promise<unknown>>();
  #closed = false;

  /** @internal */
  constructor(options: ResolvedSharedFilesOptions, parts: SharedFilesParts) {
    super();
    this.options = options;
    this.#parts = parts;
    this.#mirrored = parts.mirrored;
    this.#mirrored.on('mount-changed', (event) => void this.publish('mount-changed', event));
    this.#mirrored.on('mount-repaired', (event) => void this.publish('mount-repaired', event));
    this.#mirrored.on('repair-failed', (event) => void this.publish('repair-failed', event));
    this.#mirrored.watch(new SharedRepair(parts, (event) => void this.publish('copies-differed', event)));
  }

  /**
   * Writes a file to every mount. Readers see the old contents until all of the new ones are on the disk, and then these.
   *
   * @param source a text, bytes, or something that gives them piece by piece, like a `Readable`
   * Without `timeoutMs` or `signal` a source that falls silent, like an upload whose browser went away, is waited for until
   * {@link SharedFiles.close}.
   *
   * @throws StormlampError `ERR_INVALID_OPTION`, `ERR_FILE_NAME` (also for the name of a folder), `ERR_CHECKSUM`,
   * `ERR_FILE_LOCKED`, `ERR_STORE_DOWN` (no mount took it, or too few can), `ERR_OUTCOME_UNKNOWN` (too few took it, it counts), `ERR_ABORTED`,
   * `ERR_TIMEOUT`, `ERR_CLOSED`; whatever the source throws.
   */
  async write(
    name: string,
    source: SharedFileSource,
    options: WriteSharedOptions = {},
  ): Promise<SharedWriteResult> {
    this.#assertOpen();
    rejectUnknownOptions('options', options, ['mode', 'modified', 'sha256', 'signal', 'timeoutMs']);
    checkSource(source);
    const settings = {
      mode: readNumber('options.mode', options.mode, 0o644, { min: 0, max: 0o777, integer: true }),
      modified: readDate(options.modified),
      sha256: readSha256(options.sha256),
    };
    const deadline = Deadline.of(options);
    checkEntryName(name);
    const done = await this.#whileOpen(options, (reading) =>
      writeShared(this.#parts, name, source, settings, deadline, reading),
    );
    for (const missed of done.missed) this.publish('copy-missed', { operation: 'write', name, ...missed });
    const { size, sha256, missed } = done;
    return { size, sha256, mounts: done.reached.map(({ path }) => path), missed };
  }

  /**
   * Reads a file. Should its mount fail on the way, the rest comes from the next one.
   *
   * The stream is destroyed with a StormlampError: `ERR_FILE_MISSING`, `ERR_FILE_CHANGED`, `ERR_CHECKSUM`,
   * `ERR_STORE_DOWN`, `ERR_ABORTED`, `ERR_TIMEOUT`.
   *
   * @throws StormlampError `ERR_FILE_NAME`, `ERR_CLOSED`.
   */
  read(name: string, options: ReadSharedOptions = {}): Readable {
    this.#assertOpen();
    rejectUnknownOptions('options', options, ['offset', 'sha256', 'signal', 'timeoutMs']);
    const offset = readNumber('options.offset', options.offset, 0, { min: 0, integer: true });
    if (offset > 0 && options.sha256 !== undefined)
      throw invalidOption(
        'options.sha256',
        'left out when a file is not read from its first byte',
        options.sha256,
      );
    const settings = {
      offset,
      sha256: readSha256(options.sha256),
      onFallover: (event: { mount: string; error: unknown }) =>
        void this.publish('read-fell-over', { name, ...event }),
    };
    const pieces = readShared(this.#mirrored, checkEntryName(name), settings, Deadline.of(options));
    return Readable.from(pieces, { objectMode: false });
  }

  /** Size, date and mode of a file; undefined when there is none. Errors: `ERR_FILE_NAME`, `ERR_STORE_DOWN`, `ERR_CLOSED`. */
  async stat(name: string): Promise<SharedFileStat | undefined> {
    this.#assertOpen();
    const failures = new Map<Mount, unknown>();
    const found = await decidingCopy(
      this.#mirrored,
      this.#mirrored.readable(),
      checkEntryName(name),
      failures,
    );
    if (found === undefined) throw this.#mirrored.allDown(`No mount can be asked for ${name}`, failures);
    const { mount, copy } = found;
    if (copy.version === null) return undefined;
    return { size: copy.size, modified: new Date(copy.modifiedMs), mode: copy.mode, mount: mount.path };
  }

  /**
   * The SHA-256 of each mount's copy, in hexadecimal; undefined where there is none: links, folders and devices are no files.
   * Errors: as `stat`.
   */
  async checksums(name: string): Promise<ReadonlyMap<string, string | undefined>> {
    this.#assertOpen();
    checkEntryName(name);
    const sums = new Map<string, string | undefined>();
    for (const mount of this.#mirrored.readable()) sums.set(mount.path, await checksumOf(mount, name));
    return sums;
  }

  /** What a folder holds, in the order of names; `''` is the top. A folder that is not there holds nothing. Errors: as `stat`. */
  list(folder = ''): Promise<readonly SharedEntry[]> {
    this.#assertOpen();
    return listShared(this.#mirrored, folder === '' ? '' : checkEntryName(folder));
  }

  /** Deletes a file from every mount, and remembers that; whether there was one. Errors: as `write`. */
  async delete(name: string, options: CallOptions = {}): Promise<boolean> {
    this.#assertOpen();
    checkEntryName(name);
    let at: number | undefined;
    const done = await changeShared(
      this.#parts,
      name,
      'delete',
      null,
      Deadline.ofCall(options),
      async (mount) => {
        await mount.confirm();
        await mount.run('Looking at a file', async () => {
          const found = await unlessMissing(lstat(mount.at(name)));
          if (found?.isDirectory() === true) throw placeTaken(name, 'a folder has that name');
        });
        at ??= await deletionTime(mount, name);
        await bury(mount, { name, at });
        await mount.run('Deleting', () => unlessMissing(unlink(mount.at(name))));
        await mount.confirm();
      },
    );
    for (const missed of done.missed) this.publish('copy-missed', { operation: 'delete', name, ...missed });
    return done.before.version !== null;
  }

  /**
   * Walks over all files and makes the mounts alike. What other programs put on one mount gets to the others this way. Permission
   * bits go along with a copy; a file of which only they differ is left alone.
   *
   * @throws StormlampError `ERR_STORE_DOWN` or `ERR_MOUNT_DOWN` when a mount breaks down on the way, `ERR_ABORTED`.
   */
  async walk(options: WalkOptions = {}): Promise<WalkReport> {
    this.#assertOpen();
    const known = ['mode', 'from', 'prune', 'compare', 'dryRun', 'onProgress', 'signal'];
    rejectUnknownOptions('options', options, known);
    await this.#mirrored.checkNow();
    const mode = readChoice('options.mode', options.mode, ['one-way', 'heal'], 'heal');
    const source = this.#source(options.from);
    const walk = new MirrorWalk(this.#parts, {
      mode,
      source,
      prune: readBoolean('options.prune', options.prune, false),
      compare: readChoice('options.compare', options.compare, ['date', 'checksum'], 'date'),
      dryRun: readBoolean('options.dryRun', options.dryRun, false),
      onProgress: safeListener('The listener `options.onProgress`', options.onProgress ?? (() => undefined)),
      signal: options.signal,
    });
    const report = await walk.run();
    if (options.dryRun !== true) {
      const before = Date.now() - this.options.tombstoneMs;
      for (const mount of this.#mirrored.readable()) await sweepTombstones(mount, before);
    }
    return report;
  }

  /** Lets a new or emptied mount take part, after filling it from the others. Errors: as `walk`. */
  async fill(mount: string): Promise<void> {
    this.#assertOpen();
    await this.#mirrored.admit(mount, async () => void (await this.walk({ mode: 'heal' })));
  }

  /** Looks at every mount now, and repairs what can be repaired. Never rejects. */
  checkMounts(): Promise<void> {
    return this.#mirrored.checkNow();
  }

  /** The mounts and their states. */
  status(): readonly MountStatus[] {
    return this.#mirrored.status();
  }

  /**
   * Stops looking at the mounts. What is being written is waited for when all of it is there; a write that still waits for its
   * source ends with `ERR_CLOSED`.
   */
  async close(): Promise<void> {
    this.#closed = true;
    for (const ending of this.#writes.keys()) ending.abort();
    await Promise.allSettled(this.#writes.values());
    await this.#mirrored.close();
  }

  /** Same as {@link SharedFiles.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs a write, whose source is waited for until the deadline of `options`, and not after these files are closed. */
  async #whileOpen(
    options: CallOptions,
    work: (reading: Deadline) => Promise<WrittenShared>,
  ): Promise<WrittenShared> {
    const { signal, timeoutMs } = options;
    const ending = new AbortController();
    const relay = (): void => ending.abort(signal?.reason);
    if (signal?.aborted === true) relay();
    else signal?.addEventListener('abort', relay, { once: true });
    const writing = work(Deadline.of({ signal: ending.signal, timeoutMs }));
    this.#writes.set(ending, writing);
    try {
      return await writing;
    } catch (error) {
      if (this.#closed && signal?.aborted !== true && isStormlampError(error, ErrorCode.ABORTED))
        throw closed();
      throw error;
    } finally {
      this.#writes.delete(ending);
      signal?.removeEventListener('abort', relay);
    }
  }

  #source(from: string | undefined): Mount {
    const mounts = this.#mirrored.readable();
    const source = from === undefined ? mounts[0] : mounts.find(({ path }) => path === from);
    if (source !== undefined) return source;
    if (from === undefined) throw this.#mirrored.allDown('No mount can be walked');
    throw invalidOption('options.from', `one of ${mounts.map(({ path }) => path).join(', ')}`, from);
  }

  #assertOpen(): void {
    if (this.#closed) throw closed();
  }
}

function closed(): StormlampError {
  return new StormlampError(ErrorCode.CLOSED, 'The shared files are closed');
}

/** Checked before anything is written or read: what is no checksum would be the fault of no file. */
function readSha256(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && /^[0-9a-f]{64}$/i.test(given)) return given.toLowerCase();
  throw invalidOption('options.sha256', '64 hexadecimal digits', given);
}

function readDate(given: unknown): Date {
  if (given === undefined) return new Date();
  if (given instanceof Date && !Number.isNaN(given.getTime())) return new Date(given);
  throw invalidOption('options.modified', 'a valid Date', given);
}

/**
 * Opens folders that mirror each other.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED` where files cannot be locked, `ERR_STORE_DOWN` when no mount
 * can be used.
 */
export async function createSharedFiles(options: SharedFilesOptions): Promise<SharedFiles> {
  const resolved = resolveSharedFilesOptions(options);
  const flock = await findFlock();
  const mirrored = await MirroredMounts.open({ ...resolved, optionPath: 'options.mounts' });
  return new SharedFiles(resolved, { mirrored, flock, waitMs: resolved.lockWaitMs, acks: resolved.acks });
}
