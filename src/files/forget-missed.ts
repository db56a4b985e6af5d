/**
 * Forgets missed writes that were made up for, on all holders that can be reached; the rest are overruled until they can, see
 * `settled-writes.ts`. Call it under the lock of the file.
 */
import { findMissed, forgetMissed, type MissedWrite } from './missed-writes.js';
import type { Mount } from './mount.js';
import { findSettled, forgetSettled, rememberSettled } from './settled-writes.js';

/** What became of the records. */
export type Forgotten =
  /** There are none any more. */
  | 'gone'
  /** One may be left, and it is remembered that it counts no more. */
  | 'settled'
  /** One may be left, and will be believed. */
  | 'believed';

/** Whether every mount is there and takes writes. */
export function allHealthy(mounts: readonly Mount[]): boolean {
  return mounts.every(({ health }) => health.phase === 'healthy');
}

/**
 * Forgets what `misser` missed of a file. Never rejects.
 *
 * @param known what was made up for, as far as the caller knows
 */
export async function forgetEverywhere(
  mounts: readonly Mount[],
  misser: Mount,
  name: string,
  known?: MissedWrite,
): Promise<Forgotten> {
  const holders = mounts.filter((mount) => mount !== misser);
  const found = await Promise.allSettled(
    holders.filter(({ writable }) => writable).map((holder) => findMissed(holder, misser, name)),
  );
  const records = found.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []));
  if (known !== undefined) records.push(known);
  if (records.length === 0) return 'gone';
  const settled = { name, at: Math.max(...records.map(({ at }) => at)) };
  const settle = async (): Promise<Forgotten> => {
    const keepers = mounts.filter(({ writable }) => writable);
    const results = await Promise.allSettled(keepers.map((one) => rememberSettled(one, misser, settled)));
    return results.some(({ status }) => status === 'fulfilled') ? 'settled' : 'believed';
  };
  // First, in case that this process ends in between.
  const before = allHealthy(mounts) ? 'believed' : await settle();
  if (await onAll(holders, (holder) => forgetMissed(holder, misser, name))) {
    await onAll(mounts, (keeper) => forgetSettled(keeper, misser, name));
    return 'gone';
  }
  return before === 'settled' ? before : settle();
}

/**
 * Removes the records that are overruled, and what overrules them, once every mount can be reached. Never rejects; what is left is
 * removed later.
 */
export async function tidySettled(mounts: readonly Mount[], misser: Mount, name: string): Promise<void> {
  if (!allHealthy(mounts)) return;
  try {
    const until = await settledUntil(mounts, misser, name);
    const holders = mounts.filter((mount) => mount !== misser);
    const records = await Promise.all(holders.map((holder) => findMissed(holder, misser, name)));
    if (records.some((record) => record !== undefined && record.at > until)) return;
    if (await onAll(holders, (holder) => forgetMissed(holder, misser, name)))
      await onAll(mounts, (keeper) => forgetSettled(keeper, misser, name));
  } catch {
    // A mount broke down.
  }
}

/**
 * Until when `misser` lacks nothing of a file, although a record may say that it does; 0 when nobody says so.
 *
 * @throws as `findSettled`, of mounts that can be asked
 */
export async function settledUntil(mounts: readonly Mount[], misser: Mount, name: string): Promise<number> {
  const keepers = mounts.filter(({ writable }) => writable);
  const found = await Promise.all(
    keepers.map((keeper) => whileReadable(keeper, findSettled(keeper, misser, name))),
  );
  return Math.max(0, ...found.map((at) => at ?? 0));
}

/** What a mount answers; undefined when it broke down meanwhile. */
export async function whileReadable<T>(mount: Mount, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (mount.readable) throw error;
    return undefined;
  }
}

/** Does something on every mount; whether all of them did it. */
async function onAll(mounts: readonly Mount[], work: (mount: Mount) => Promise<void>): Promise<boolean> {
  const results = await Promise.allSettled(mounts.map(work));
  return results.every(({ status }) => status === 'fulfilled');
}
