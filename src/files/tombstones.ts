/** What was deleted, remembered on every mount, so that a mount that was away does not bring it back. */
import { createHash } from 'node:crypto';
import { lstat, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../common/backoff.js';
import { listFolder } from './list-folder.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';
import { OWN_FOLDER } from './mount-mark.js';
import { inOwnFolder, writeOwnFile } from './own-files.js';
import { isUnfinished, LEFTOVER_MS, unfinishedPath } from './replace-file.js';

const CLOCK_TICK_MS = 10;
/** A file from the future is not waited for. */
const MAX_TICKS = 3;

/** A deleted file. */
export interface Tombstone {
  /** Its name. */
  readonly name: string;
  /** When it was deleted, in milliseconds since 1970. */
  readonly at: number;
}

/**
 * When a deletion that begins now happens, by the clock that dates the files of a mount, and later than the file that is to be
 * deleted there. Linux dates files by the last tick of its clock, up to 10 ms ago (CONFIG_HZ=100; 5 ms were measured at 250):
 * by the clock of this process, a file that is put back right after the deletion would seem older than it.
 * Errors: as `Mount.run`.
 */
export function deletionTime(mount: Mount, name: string): Promise<number> {
  return mount.run('Looking at the clock of a mount', async () => {
    const file = await unlessMissing(lstat(mount.at(name)));
    const probe = unfinishedPath(join(folderOf(mount), 'clock'));
    return inOwnFolder(mount, folderOf(mount), async () => {
      try {
        for (let turn = 0; ; turn += 1) {
          await writeFile(probe, `${turn}`, { mode: 0o600 });
          const { mtimeMs } = await lstat(probe);
          if (file === undefined || file.ctimeMs < mtimeMs || turn >= MAX_TICKS) return mtimeMs;
          await pause(CLOCK_TICK_MS);
        }
      } finally {
        await unlessMissing(unlink(probe));
      }
    });
  });
}

/** Remembers a deletion on a mount. Errors: as `Mount.run`. */
export function bury(mount: Mount, tombstone: Tombstone): Promise<void> {
  return mount.run('Remembering a deletion', () =>
    writeOwnFile(mount, pathOf(mount, tombstone.name), JSON.stringify(tombstone)),
  );
}

/** Forgets a deletion, because the file is there again. Errors: as `Mount.run`. */
export async function unbury(mount: Mount, name: string): Promise<void> {
  await mount.run('Forgetting a deletion', () => unlessMissing(unlink(pathOf(mount, name))));
}

/** When a file was deleted, as far as a mount knows. Errors: as `Mount.run`. */
export function deletedAt(mount: Mount, name: string): Promise<number | undefined> {
  return mount.run('Looking for a deletion', () => readTime(pathOf(mount, name)));
}

/** The deletions that a mount remembers: whether `name` is among them. Errors: as `Mount.run`. */
export async function listDeleted(mount: Mount): Promise<(name: string) => boolean> {
  const names = new Set<string>();
  for await (const piece of listFolder(mount, folderOf(mount)))
    for (const entry of piece) names.add(entry.name);
  return (name) => names.has(hashOf(name));
}

/** Forgets deletions before `before`, and what processes that died left unfinished among them; how many. */
export async function sweepTombstones(mount: Mount, before: number): Promise<number> {
  let swept = 0;
  for await (const piece of listFolder(mount, folderOf(mount))) {
    for (const { name } of piece) if (await sweepTombstone(mount, name, before)) swept += 1;
  }
  return swept;
}

function sweepTombstone(mount: Mount, name: string, before: number): Promise<boolean> {
  return mount.run('Forgetting an old deletion', async () => {
    const path = join(folderOf(mount), name);
    // What another process is writing at this moment is not old, however short deletions are remembered.
    const until = isUnfinished(name) ? Date.now() - LEFTOVER_MS : before;
    const at = await readTime(path);
    if (at === undefined || at >= until) return false;
    await unlessMissing(unlink(path));
    return true;
  });
}

/** When the deletion happened that a file tells of; where that cannot be read, when it was written. */
async function readTime(path: string): Promise<number | undefined> {
  const text = await unlessMissing(readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  return parseTombstone(text)?.at ?? (await unlessMissing(lstat(path)))?.mtimeMs;
}

/** What a tombstone's text says, undefined when it is none. */
export function parseTombstone(text: string): Tombstone | undefined {
  try {
    const { name, at } = JSON.parse(text) as Record<string, unknown>;
    return typeof name === 'string' && typeof at === 'number' ? { name, at } : undefined;
  } catch {
    return undefined;
  }
}

function folderOf(mount: Mount): string {
  return mount.at(OWN_FOLDER, 'deleted');
}

function pathOf(mount: Mount, name: string): string {
  return join(folderOf(mount), hashOf(name));
}

function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}
