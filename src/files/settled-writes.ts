/**
 * Missed writes that were made up for while somebody still remembered them: a mount that was read-only or away then keeps its
 * record, and is not to be believed any more.
 *
 * That is a small file `.stormlamp/settled/<id of the mount that had missed them>/<hash of the name>`, on every mount that takes it.
 * It says until which record all was made up for; what was missed later counts. It goes, with the records that it overrules, once
 * every mount can be reached. Releases that do not know it look into other folders.
 */
import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { listFolder } from './list-folder.js';
import { hashOf } from './missed-writes.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';
import { OWN_FOLDER } from './mount-mark.js';
import { explainRefusal, writeOwnFile } from './own-files.js';
import { reopened } from './when-stale.js';

/** What a mount had missed of a file, and got. */
export interface SettledWrites {
  /** The file, relative to the mount. */
  readonly name: string;
  /** The date of the last record that was made up for, as in `MissedWrite.at`. */
  readonly at: number;
}

/** Remembers on `keeper` that `misser` lacks nothing of a file that was missed until `settled.at`. Errors: as `Mount.run`. */
export async function rememberSettled(keeper: Mount, misser: Mount, settled: SettledWrites): Promise<void> {
  const path = pathOf(keeper, misser, settled.name);
  await keeper.run('Remembering that a missed write was made up for', async () => {
    const before = await readSettled(path);
    if (before !== undefined && before.at >= settled.at) return;
    await writeOwnFile(keeper, path, JSON.stringify({ name: settled.name, at: settled.at }));
  });
}

/**
 * Until when `misser` lacks nothing of a file, as `keeper` remembers it; undefined where it remembers nothing.
 *
 * @throws StormlampError `ERR_ACCESS_DENIED` for a file that this user may not read; otherwise as `Mount.run`.
 */
export async function findSettled(keeper: Mount, misser: Mount, name: string): Promise<number | undefined> {
  const path = pathOf(keeper, misser, name);
  try {
    const what = 'Looking whether a missed write was made up for';
    return (await reopened(() => keeper.run(what, () => readSettled(path))))?.at;
  } catch (error) {
    throw await explainRefusal(keeper, path, error);
  }
}

/** Forgets that a missed write was made up for. Errors: as `Mount.run`. */
export async function forgetSettled(keeper: Mount, misser: Mount, name: string): Promise<void> {
  const path = pathOf(keeper, misser, name);
  await keeper.run('Forgetting that a missed write was made up for', () => unlessMissing(unlink(path)));
}

/** Everything that `misser` got although somebody may remember that it missed it, as `keeper` knows. Errors: as `Mount.run`. */
export async function* listSettled(keeper: Mount, misser: Mount): AsyncGenerator<SettledWrites> {
  const folder = folderOf(keeper, misser);
  const names: string[] = [];
  for await (const piece of listFolder(keeper, folder)) names.push(...piece.map((entry) => entry.name));
  for (const name of names) {
    const settled = await keeper.run('Reading what was made up for', () => readSettled(join(folder, name)));
    if (settled !== undefined && hashOf(settled.name) === name) yield settled;
  }
}

/** What the text of such a file says, undefined when it is not one: then the records count. */
export function parseSettled(text: string): SettledWrites | undefined {
  try {
    const { name, at } = JSON.parse(text) as Record<string, unknown>;
    return typeof name === 'string' && typeof at === 'number' ? { name, at } : undefined;
  } catch {
    return undefined;
  }
}

async function readSettled(path: string): Promise<SettledWrites | undefined> {
  const text = await unlessMissing(readFile(path, 'utf8'));
  return text === undefined ? undefined : parseSettled(text);
}

function folderOf(keeper: Mount, misser: Mount): string {
  return keeper.at(OWN_FOLDER, 'settled', misser.id);
}

function pathOf(keeper: Mount, misser: Mount, name: string): string {
  return join(folderOf(keeper, misser), hashOf(name));
}
