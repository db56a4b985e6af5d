/**
 * What a mount missed, remembered on the mounts that took it.
 *
 * A missed write is a small file `.stormlamp/missed/<id of the mount that missed it>/<hash of the name>`. It holds the
 * version that was superseded: the bytes that the mount that missed the write presumably still has. A copy of that
 * version is stale and answers nobody; a copy of any other version was written since by somebody who knew nothing of
 * us (PHP), and is not overruled.
 *
 * Of a file that was removed it holds why, and later writes keep that: it may have been ended for good, or only not been used for
 * long, which its own date may deny. What of a session counts then, `session/copy-standing.ts` says. A missed touch is noted
 * once, until it was made up for; it says nothing of contents, and gives way to every other record.
 *
 * A record that cannot be read still says that a write was missed, by its name and its date: then any copy that was there
 * until that date may be stale, and answers nobody.
 */
import { createHash } from 'node:crypto';
import { open, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { listFolder } from './list-folder.js';
import type { Mount } from './mount.js';
import { unlessMissing } from './mount-health.js';
import { OWN_FOLDER } from './mount-mark.js';
import { explainRefusal, inOwnFolder, writeOwnFile } from './own-files.js';
import { createFile } from './replace-file.js';
import { reopened } from './when-stale.js';

/** A write that a mount did not get. */
export interface MissedWrite {
  /** The file, relative to the mount. */
  readonly name: string;
  /** What was missed. */
  readonly kind: 'write' | 'delete' | 'touch';
  /** The version that the mount presumably holds; null when it presumably holds none. */
  readonly superseded: string | null;
  /** When the last of the missed writes was made, in milliseconds since 1970. */
  readonly at: number;
  /** When the first of them was made, of a copy of the version `superseded`; left out, that is not known. */
  readonly since?: number | undefined;
  /**
   * What the missed writes changed, where they say so: the parts by name, each with what stood for it before the first of
   * them (null: it was not there). Without it they changed everything.
   */
  readonly parts?: Readonly<Record<string, string | null>> | undefined;
  /** When the file was last ended for good, in milliseconds since 1970: what existed before counts no more. */
  readonly ended?: number | undefined;
  /** For how long, in milliseconds, nobody had used the file, as far as its mount's neighbours knew when they removed it. */
  readonly unusedFor?: number | undefined;
  /** What calls that did not come back may still make of the copy: that is nobody's later write. */
  readonly late?: readonly LateChange[] | undefined;
}

/** A record that cannot be read: which file it is about, nobody can tell by it alone. */
export interface DamagedRecord {
  /** The hash of the file's name. */
  readonly hash: string;
  /** When the record was written, in milliseconds since 1970. */
  readonly at: number;
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

/** In the place of the version that was superseded: it is not known. */
const UNKNOWN = 'unknown';

/** A missed write of which nothing is known but the file and that it was not later than `at`. */
export function unknownWrite(name: string, at: number): MissedWrite {
  return { name, kind: 'write', superseded: UNKNOWN, at };
}

/** Whether nothing is known of a missed write but its file. */
export function isUnknown({ superseded }: MissedWrite): boolean {
  return superseded === UNKNOWN;
}

/** When a file was ended for good; a record that says nothing of why it was removed means that. */
export function endOf({ ended, kind, unusedFor, at }: MissedWrite): number | undefined {
  return ended ?? (kind === 'delete' && unusedFor === undefined ? at : undefined);
}

/** Whether a copy is what a missed write superseded, so that it must answer nobody. */
export function isSuperseded(copy: CopyVersion, missed: MissedWrite): boolean {
  if (isUnknown(missed)) return copy.changedMs <= missed.at;
  if (copy.version === missed.superseded) return true;
  if (missed.late?.some(({ version }) => version === copy.version)) return true;
  // Whoever deletes a file means all that was in it until then, seen or not.
  return missed.kind === 'delete' && copy.version !== null && copy.changedMs <= missed.at;
}

/** Writes down on `holder` what `misser` missed, in the place of what it remembers; see `missed-chain.ts`. Errors: as `Mount.run`. */
export async function rememberMissed(holder: Mount, misser: Mount, missed: MissedWrite): Promise<void> {
  await holder.run('Remembering a missed write', () =>
    writeOwnFile(holder, pathOf(holder, misser, missed.name), textOf(missed)),
  );
}

/** Remembers on `holder` that `misser` missed a touch, unless something is remembered already. Errors: as `Mount.run`. */
export async function rememberTouch(holder: Mount, misser: Mount, name: string): Promise<void> {
  const path = pathOf(holder, misser, name);
  const record: MissedWrite = { name, kind: 'touch', superseded: null, at: Date.now() };
  await holder.run('Remembering a missed touch', async () => {
    // Looked for first, since all other touches of an outage find one.
    if ((await unlessMissing(stat(path))) !== undefined) return;
    await inOwnFolder(holder, dirname(path), () => createFile(path, textOf(record), holder.owner));
  });
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
    const found = await reopened(() => holder.run('Looking for a missed write', () => readMissed(path)));
    return found !== undefined && 'hash' in found ? unknownWrite(name, found.at) : found;
  } catch (error) {
    throw await explainRefusal(holder, path, error);
  }
}

/** Forgets what `misser` missed of a file. Errors: as `Mount.run`. */
export async function forgetMissed(holder: Mount, misser: Mount, name: string): Promise<void> {
  await holder.run('Forgetting a missed write', () => unlessMissing(unlink(pathOf(holder, misser, name))));
}

/** Everything that `misser` missed, as `holder` remembers it. Errors: as `Mount.run`. */
export async function* listMissed(holder: Mount, misser: Mount): AsyncGenerator<MissedWrite | DamagedRecord> {
  const folder = folderOf(holder, misser);
  const names: string[] = [];
  for await (const piece of listFolder(holder, folder)) names.push(...piece.map((entry) => entry.name));
  for (const name of names) {
    if (!/^[0-9a-f]{64}$/.test(name)) continue;
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

/**
 * Makes damaged records sound again, as far as one of `names` is the file's; they say from now on that a write was missed, and
 * nothing more. Errors: as `Mount.run`, of `names`.
 *
 * @returns what the records that were mended say
 */
export async function mendRecords(
  holder: Mount,
  misser: Mount,
  damaged: readonly DamagedRecord[],
  names: AsyncIterable<string>,
): Promise<readonly MissedWrite[]> {
  const left = new Map(damaged.map((record) => [record.hash, record]));
  const mended: MissedWrite[] = [];
  for await (const name of names) {
    const hash = hashOf(name);
    const record = left.get(hash);
    if (record === undefined) continue;
    left.delete(hash);
    const missed = unknownWrite(name, record.at);
    await rememberMissed(holder, misser, missed);
    mended.push(missed);
    if (left.size === 0) break;
  }
  return mended;
}

/** What the text of such a file says, undefined when it is not one. */
export function parseMissed(text: string): MissedWrite | undefined {
  try {
    const { name, kind, superseded, at, since, parts, ended, unusedFor, late } = JSON.parse(text) as Record<
      string,
      unknown
    >;
    const sound =
      typeof name === 'string' &&
      (kind === 'write' || kind === 'delete' || kind === 'touch') &&
      (superseded === null || typeof superseded === 'string') &&
      typeof at === 'number' &&
      isTime(since) &&
      isTime(ended) &&
      isTime(unusedFor);
    if (!sound) return undefined;
    const why = {
      ...(since === undefined ? {} : { since }),
      ...(ended === undefined ? {} : { ended }),
      ...(unusedFor === undefined ? {} : { unusedFor }),
    };
    return { name, kind, superseded, at, ...why, ...readParts(parts), ...readLate(late) };
  } catch {
    return undefined;
  }
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || typeof value === 'number';
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

async function readMissed(path: string): Promise<MissedWrite | DamagedRecord | undefined> {
  const file = await unlessMissing(open(path, 'r'));
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    const missed = parseMissed(buffer.toString('utf8', 0, bytesRead));
    const hash = basename(path);
    if (missed !== undefined && hashOf(missed.name) === hash) return missed;
    return { hash, at: (await file.stat()).mtimeMs };
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

/** What the records about a file are called. */
export function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}
