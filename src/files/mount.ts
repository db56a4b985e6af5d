/** One mount of a set: what is known about it, and the only way to its files. */
import { constants } from 'node:fs';
import { access, stat, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { type Closable, closeQuietly } from './close-quietly.js';
import type { FileOwner } from './file-owner.js';
import { MountGate, type MountGateOptions } from './mount-gate.js';
import {
  errnoOf,
  isMissing,
  type MountHealth,
  mountDown,
  mountHealthAfter,
  unlessMissing,
} from './mount-health.js';
import { type MountMark, markPath, OWN_FOLDER, readMark } from './mount-mark.js';
import { unfinishedPath } from './replace-file.js';

/** A mount changed its state. */
export interface MountChange {
  /** The mount's path. */
  readonly mount: string;
  /** What it was. */
  readonly before: MountHealth;
  /** What it is. */
  readonly after: MountHealth;
}

/** How a mount is made. */
export interface MountOptions extends MountGateOptions {
  /** Told every change of the mount's state. */
  readonly onChange: (change: MountChange) => void;
}

/** See the head of this file. */
export class Mount {
  /** Where it is, and how it is called in events and errors. */
  readonly path: string;
  readonly #gate: MountGate;
  readonly #onChange: (change: MountChange) => void;
  #health: MountHealth = { phase: 'unknown' };
  #id: string | undefined;
  #owner: FileOwner | undefined;
  #writesBehind = true;

  /** Makes a mount; nothing is looked at yet. */
  constructor(options: MountOptions) {
    this.path = options.path;
    this.#gate = new MountGate(options);
    this.#onChange = options.onChange;
  }

  /** What is known about it. */
  get health(): MountHealth {
    return this.#health;
  }

  /** The id that its mark holds or will hold. */
  get id(): string {
    return this.#id ?? '';
  }

  /** Whom our own files on it are given to; undefined when they stay this process's user's. */
  get owner(): FileOwner | undefined {
    return this.#owner;
  }

  /** Whether it can be asked. */
  get readable(): boolean {
    return this.#health.phase === 'healthy' || this.#health.phase === 'impaired';
  }

  /** Whether writes to it are tried. */
  get writable(): boolean {
    return this.readable || this.#health.phase === 'filling';
  }

  /** Whether its file system takes writes that it may refuse later, when they are flushed: for want of room, say. */
  get writesBehind(): boolean {
    return this.#writesBehind;
  }

  /** @internal Tells the mount its id. */
  identify(id: string): void {
    this.#id = id;
  }

  /** @internal Tells the mount whom our own files on it are given to. */
  giveTo(owner: FileOwner | undefined): void {
    this.#owner = owner;
  }

  /** A path on the mount. */
  at(...segments: readonly string[]): string {
    return join(this.path, ...segments);
  }

  /**
   * Runs file calls on the mount, within its deadline. Errors that speak about the mount change its state.
   *
   * @param late gets the result of a call that came back too late, to undo it
   * @throws StormlampError `ERR_MOUNT_DOWN`, `ERR_TIMEOUT`; NodeJS.ErrnoException of the call.
   */
  async run<T>(what: string, work: () => Promise<T>, late?: (value: T) => void): Promise<T> {
    if (!this.writable) throw mountDown(this.path, this.#health);
    try {
      return await this.#gate.run(what, work, late);
    } catch (error) {
      // Either the mount is, or only the file that was open.
      if (errnoOf(error) !== 'ESTALE' || !(await this.#answers())) this.learnFrom(error);
      throw error;
    }
  }

  /** Changes the state as far as `error` speaks about the mount. */
  learnFrom(error: unknown): void {
    if (isStormlampError(error, ErrorCode.TIMEOUT) && error.node === this.path) {
      this.become({ phase: 'down', why: 'hung', error });
      return;
    }
    const after = mountHealthAfter(error);
    if (after === undefined) return;
    // A mount that takes only writes must not begin to answer reads because a write failed.
    if (after.phase === 'impaired' && this.#health.phase === 'filling') return;
    this.become(after);
  }

  /**
   * Makes sure that the mount is still there. Without this a missing file, or a successful write, may be one of the
   * folder that the mount once covered.
   *
   * @throws StormlampError `ERR_MOUNT_DOWN`, `ERR_TIMEOUT`.
   */
  async confirm(): Promise<void> {
    const there = await this.run('Looking for the mark', async () => {
      try {
        await stat(markPath(this.path));
        return undefined;
      } catch (error) {
        if (isMissing(error)) return error;
        throw error;
      }
    });
    if (!(there instanceof Error)) return;
    this.become({ phase: 'down', why: 'unmarked', error: there });
    throw mountDown(this.path, this.#health);
  }

  /** Reads the mark, whatever the state is. Errors: as `readMark`, `ERR_TIMEOUT`. */
  readMark(): Promise<MountMark | undefined> {
    return this.#gate.run('Reading the mark', () => readMark(this.path));
  }

  /**
   * Closes a file, which ends its lock, or a folder. On a mount that hangs it is closed when the mount is back, which nobody waits for.
   * Never rejects.
   */
  close(handle: Closable): Promise<void> {
    return this.#gate.end(() => closeQuietly(handle));
  }

  /** Removes a file that nobody shall see, in the same way. Never rejects. */
  discard(path: string): Promise<void> {
    return this.#gate.end(() => unlink(path).catch(() => undefined));
  }

  /** Leaves its threads to others. */
  leave(): void {
    this.#gate.close();
  }

  /** Runs a call whatever the state is. */
  reach<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.#gate.run(what, work);
  }

  /** Looks at the mount, mark first, then with a small write, or at the right to write alone; never rejects. */
  async check(how: 'writing' | 'without-writing' = 'writing'): Promise<MountHealth> {
    this.become(await this.#look(how));
    return this.#health;
  }

  /** Enters a state. */
  become(after: MountHealth): void {
    const before = this.#health;
    this.#health = after;
    if (!sameHealth(before, after)) this.#onChange({ mount: this.path, before, after });
  }

  async #look(how: 'writing' | 'without-writing'): Promise<MountHealth> {
    let mark: MountMark | undefined;
    try {
      mark = await this.readMark();
      if (mark === undefined) return await this.#unmarked();
      if (this.#id !== undefined && mark.id !== this.#id)
        return { phase: 'down', why: 'unmarked', error: new Error('another mount is mounted there') };
    } catch (error) {
      return this.#downAfter(error);
    }
    try {
      if (how === 'writing') await this.#gate.run('A probing write', () => this.#probe());
      else await this.#gate.run('Looking at the right to write', () => this.#lookForRoom());
    } catch (error) {
      const after = mountHealthAfter(error) ?? this.#denied(error) ?? this.#downAfter(error);
      return after.phase === 'impaired' && !mark.filled ? { phase: 'filling' } : after;
    }
    return { phase: mark.filled ? 'healthy' : 'filling' };
  }

  async #probe(): Promise<void> {
    this.#writesBehind = NETWORK_TYPES.has((await statfs(this.path)).type);
    // The name is nobody else's: pids are, with containers and with several stores in a process.
    const path = unfinishedPath(this.at(OWN_FOLDER, 'probe'));
    await writeFile(path, 'probe', { mode: 0o600 });
    await unlessMissing(unlink(path));
  }

  /** What a probing write would meet: no right to write, or no room. */
  async #lookForRoom(): Promise<void> {
    await access(this.path, constants.W_OK);
    const { blocks, bavail, files, ffree } = await statfs(this.path);
    // Some file systems count neither.
    if ((blocks > 0 && bavail === 0) || (files > 0 && ffree === 0))
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  }

  async #unmarked(): Promise<MountHealth> {
    const found = await this.#gate.run('Looking at the folder', () => stat(this.path));
    const what = found.isDirectory() ? 'there is no mark in it' : 'it is not a folder';
    return { phase: 'down', why: 'unmarked', error: new Error(what) };
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#gate.run('Looking for the mark', () => stat(markPath(this.path)));
      return true;
    } catch {
      return false;
    }
  }

  #denied(error: unknown): MountHealth | undefined {
    const code = errnoOf(error);
    if ((code !== 'EACCES' && code !== 'EPERM') || !(error instanceof Error)) return undefined;
    return { phase: 'impaired', why: 'denied', error };
  }

  #downAfter(cause: unknown): MountHealth {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (isStormlampError(error, ErrorCode.TIMEOUT)) return { phase: 'down', why: 'hung', error };
    return { phase: 'down', why: errnoOf(error) === 'ENOENT' ? 'missing' : 'failing', error };
  }
}

/** NFS, CIFS, SMB2, CephFS, AFS, 9P, Lustre, and FUSE (GlusterFS, SSHFS): by `statfs(2)`, after `<linux/magic.h>`. */
const NETWORK_TYPES: ReadonlySet<number> = new Set([
  0x6969, 0xff534d42, 0xfe534d42, 0x00c36400, 0x5346414f, 0x01021997, 0x0bd00bd0, 0x65735546,
]);

function sameHealth(a: MountHealth, b: MountHealth): boolean {
  return a.phase === b.phase && ('why' in a ? a.why : '') === ('why' in b ? b.why : '');
}
