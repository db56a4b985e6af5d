/**
 * A list of mounts that mirror each other: who is healthy, what each missed, and the loop that looks and repairs.
 *
 * The order of the list decides: reads are answered by the first mount that is healthy and did not miss the file, locks
 * are taken in this order. How a file is written and repaired is its owner's business.
 */
import type { Stats } from 'node:fs';
import { resolve } from 'node:path';
import { invalidOption, readStrings } from '../common/option-reader.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { type FileOwner, ownerIn, processUser } from './file-owner.js';
import { fileThreads } from './file-threads.js';
import { allHealthy, forgetEverywhere, settledUntil, tidySettled, whileReadable } from './forget-missed.js';
import { identifyMounts } from './identify-mounts.js';
import { KeyedQueue } from './keyed-queue.js';
import { writeMark } from './mark-mount.js';
import { chained, chainOf, type HeldParts } from './missed-chain.js';
import {
  type DamagedRecord,
  findMissed,
  listMissed,
  type MissedWrite,
  mendRecords,
  rememberMissed,
  rememberTouch,
  unknownWrite,
} from './missed-writes.js';
import { Mount, type MountChange } from './mount.js';
import type { MountHealth } from './mount-health.js';
import { listSettled } from './settled-writes.js';
import { shareAllMissed } from './share-missed.js';

/** How the mounts are watched. */
export interface MirroredMountsOptions {
  /** The folders, in the order that decides. */
  readonly mounts: readonly string[];
  /** The name of the option, for messages. */
  readonly optionPath: string;
  /** Deadline of one file call in milliseconds. */
  readonly operationTimeoutMs: number;
  /** Pause between two looks at the mounts, in milliseconds. */
  readonly monitorIntervalMs: number;
  /** Whom our own files are given to, by the folder of the mount that decides; by default the folder's owner, where this is root. */
  readonly ownerIn?: ((folder: Stats, path: string) => FileOwner | undefined) | undefined;
}

/** What became of a missed write. */
export type RepairOutcome =
  /** The mount holds now what the others hold. */
  | 'repaired'
  /** The mount's own copy was newer and went to the others. */
  | 'kept'
  /** Not now; it is tried again. */
  | 'postponed'
  /** Nothing of it was missing any more. */
  | 'settled';

/** Whoever owns the files repairs them. */
export interface MountRepairer {
  /** Brings a file of `mount` up to date. */
  repair(mount: Mount, missed: MissedWrite): Promise<RepairOutcome>;
  /** The names of all files on the mounts that answer, some of them more than once. */
  names(): AsyncIterable<string>;
}

/** Events of mounts that mirror each other. */
export interface MirroredMountsEvents {
  /** A mount changed its state. */
  'mount-changed': MountChange;
  /** A mount got what it had missed. */
  'mount-repaired': { readonly mount: string; readonly repaired: number; readonly postponed: number };
  /** A repair failed; it is tried again. */
  'repair-failed': { readonly mount: string; readonly error: Error };
}

/** The state of one mount, for people. */
export interface MountStatus {
  /** The folder. */
  readonly mount: string;
  /** Its state. */
  readonly health: MountHealth;
}

/** See the head of this file. */
export class MirroredMounts extends SafeEmitter<MirroredMountsEvents> {
  /** The mounts in their order. */
  readonly mounts: readonly Mount[];
  /** Takes turns on names within this process, so that its own writers do not poll for each other's locks. */
  readonly turns: KeyedQueue = new KeyedQueue();
  readonly #options: MirroredMountsOptions;
  #repairer: MountRepairer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  /** Damaged records whose file was looked for among all files, once, because that takes long. */
  readonly #lookedFor = new Set<string>();
  /** Whether a mount may remember missed writes that were made up for: looked for until there are none, so that nothing is listed without need. */
  #mayBeSettled = true;
  #closed = false;

  private constructor(options: MirroredMountsOptions) {
    super();
    this.#options = options;
    this.mounts = options.mounts.map(
      (path) =>
        new Mount({
          path,
          threads: fileThreads,
          timeoutMs: options.operationTimeoutMs,
          onChange: (change) => this.publish('mount-changed', change),
        }),
    );
  }

  /**
   * Looks at every mount; marks them all when none is marked yet.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for a list that cannot be meant, `ERR_STORE_DOWN` when no mount can be used.
   */
  static async open(options: MirroredMountsOptions): Promise<MirroredMounts> {
    const mirrored = new MirroredMounts(options);
    try {
      await identifyMounts(mirrored.mounts, {
        optionPath: options.optionPath,
        ownerIn: options.ownerIn ?? ((folder) => ownerIn(folder, processUser())),
      });
      await Promise.all(mirrored.mounts.map((mount) => mount.check()));
      if (!mirrored.mounts.some((mount) => mount.readable))
        throw mirrored.allDown('None of the mounts can be used');
      return mirrored;
    } catch (error) {
      await mirrored.close();
      throw error;
    }
  }

  /** Whom files are given to; undefined when they stay this process's user's. */
  get owner(): FileOwner | undefined {
    return this.mounts[0]?.owner;
  }

