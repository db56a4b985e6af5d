/** Mends copies of session files: what a mount missed, what PHP wrote on the first mount only, what ended. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Deadline } from '../common/deadline.js';
import { inFlight } from '../common/in-flight.js';
import { ErrorCode, isStormlampError, type StormlampError } from '../common/stormlamp-error.js';
import { decideRepair } from '../files/decide-repair.js';
import { listFolder } from '../files/list-folder.js';
import type { MountRepairer, RepairOutcome } from '../files/mirrored-mounts.js';
import type { MissedWrite } from '../files/missed-writes.js';
import type { Mount } from '../files/mount.js';
import { unlessMissing } from '../files/mount-health.js';
import type { SessionHandler } from '../php/session-handler.js';
import { looksAlike, type SeenCopy, sameDate } from './copy-date.js';
import { standingOf } from './copy-standing.js';
import type { FileCopy } from './file-copy.js';
import { SESSION_FILE_PREFIX } from './file-save-path.js';
import type { LockedCopies } from './locked-copies.js';
import { partsOf, type ReconciledCopies, reconcileCopies } from './reconcile-copies.js';
import { isLockedError, type SessionFiles } from './session-files.js';

/** How long a repair waits for a session that is in use; it comes back later. */
const REPAIR_LOCK_WAIT_MS = 50;

/** Sessions that are looked at or mended at a time: enough to keep the threads of every mount busy. */
const IN_FLIGHT = 8;

/** What a `FileSessionStore.resync` did. */
export interface FileSessionResync {
  /** Sessions that were looked at. */
  readonly looked: number;
  /** Copies that were brought up to date. */
  readonly copied: number;
  /** Copies that were removed. */
  readonly removed: number;
  /** Sessions that were in use; look again later. */
  readonly postponed: number;
  /** Sessions that were passed over, because a file of theirs cannot be used; the event `file-skipped` says which and why. */
  readonly failed: number;
  /** Mounts that take nothing now, whose copies were not looked at: call it again when they are back. */
  readonly unreached: readonly string[];
}

/** What {@link FileSessionRepair} tells of a file that cannot be used. */
export type FileSkipped = (event: { file: string; error: Error }) => void;
/** What {@link FileSessionRepair} tells. */
export type CopiesDiffered = (event: { mount: string; kept: ReconciledCopies['kept'] }) => void;

/** See the head of this file. */
export class FileSessionRepair implements MountRepairer {
  readonly #files: SessionFiles;
  readonly #depth: number;
  readonly #serialize: SessionHandler;
  /** Told of copies that both were written. */
  differed: CopiesDiffered = () => undefined;
  /** Told of files that cannot be used. */
  skipped: FileSkipped = () => undefined;

  /** Makes it; nothing runs. */
  constructor(
    files: SessionFiles,
    { depth, serialize }: { readonly depth: number; readonly serialize: SessionHandler },
  ) {
    this.#files = files;
    this.#depth = depth;
    this.#serialize = serialize;
  }

