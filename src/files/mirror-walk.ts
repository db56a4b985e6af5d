/** A walk over all files of the mounts, folder by folder, that makes them alike: what `rsync` from cron used to do. */
import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Deadline } from '../common/deadline.js';
import { inFlight } from '../common/in-flight.js';
import { describeError, isStormlampError } from '../common/stormlamp-error.js';
import { assertNoLink, isOwnName } from './entry-name.js';
import { listFolder } from './list-folder.js';
import { isSuperseded, listMissedNames } from './missed-writes.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';
import { withNameLocked } from './name-lock.js';
import { isUnfinished, LEFTOVER_MS } from './replace-file.js';
import { shareMissed } from './share-missed.js';
import type { SharedFilesParts } from './shared-change.js';
import { checksumOf, copyShared, lookAt, NO_SHARED_COPY, type SharedCopy } from './shared-copy.js';
import { deletedAt, listDeleted } from './tombstones.js';
import { clashError, lookAtClash, removeEmptyFolders, sourceMissed } from './walk-clash.js';
import { planWalk, type WalkMode, type WalkStep } from './walk-plan.js';

/** What a walk has done so far. */
export interface WalkReport {
  /** Files that were looked at. */
  readonly looked: number;
  /** Copies that were made (or would be, in a dry run). */
  readonly copied: number;
  /** Copies that were deleted (or would be). */
  readonly deleted: number;
  /** Bytes that were copied. */
  readonly bytes: number;
  /** What is neither a file nor a folder, and was left alone. */
  readonly skipped: number;
  /** Files that could not be mended, and folders that could not be read: nothing in those is copied or deleted. */
  readonly failed: number;
}

/** A step of a walk. */
export interface WalkProgress extends WalkReport {
  /** The file. */
  readonly name: string;
  /** What is done with it. */
  readonly action: 'nothing' | 'copy' | 'delete' | 'failed';
  /** The mounts that it is done on. */
  readonly mounts: readonly string[];
  /** Why it failed. */
  readonly error: Error | undefined;
}

/** What a walk is given. */
export interface WalkSettings {
  /** How. */
  readonly mode: WalkMode;
  /** The source of a one-way walk. */
  readonly source: Mount;
  /** Whether files that the source does not have are deleted, though nobody remembers that. */
  readonly prune: boolean;
  /** `'checksum'` reads every file on every mount instead of trusting size and date. */
  readonly compare: 'date' | 'checksum';
  /** Changes nothing. */
  readonly dryRun: boolean;
  /** Told about every file. */
  readonly onProgress: (progress: WalkProgress) => void;
  /** Ends the walk. */
  readonly signal: AbortSignal | undefined;
}

/** Files that are looked at or mended at a time: enough to keep the threads of every mount busy. */
const IN_FLIGHT = 8;

/** See the head of this file. */
export class MirrorWalk {
  readonly #parts: SharedFilesParts;
  readonly #settings: WalkSettings;
  readonly #mounts: readonly Mount[];
  #isRemembered: (name: string) => boolean = () => true;
  readonly #counts = { looked: 0, copied: 0, deleted: 0, bytes: 0, skipped: 0, failed: 0 };

  /** Prepares a walk over the mounts that can be written now. */
  constructor(parts: SharedFilesParts, settings: WalkSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#mounts = parts.mirrored.writable();
  }