  /** The mounts that can be asked, in their order. */
  readable(): readonly Mount[] {
    return this.mounts.filter((mount) => mount.readable);
  }

  /** The mounts that writes are sent to, in their order. */
  writable(): readonly Mount[] {
    return this.mounts.filter((mount) => mount.writable);
  }

  /** The mounts and their states. */
  status(): readonly MountStatus[] {
    return this.mounts.map(({ path, health }) => ({ mount: path, health }));
  }

  /**
   * What a mount missed of a file, as the other mounts remember it; touches left out.
   *
   * @throws StormlampError `ERR_ACCESS_DENIED`, NodeJS.ErrnoException when a note cannot be read of a mount that can: that is
   * not the same as no note.
   */
  async missedBy(misser: Mount, name: string): Promise<MissedWrite | undefined> {
    const found = await this.#missedAs(this.readable(), misser, name);
    // Looked for only then, because nearly always nothing was missed.
    if (found.length === 0) return undefined;
    return chainOf(found, await settledUntil(this.mounts, misser, name));
  }

  async #missedAs(holders: readonly Mount[], misser: Mount, name: string): Promise<MissedWrite[]> {
    const found: MissedWrite[] = [];
    for (const holder of holders) {
      if (holder === misser) continue;
      const missed = await whileReadable(holder, findMissed(holder, misser, name));
      if (missed !== undefined && missed.kind !== 'touch') found.push(missed);
    }
    return found;
  }

  /**
   * Remembers on `holders` that a mount missed a write, after what any mount remembers that it missed before.
   *
   * @param held as in `chained`
   * @throws StormlampError `ERR_STORE_DOWN` when no holder could write it down: the write must not be acknowledged then.
   */
  async remember(
    holders: readonly Mount[],
    misser: Mount,
    missed: MissedWrite,
    held?: HeldParts,
  ): Promise<void> {
    const until = await settledUntil(this.mounts, misser, missed.name);
    const before = await this.#missedAs([...new Set([...this.readable(), ...holders])], misser, missed.name);
    const record = chained(chainOf(before, until), missed, held, until);
    const results = await Promise.allSettled(holders.map((holder) => rememberMissed(holder, misser, record)));
    if (results.some(({ status }) => status === 'fulfilled')) return;
    const cause = (results[0] as PromiseRejectedResult | undefined)?.reason;
    const message = `${misser.path} missed a write, and no other mount can remember it: ${describeError(cause)}`;
    throw new StormlampError(ErrorCode.STORE_DOWN, message, { cause, node: misser.path });
  }

  /** Remembers on `holders` that a mount missed a touch of a file. Never rejects: the file keeps its other copies' dates. */
  async rememberTouch(holders: readonly Mount[], misser: Mount, name: string): Promise<void> {
    await Promise.allSettled(holders.map((holder) => rememberTouch(holder, misser, name)));
  }

  /**
   * Forgets what a mount missed of a file, because that was made up for. Call it under the file's lock. Never rejects.
   *
   * @param known as in `forgetEverywhere`
   * @returns false where a record of it will be believed later: then it does not count as made up for
   */
  async forget(misser: Mount, name: string, known?: MissedWrite): Promise<boolean> {
    const forgotten = await forgetEverywhere(this.mounts, misser, name, known);
    if (forgotten !== 'gone') this.#mayBeSettled = true;
    return forgotten !== 'believed';
  }

  /** Removes what is remembered of a file though it was made up for; as `tidySettled`. */
  tidy(misser: Mount, name: string): Promise<void> {
    return tidySettled(this.mounts, misser, name);
  }

  /** Starts to look at the mounts regularly, and to repair what they missed. */
  watch(repairer: MountRepairer): void {
    this.#repairer = repairer;
    this.#schedule();
  }

  /** Looks at every mount now and repairs what can be repaired; never rejects. */
  async checkNow(): Promise<void> {
    this.#round ??= this.#lookAndRepair().finally(() => {
      this.#round = undefined;
    });
    await this.#round;
  }

  /**
   * Lets a new or emptied mount take part: it takes writes from now on, `fill` brings the rest, then it answers reads. Where
   * `fill` fails, a mount that answered reads before does so again.
   */
  async admit(path: string, fill: (mount: Mount) => Promise<void>): Promise<void> {
    const mount = this.mounts.find((one) => one.path === path);
    if (mount === undefined)
      throw invalidOption('mount', `one of ${this.mounts.map((one) => one.path).join(', ')}`, path);
    const members = this.mounts.map(({ id }) => id);
    const before = await mount.readMark().catch(() => undefined);
    await writeMark(mount, { id: mount.id, members, filled: false });
    await mount.check();
    try {
      await fill(mount);
      await shareAllMissed(this, mount);
    } catch (error) {
      if (before?.filled === true && before.id === mount.id) {
        await writeMark(mount, before).catch(() => undefined);
        await mount.check();
      }
      throw error;
    }
    await writeMark(mount, { id: mount.id, members, filled: true });
    await mount.check();
  }

  /** An `ERR_STORE_DOWN`, or another error, that names every mount and what is wrong with it. */
  allDown(
    what: string,
    failures: ReadonlyMap<Mount, unknown> = new Map(),
    code: ErrorCode = ErrorCode.STORE_DOWN,
  ): StormlampError {
    const said = this.mounts.map((mount) => {
      const failure = failures.get(mount);
      const { health } = mount;
      const why = 'error' in health ? `${health.why}, ${health.error.message}` : health.phase;
      return `${mount.path}: ${failure === undefined ? why : describeError(failure)}`;
    });
    const first = this.mounts.find((mount) => failures.has(mount)) ?? this.mounts[0];
    const cause = first === undefined ? undefined : failures.get(first);
    return new StormlampError(code, `${what} (${said.join('; ')})`, {
      cause: cause ?? (first !== undefined && 'error' in first.health ? first.health.error : undefined),
      node: first?.path,
    });
  }

  /** Ends the loop and waits for the round that is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#round;
    for (const mount of this.mounts) mount.leave();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      void this.checkNow().then(() => this.#schedule());
    }, this.#options.monitorIntervalMs);
    this.#timer.unref();
  }

  async #lookAndRepair(): Promise<void> {
    await Promise.all(this.mounts.map((mount) => mount.check()));
    const isSweep = this.#mayBeSettled && allHealthy(this.mounts);
    this.#mayBeSettled = !allHealthy(this.mounts);
    for (const mount of this.mounts) {
      if (mount.health.phase === 'healthy') await this.#repairAll(mount, isSweep);
    }
  }

  async #repairAll(mount: Mount, isSweep: boolean): Promise<void> {
    const counts = { repaired: 0, postponed: 0 };
    if (isSweep) await this.#sweepSettled(mount, counts);
    for (const holder of this.readable()) {
      if (holder === mount || this.#closed) continue;
      try {
        const damaged: DamagedRecord[] = [];
        for await (const missed of listMissed(holder, mount)) {
          if (this.#closed || mount.health.phase !== 'healthy') break;
          if ('hash' in missed) damaged.push(missed);
          else await this.#repairOne(mount, missed, counts);
        }
        for (const missed of await this.#mend(holder, mount, damaged))
          await this.#repairOne(mount, missed, counts);
      } catch (error) {
        this.#repairFailed(mount, error);
      }
    }
    if (counts.repaired + counts.postponed > 0)
      this.publish('mount-repaired', { mount: mount.path, ...counts });
  }

  async #repairOne(
    mount: Mount,
    missed: MissedWrite,
    counts: { repaired: number; postponed: number },
  ): Promise<void> {
    if (this.#closed || mount.health.phase !== 'healthy') return;
    // Where it cannot be removed, nobody is made to wait for the lock of its file with every round.
    const isWell = allHealthy(this.mounts);
    if (!isWell && missed.at <= (await settledUntil(this.mounts, mount, missed.name))) return;
    const outcome = (await this.#repairer?.repair(mount, missed)) ?? 'postponed';
    if (outcome === 'postponed') this.#mayBeSettled = true;
    if (outcome !== 'settled') counts[outcome === 'postponed' ? 'postponed' : 'repaired'] += 1;
  }

  async #sweepSettled(mount: Mount, counts: { repaired: number; postponed: number }): Promise<void> {
    try {
      const settled = new Map<string, number>();
      for (const keeper of this.mounts)
        for await (const { name, at } of listSettled(keeper, mount)) settled.set(name, at);
      for (const [name, at] of settled) await this.#repairOne(mount, unknownWrite(name, at), counts);
    } catch (error) {
      this.#mayBeSettled = true;
      this.#repairFailed(mount, error);
    }
  }

  #repairFailed(mount: Mount, error: unknown): void {
    const failure = error instanceof Error ? error : new Error(describeError(error));
    this.publish('repair-failed', { mount: mount.path, error: failure });
  }

  async #mend(
    holder: Mount,
    misser: Mount,
    damaged: readonly DamagedRecord[],
  ): Promise<readonly MissedWrite[]> {
    const keyOf = ({ hash }: DamagedRecord): string => `${holder.path} ${misser.path} ${hash}`;
    const fresh = damaged.filter((record) => !this.#lookedFor.has(keyOf(record)));
    if (fresh.length === 0 || this.#repairer === undefined) return [];
    for (const record of fresh) this.#lookedFor.add(keyOf(record));
    return mendRecords(holder, misser, fresh, this.#repairer.names());
  }
}

/**
 * Checks a list of mounts: none twice, none inside another. (Two names of one folder are found out by their mark.)
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function checkMountPaths(optionPath: string, given: unknown): readonly string[] {
  const paths = readStrings(optionPath, given, []).map((path) => resolve(path));
  if (paths.length === 0) throw invalidOption(optionPath, 'a list of at least one folder', given);
  for (const [index, path] of paths.entries()) {
    const inside = paths.some(
      (other, place) => place !== index && (path === other || path.startsWith(`${other}/`)),
    );
    if (inside) throw invalidOption(optionPath, 'a list of different folders, none inside another', path);
  }
  return paths;
}