  /** Brings the copy of a mount that missed a write up to date. */
  async repair(mount: Mount, missed: MissedWrite): Promise<RepairOutcome> {
    if (!isSessionFile(missed.name, this.#depth)) return 'postponed';
    try {
      return await (missed.kind === 'touch'
        ? this.#repairTouch(mount, missed.name)
        : this.#repairOne(mount, missed.name));
    } catch (error) {
      this.#skip(missed.name, error);
      return 'postponed';
    }
  }

  #repairOne(mount: Mount, name: string): Promise<RepairOutcome> {
    return this.#locked<RepairOutcome>(name, 'postponed', async (copies) => {
      const { mirrored } = this.#files;
      const own = copies.of(mount);
      if (own === undefined) return 'postponed';
      const missed = await copies.missedBy(mount);
      if (missed === undefined) {
        await mirrored.tidy(mount, name);
        return 'settled';
      }
      const others = await copies.deciding(mount);
      const decision = decideRepair(own, others, missed, true);
      const [first] = mirrored.mounts;
      const standing = standingOf(own, missed, mount === first);
      if (decision !== 'equal' && standing !== 'behind' && (await this.#isFirstOpen(copies, mount)))
        return 'postponed';
      if (decision === 'equal' || standing !== 'counts') {
        if (standing !== 'counts') await copies.bring(mount, others);
        return (await mirrored.forget(mount, name, missed)) ? 'repaired' : 'postponed';
      }
      const { copy, kept } = reconcileCopies(
        own,
        others,
        missed,
        this.#serialize,
        mount !== first && first?.readable === true ? 'others' : 'own',
      );
      this.differed({ mount: mount.path, kept });
      await this.#bringToAll(copies, mount, name, copy);
      if (!(await mirrored.forget(mount, name, missed))) return 'postponed';
      return kept === 'its own' ? 'kept' : 'repaired';
    });
  }

  /**
   * Whether the first mount, as another one, holds something that neither this one nor any other has seen: then the two are made one by
   * what the first one missed.
   */
  async #isFirstOpen(copies: LockedCopies, mount: Mount): Promise<boolean> {
    const [first] = this.#files.mirrored.mounts;
    const own = first === undefined || first === mount ? undefined : copies.of(first);
    if (first === undefined || own === undefined) return false;
    const missed = await copies.missedBy(first);
    return missed !== undefined && standingOf(own, missed, true) === 'counts';
  }

  #repairTouch(mount: Mount, name: string): Promise<RepairOutcome> {
    return this.#locked<RepairOutcome>(name, 'postponed', async (copies) => {
      if (copies.of(mount) === undefined) return 'postponed';
      const truth = await copies.deciding();
      await this.#bringToAll(copies, mount, name, truth);
      return (await this.#files.mirrored.forget(mount, name)) ? 'repaired' : 'postponed';
    });
  }

  /** Brings every copy to `truth`. Others than that of `mount`, which is repaired, may miss it: that is remembered. */
  async #bringToAll(copies: LockedCopies, mount: Mount, name: string, truth: FileCopy): Promise<void> {
    const { mirrored } = this.#files;
    if (this.#differs(copies, mount, truth)) await copies.bring(mount, truth);
    for (const other of mirrored.writable()) {
      if (other === mount || !this.#differs(copies, other, truth)) continue;
      try {
        await copies.bring(other, truth);
      } catch {
        const held = copies.of(other);
        if (held === undefined || held.version === truth.version) continue;
        const holders = mirrored.writable().filter((holder) => holder !== other);
        await mirrored.remember(holders, other, this.#missedBring(name, held, truth));
      }
    }
  }

  #missedBring(name: string, held: FileCopy, truth: FileCopy): MissedWrite {
    const at = Date.now();
    const record = { name, superseded: held.version, at };
    if (truth.bytes === null) return { ...record, kind: 'delete', ended: at };
    const [before, after] = [held, truth].map(({ bytes }) =>
      bytes === null ? {} : partsOf(bytes, this.#serialize),
    );
    const added = Object.keys(after ?? {}).map((part) => [part, null] as const);
    const parts = before && after && { ...Object.fromEntries(added), ...before };
    return { ...record, kind: 'write', parts };
  }

  /** Whether a mount's copy is another one, or has another date than that of the last use. */
  #differs(copies: LockedCopies, mount: Mount, truth: FileCopy): boolean {
    const copy = copies.of(mount);
    if (copy === undefined) return false;
    if (copy.version !== truth.version) return true;
    return truth.bytes !== null && !sameDate(copy.modifiedMs, Math.max(truth.modifiedMs, copies.lastUse));
  }

  /**
   * Brings every copy to what the deciding mount holds: PHP writes its sessions on the first mount only. Where nothing
   * differs, nothing is locked. A session with a file that cannot be used (too large, another user's) is passed over; only a
   * mount that breaks down, or takes no writes, ends it.
   *
   * @param only brings only this mount's copies
   */
  async resync(only?: Mount, progress?: (done: FileSessionResync) => void): Promise<FileSessionResync> {
    const unreached = this.#files.mirrored.mounts.filter((mount) => !mount.writable).map(({ path }) => path);
    const counts = { looked: 0, copied: 0, removed: 0, postponed: 0, failed: 0, unreached };
    await inFlight(await this.#allNames(), IN_FLIGHT, async (name) => {
      const outcome = await this.#bringAlike(name, only, counts);
      counts.looked += 1;
      if (outcome !== 'done') counts[outcome] += 1;
      if (counts.looked % 100 === 0) progress?.({ ...counts });
    });
    progress?.({ ...counts });
    return counts;
  }

  async #bringAlike(
    name: string,
    only: Mount | undefined,
    counts: { copied: number; removed: number },
  ): Promise<'done' | 'postponed' | 'failed'> {
    const { mirrored } = this.#files;
    let bringing = false;
    try {
      if (await this.#alike(name)) return 'done';
      return await this.#locked<'done' | 'postponed'>(name, 'postponed', async (copies) => {
        const truth = await copies.deciding();
        for (const mount of only === undefined ? mirrored.writable() : [only]) {
          if (!this.#differs(copies, mount, truth)) continue;
          bringing = true;
          await copies.bring(mount, truth);
          bringing = false;
          if (copies.of(mount)?.version !== truth.version)
            counts[truth.bytes === null ? 'removed' : 'copied'] += 1;
          await mirrored.forget(mount, name);
        }
        return 'done';
      });
    } catch (error) {
      // What a mount does not take speaks about the mount: it must not count as filled.
      if (bringing) throw error;
      this.#skip(name, error);
      return 'failed';
    }
  }

  /** Removes sessions that nobody used for `lifetimeMs`, on every mount; how many. */
  async collect(lifetimeMs: number, now: number = Date.now()): Promise<number> {
    let removed = 0;
    await inFlight(await this.#allNames(), IN_FLIGHT, async (name) => {
      if (now - (await this.#lastUse(name)) <= lifetimeMs) return;
      try {
        if (await this.#collectOne(name, lifetimeMs, now)) removed += 1;
      } catch (error) {
        this.#skip(name, error);
      }
    });
    return removed;
  }

  #collectOne(name: string, lifetimeMs: number, now: number): Promise<boolean> {
    return this.#locked(name, false, async (copies) => {
      // Used while we waited for it.
      if (now - (await this.#lastUse(name)) <= lifetimeMs) return false;
      await copies.remove(await copies.deciding(), lifetimeMs);
      return true;
    });
  }

  /** Tells of a file that cannot be used; throws what speaks about a mount. */
  #skip(name: string, error: unknown): void {
    if (!isAboutFile(error)) throw error;
    this.skipped({ file: maskedName(name), error });
  }

  async #locked<T>(name: string, otherwise: T, work: (copies: LockedCopies) => Promise<T>): Promise<T> {
    try {
      return await this.#files.lockedFile(name, Deadline.of(undefined), work, REPAIR_LOCK_WAIT_MS);
    } catch (error) {
      if (isLockedError(error)) return otherwise;
      throw error;
    }
  }

  /** Whether all copies have the same size and date; then they are not opened. */
  async #alike(name: string): Promise<boolean> {
    const found = await Promise.all(
      this.#files.mirrored.writable().map((mount) => mount.run('Looking', () => statOf(mount, name))),
    );
    return found.every((copy) => looksAlike(copy, found[0] ?? copy));
  }

  async #lastUse(name: string): Promise<number> {
    let last = 0;
    for (const mount of this.#files.mirrored.readable()) {
      const found = await mount.run('Looking', () => unlessMissing(stat(mount.at(name))));
      if (found !== undefined) last = Math.max(last, found.mtimeMs);
    }
    return last;
  }

  /** The names of the session files of every mount that answers. */
  async *names(): AsyncGenerator<string> {
    for (const mount of this.#files.mirrored.readable()) yield* sessionFilesBelow(mount, '', this.#depth);
  }

  async #allNames(): Promise<ReadonlySet<string>> {
    const names = new Set<string>();
    for await (const name of this.names()) names.add(name);
    return names;
  }
}