  /** Walks. Errors about single files are counted; a mount that breaks down ends it. */
  async run(): Promise<WalkReport> {
    const remembered = await Promise.all(this.#mounts.flatMap((mount) => this.#listRemembered(mount)));
    this.#isRemembered = (name) => remembered.some((has) => has(name));
    await this.#folder('');
    this.#deadline().check('The walk');
    return { ...this.#counts };
  }

  /** What was deleted, as a mount remembers, and what it missed, as the others do. */
  #listRemembered(mount: Mount): Promise<(name: string) => boolean>[] {
    const holders = this.#parts.mirrored.readable().filter((holder) => holder !== mount);
    return [listDeleted(mount), ...holders.map((holder) => listMissedNames(holder, mount))];
  }

  async #folder(folder: string): Promise<void> {
    const files = new Set<string>();
    const folders = new Set<string>();
    try {
      for (const mount of this.#mounts) await this.#list(mount, folder, files, folders);
    } catch (error) {
      // Nothing is known of what is in it, so nothing there is copied or deleted.
      if (folder === '') throw error;
      this.#fail(folder, error);
      return;
    }
    const names = [...files].sort();
    await inFlight(
      names.filter((name) => !folders.has(name)),
      IN_FLIGHT,
      (name) => this.#file(join(folder, name)),
    );
    for (const name of names)
      if (folders.has(name) && !(await this.#clash(join(folder, name)))) folders.delete(name);
    for (const name of [...folders].sort()) await this.#folder(join(folder, name));
  }

  /** A file on one mount and a folder on another; resolves to whether the folder is still to be walked. */
  async #clash(name: string): Promise<boolean> {
    const { mode, prune, source, dryRun } = this.#settings;
    let walked = false;
    await this.#guarded(name, async () => {
      const clash = await lookAtClash(this.#mounts, name);
      if (mode === 'one-way' && prune && clash.files.includes(source)) {
        // Empties the folders: the source has nothing that is in them.
        await this.#folder(name);
        if (!dryRun) for (const mount of clash.folders) await removeEmptyFolders(mount, name);
      } else {
        walked = (await this.#plan(name)).action.kind === 'delete';
        if (!walked) throw clashError(name, clash);
      }
      await this.#mend(name);
    });
    return walked;
  }

  async #list(mount: Mount, folder: string, files: Set<string>, folders: Set<string>): Promise<void> {
    // Another mount may have a folder where this one has a link.
    const unlinked = () => assertNoLink(mount, folder);
    for await (const piece of listFolder(mount, mount.at(folder), unlinked)) {
      for (const entry of piece) {
        if (isUnfinished(entry.name) && entry.isFile())
          await this.#sweep(mount, mount.at(folder, entry.name));
        if (isOwnName(entry.name)) continue;
        if (entry.isFile()) files.add(entry.name);
        else if (entry.isDirectory()) folders.add(entry.name);
        else this.#counts.skipped += 1;
      }
    }
  }

  #sweep(mount: Mount, path: string): Promise<void> {
    return mount.run('Removing what was left behind', async () => {
      const found = await unlessMissing(stat(path));
      if (this.#settings.dryRun || found === undefined || Date.now() - found.mtimeMs < LEFTOVER_MS) return;
      await unlessMissing(unlink(path));
    });
  }

  #file(name: string): Promise<void> {
    return this.#guarded(name, () => this.#mend(name));
  }

