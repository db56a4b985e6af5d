/**
 * What a mount missed, remembered on the mounts that took it.
 *
 * A missed write is a small file `.stormlamp/missed/<id of the mount that missed it>/<hash of the name>`. It holds the
 * version that was superseded: the bytes that the mount that missed the write presumably still has. A copy of that
 * version is stale and answers nobody; a copy of any other version was written since by somebody who knew nothing of
 * us (PHP), and is not overruled.
 */
import { createHash } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { listFolder } from './list-folder.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';
import { OWN_FOLDER } from './mount-mark.js';
import { explainRefusal, writeOwnFile } from './own-files.js';
import { isUnfinished } from './replace-file.js';
import { reopened } from './when-stale.js';

/** A write that a mount did not get. */
export interface MissedWrite {
  /** The file, relative to the mount. */
  readonly name: string;
  /** What was missed. */
  readonly kind: 'write' | 'delete';
  /** The version that the mount presumably holds; null when it presumably holds none. */
  readonly superseded: string | null;
  /** When the last of the missed writes was made, in milliseconds since 1970. */
  readonly at: number;
  /**
   * What the missed writes changed, where they say so: the parts by name, each with what stood for it before the first of
   * them (null: it was not there). Without it they changed everything.
   */
  readonly parts?: Readonly<Record<string, string | null>> | undefined;
  /** What calls that did not come back may still make of the copy: that is nobody's later write. */
  readonly late?: readonly LateChange[] | undefined;
}

/** What becomes of a copy when a call comes back that hangs. */
export interface LateChange {
  /** The version that the copy gets; null when it is removed. */
  readonly version: string | null;
  /** Its parts by name, as in {@link MissedWrite}, where they are known. */
  readonly parts?: Readonly<Record<string, string | null>> | undefined;
}

/** What a copy is, as far as missed writes are concerned. */
export interface CopyVersion {
  /** Its version; null when there is no file. */
  readonly version: string | null;
  /** When it was last written, in milliseconds since 1970. */
  readonly modifiedMs: number;
  /**
   * When it came to be what it is there, in milliseconds since 1970: the system's own date of the last change, which
   * programs that copy files with their old date cannot set.
   */
  readonly changedMs: number;
}

/** Whether a copy is what a missed write superseded, so that it must answer nobody. */
export function isSuperseded(copy: CopyVersion, missed: MissedWrite): boolean {
  if (copy.version === missed.superseded) return true;
  if (missed.late?.some(({ version }) => version === copy.version)) return true;
  // Whoever deletes a file means all that was in it until then, seen or not.
  return missed.kind === 'delete' && copy.version !== null && copy.changedMs <= missed.at;
}

/**
 * Remembers on `holder` what `misser` missed. Errors: as `Mount.run`.
 *
 * @param seen whether `missed.superseded` is what the mount was seen to hold; otherwise an earlier record knows better,
 * since the mount still holds what the first of several missed writes superseded
 */
export async function rememberMissed(
  holder: Mount,
  misser: Mount,
  missed: MissedWrite,
  seen = false,
): Promise<void> {
  const before = await findMissed(holder, misser, missed.name);
  const record: MissedWrite =
    before === undefined
      ? missed
      : {
          ...missed,
          superseded: seen ? missed.superseded : before.superseded,
          parts: before.parts && missed.parts && { ...missed.parts, ...before.parts },
          late: [...(before.late ?? []), ...(missed.late ?? [])].slice(-MAX_LATE),
        };
  await holder.run('Remembering a missed write', () =>
    writeOwnFile(holder, pathOf(holder, misser, missed.name), textOf(record)),
  );
}

/**
 * What `misser` missed of a file, as `holder` remembers it.
 *
 * @throws StormlampError `ERR_ACCESS_DENIED` for a note that this user may not read; otherwise as `Mount.run`.
 */