/** Whether an error says that a session's file cannot be used, whatever its mount. */
export function isAboutFile(error: unknown): error is StormlampError {
  return isStormlampError(error) && FILE_ERRORS.has(error.code);
}

const FILE_ERRORS: ReadonlySet<string> = new Set([
  ErrorCode.SESSION_TOO_LARGE,
  ErrorCode.ACCESS_DENIED,
  ErrorCode.UNSUPPORTED,
]);

/** A file's name, of which no session can be entered: ids are secrets. */
export function maskedName(name: string): string {
  return name.replace(/sess_(.{0,4}).*$/s, 'sess_$1…');
}

async function statOf(mount: Mount, name: string): Promise<SeenCopy> {
  return (await unlessMissing(stat(mount.at(name)))) ?? { size: -1, mtimeMs: 0 };
}

async function* sessionFilesBelow(mount: Mount, folder: string, depth: number): AsyncGenerator<string> {
  const deeper: string[] = [];
  for await (const piece of listFolder(mount, mount.at(folder))) {
    for (const entry of piece) {
      if (depth === 0) {
        if (entry.isFile() && entry.name.startsWith(SESSION_FILE_PREFIX)) yield join(folder, entry.name);
      } else if (entry.isDirectory() && /^[A-Za-z0-9,-]$/.test(entry.name)) deeper.push(entry.name);
    }
  }
  for (const name of deeper) yield* sessionFilesBelow(mount, join(folder, name), depth - 1);
}

function isSessionFile(name: string, depth: number): boolean {
  const parts = name.split('/');
  const last = parts.at(-1) ?? '';
  return (
    parts.length === depth + 1 &&
    parts.slice(0, -1).every((part) => /^[A-Za-z0-9,-]$/.test(part)) &&
    /^sess_[A-Za-z0-9,-]+$/.test(last)
  );
}