  async #mend(name: string): Promise<void> {
    if (await this.#alike(name)) {
      this.#tell(name, { kind: 'nothing' });
      return;
    }
    const { action: seen } = await this.#plan(name);
    if (seen.kind === 'nothing' || this.#settings.dryRun) {
      if (seen.kind === 'copy') this.#counts.copied += seen.to.length;
      if (seen.kind === 'delete') this.#counts.deleted += seen.on.length;
      this.#tell(name, seen);
      return;
    }
    // Seen without a lock; decided again with it.
    await withNameLocked(this.#parts, name, this.#deadline(), async () => {
      const { action, copies } = await this.#plan(name);
      await this.#act(name, action, copies);
      this.#tell(name, action);
    });
  }

  /** Counts what goes wrong with one file; only a mount that breaks down and the caller's signal end the walk. */
  async #guarded(name: string, work: () => Promise<void>): Promise<void> {
    this.#deadline().check('The walk');
    this.#counts.looked += 1;
    try {
      await work();
    } catch (error) {
      this.#fail(name, error);
    }
  }

  #fail(name: string, error: unknown): void {
    if (isStormlampError(error, 'ERR_ABORTED') || this.#mounts.some((mount) => !mount.writable)) throw error;
    this.#counts.failed += 1;
    const failure = error instanceof Error ? error : new Error(describeError(error));
    this.#settings.onProgress({ ...this.#counts, name, action: 'failed', mounts: [], error: failure });
  }

  #deadline(): Deadline {
    return Deadline.of({ signal: this.#settings.signal });
  }

  /**
   * Whether every mount has the same file, and none remembered at the beginning of the walk that it was deleted, or missed a
   * write of it: then there is nothing to do. What is missed later is left to the repair.
   */
  async #alike(name: string): Promise<boolean> {
    if (this.#settings.compare === 'checksum' || this.#isRemembered(name)) return false;
    const copies = await Promise.all(this.#mounts.map((mount) => lookAt(mount, name)));
    return copies.every(({ version }) => version !== null && version === copies[0]?.version);
  }

  async #plan(name: string): Promise<{ action: WalkStep; copies: readonly SharedCopy[] }> {
    const { mode, prune, source } = this.#settings;
    const facts = await Promise.all(
      this.#mounts.map(async (mount) => {
        const seen = await lookAt(mount, name);
        const copy = await this.#compared(mount, name, seen);
        const missed = await this.#parts.mirrored.missedBy(mount, name);
        const deleted = await deletedAt(mount, name);
        return { copy, deleted, stale: missed !== undefined && isSuperseded(seen, missed) };
      }),
    );
    const deletions = facts.flatMap(({ deleted }) => deleted ?? []);
    const action = planWalk({
      mode,
      source: this.#mounts.indexOf(source),
      prune,
      copies: facts.map(({ copy, stale }) => ({ ...copy, stale })),
      deletedAt: deletions.length === 0 ? undefined : Math.max(...deletions),
    });
    if (action.kind === 'refuse') throw sourceMissed(name, source);
    return { action, copies: facts.map(({ copy }) => copy) };
  }

  /** With `compare: 'checksum'`, two copies are the same only when their bytes are. */
  async #compared(mount: Mount, name: string, copy: SharedCopy): Promise<SharedCopy> {
    if (this.#settings.compare === 'date' || copy.version === null) return copy;
    const sha256 = await checksumOf(mount, name);
    return sha256 === undefined ? NO_SHARED_COPY : { ...copy, version: `${copy.version}:${sha256}` };
  }

  async #act(name: string, action: WalkStep, copies: readonly SharedCopy[]): Promise<void> {
    if (action.kind === 'nothing') return;
    if (action.kind === 'delete') {
      for (const mount of this.#at(action.on)) {
        await shareMissed(this.#parts.mirrored, mount, name);
        await mount.run('Deleting', () => unlessMissing(unlink(mount.at(name))));
        this.#counts.deleted += 1;
        await this.#parts.mirrored.forget(mount, name);
      }
      return;
    }
    const from = this.#mounts[action.from];
    if (from === undefined || copies[action.from] === undefined) return;
    const copy = await lookAt(from, name);
    for (const mount of this.#at(action.to)) {
      await shareMissed(this.#parts.mirrored, mount, name);
      const bytes = await copyShared(name, from, copy, mount);
      this.#counts.bytes += bytes;
      this.#counts.copied += 1;
      await this.#parts.mirrored.forget(mount, name);
    }
  }

  #at(places: readonly number[]): readonly Mount[] {
    return places.flatMap((place) => this.#mounts[place] ?? []);
  }

  #tell(name: string, action: WalkStep): void {
    const places = action.kind === 'copy' ? action.to : action.kind === 'delete' ? action.on : [];
    const mounts = this.#at(places).map(({ path }) => path);
    this.#settings.onProgress({ ...this.#counts, name, action: action.kind, mounts, error: undefined });
  }
}