export async function findMissed(
  holder: Mount,
  misser: Mount,
  name: string,
): Promise<MissedWrite | undefined> {
  const path = pathOf(holder, misser, name);
  try {
    return await reopened(() => holder.run('Looking for a missed write', () => readMissed(path)));
  } catch (error) {
    throw await explainRefusal(holder, path, error);
  }
}

/** Forgets what `misser` missed of a file. Errors: as `Mount.run`. */
export async function forgetMissed(holder: Mount, misser: Mount, name: string): Promise<void> {
  await holder.run('Forgetting a missed write', () => unlessMissing(unlink(pathOf(holder, misser, name))));
}

/** Everything that `misser` missed, as `holder` remembers it. Errors: as `Mount.run`. */
export async function* listMissed(holder: Mount, misser: Mount): AsyncGenerator<MissedWrite> {
  const folder = folderOf(holder, misser);
  const names: string[] = [];
  for await (const piece of listFolder(holder, folder)) names.push(...piece.map((entry) => entry.name));
  for (const name of names) {
    if (isUnfinished(name)) continue;
    const missed = await holder.run('Reading a missed write', () => readMissed(join(folder, name)));
    if (missed !== undefined) yield missed;
  }
}

/** The files of which `misser` missed something, as `holder` remembers it: whether `name` is among them. Errors: as `Mount.run`. */
export async function listMissedNames(holder: Mount, misser: Mount): Promise<(name: string) => boolean> {
  const names = new Set<string>();
  for await (const piece of listFolder(holder, folderOf(holder, misser)))
    for (const entry of piece) names.add(entry.name);
  return (name) => names.has(hashOf(name));
}

/** What the text of such a file says, undefined when it is not one. */
export function parseMissed(text: string): MissedWrite | undefined {
  try {
    const { name, kind, superseded, at, parts, late } = JSON.parse(text) as Record<string, unknown>;
    const sound =
      typeof name === 'string' &&
      (kind === 'write' || kind === 'delete') &&
      (superseded === null || typeof superseded === 'string') &&
      typeof at === 'number';
    return sound ? { name, kind, superseded, at, ...readParts(parts), ...readLate(late) } : undefined;
  } catch {
    return undefined;
  }
}

function readParts(parts: unknown): Pick<MissedWrite, 'parts'> {
  if (typeof parts !== 'object' || parts === null) return {};
  const entries = Object.entries(parts);
  const sound = entries.every(([, before]) => before === null || typeof before === 'string');
  return sound ? { parts: Object.fromEntries(entries) } : {};
}

function readLate(late: unknown): Pick<MissedWrite, 'late'> {
  if (!Array.isArray(late)) return {};
  const changes = late.flatMap((change: unknown): LateChange[] => {
    const { version, parts } = (change ?? {}) as Record<string, unknown>;
    return version === null || typeof version === 'string' ? [{ version, ...readParts(parts) }] : [];
  });
  return { late: changes };
}

/** A mount that hangs gets no further writes until it is back; more than a few are of long ago. */
const MAX_LATE = 16;

/** Longest record that is read: a name of 4096 bytes, and the rest. */
const MAX_BYTES = 32_768;

/** The record as text; one that got too long says nothing of parts. */
function textOf(record: MissedWrite): string {
  const text = JSON.stringify(record);
  if (Buffer.byteLength(text) <= MAX_BYTES) return text;
  return JSON.stringify({
    ...record,
    parts: undefined,
    late: record.late?.map(({ version }) => ({ version })),
  });
}

async function readMissed(path: string): Promise<MissedWrite | undefined> {
  const file = await unlessMissing(open(path, 'r'));
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    return parseMissed(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await file.close();
  }
}

function folderOf(holder: Mount, misser: Mount): string {
  return holder.at(OWN_FOLDER, 'missed', misser.id);
}

function pathOf(holder: Mount, misser: Mount, name: string): string {
  return join(folderOf(holder, misser), hashOf(name));
}

function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}
