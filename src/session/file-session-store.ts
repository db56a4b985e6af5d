/** PHP's sessions in files, as its files handler keeps them, on one folder or on several mounts that mirror each other. */
import type { MirroredMounts, MountStatus } from '../files/mirrored-mounts.js';
import { CommonSessionStore } from './common-session-store.js';
import type { FileSessionStoreEvents } from './file-session-events.js';
import type { ResolvedFileSessionOptions } from './file-session-options.js';
import { FileSessionRepair, type FileSessionResync } from './file-session-repair.js';
import { FileSessions } from './file-sessions.js';
import { sweepRetiredNotes } from './retired-note-files.js';
import type { SessionFiles } from './session-files.js';

/** Sessions in files, byte-compatible with PHP's own. Made by `createSessionStore`. */
export class FileSessionStore extends CommonSessionStore<ResolvedFileSessionOptions, FileSessionStoreEvents> {
  /** Tells it from a store on memcached. */
  readonly kind: 'files' = 'files';
  readonly #mirrored: MirroredMounts;
  readonly #repair: FileSessionRepair;
  readonly #collector: NodeJS.Timeout | undefined;

  /** @internal */
  constructor(options: ResolvedFileSessionOptions, files: SessionFiles) {
    const repair = new FileSessionRepair(files, options);
    super(new FileSessions(options, files));
    this.#mirrored = files.mirrored;
    this.#repair = repair;
    repair.differed = (event) => void this.publish('copies-differed', event);
    repair.skipped = (event) => void this.publish('file-skipped', event);
    this.#mirrored.on('mount-changed', (change) => void this.publish('mount-changed', change));
    this.#mirrored.on('mount-repaired', (event) => void this.publish('mount-repaired', event));
    this.#mirrored.on('repair-failed', (event) => void this.publish('repair-failed', event));
    this.#mirrored.watch(repair);
    if (options.gcIntervalMs > 0) {
      this.#collector = setInterval(() => this.inBackground(this.collect()), options.gcIntervalMs);
      this.#collector.unref();
    }
  }

  /**
   * Repairs what mounts missed, then brings every mount to what the deciding one holds: PHP writes its sessions on the
   * first mount only, so call this as often as a copy may lag behind. A session with a file that cannot be used is counted as
   * `failed`, which the event `file-skipped` explains, and the others are brought all the same.
   */
  async resync(progress?: (done: FileSessionResync) => void): Promise<FileSessionResync> {
    this.assertOpen();
    await this.#mirrored.checkNow();
    return this.#repair.resync(undefined, progress);
  }

  /**
   * Lets a new or emptied mount take part, after filling it from the others. A session that cannot be read there (event
   * `file-skipped`) does not hold it up. Errors: as `save`.
   */
  async fill(mount: string): Promise<void> {
    this.assertOpen();
    await this.#mirrored.admit(mount, async (filling) => void (await this.#repair.resync(filling)));
  }

  /** Removes the files of sessions that nobody used for `lifetimeMs`; how many. PHP or cron usually does this. */
  async collect(): Promise<number> {
    this.assertOpen();
    await sweepRetiredNotes(this.#mirrored, Date.now() - this.options.lifetimeMs);
    return this.#repair.collect(this.options.lifetimeMs);
  }

  /** Looks at every mount now, and repairs what can be repaired. Never rejects. */
  checkMounts(): Promise<void> {
    return this.#mirrored.checkNow();
  }

  /** The mounts and their states. */
  status(): readonly MountStatus[] {
    return this.#mirrored.status();
  }

  /** Waits for what is under way, and stops looking at the mounts. */
  override close(): Promise<void> {
    clearInterval(this.#collector);
    return super.close();
  }
}
