/** The notes about replaced sessions in files: one small file each on every mount, beside what mounts missed. */
import { createHash } from 'node:crypto';
import { open, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { listFolder } from '../files/list-folder.js';
import type { MirroredMounts } from '../files/mirrored-mounts.js';
import type { Mount } from '../files/mount.js';
import { unlessMissing } from '../files/mount-health.js';
import { OWN_FOLDER } from '../files/mount-mark.js';
import { explainRefusal, writeOwnFile } from '../files/own-files.js';
import { reopened } from '../files/when-stale.js';
import {
  decodeRetiredNote,
  encodeRetiredNote,
  MAX_RETIRED_NOTE_BYTES,
  type RetiredNote,
} from './retired-note.js';

/** Writes a note about the session file `name` on every mount. @throws StormlampError `ERR_STORE_DOWN` when none took it. */
export async function writeRetiredNote(
  mirrored: MirroredMounts,
  name: string,
  note: RetiredNote,
): Promise<void> {
  const mounts = mirrored.writable();
  const results = await Promise.allSettled(
    mounts.map((mount) =>
      mount.run('Noting that a session was replaced', () =>
        writeOwnFile(mount, pathOf(mount, name), encodeRetiredNote(note)),
      ),
    ),
  );
  if (results.some(({ status }) => status === 'fulfilled')) return;
  const failures = new Map(
    results.flatMap((result, index) => {
      const mount = mounts[index];
      return mount !== undefined && result.status === 'rejected' ? [[mount, result.reason] as const] : [];
    }),
  );
  throw mirrored.allDown('No mount could note that the session was replaced', failures);
}

/**
 * Reads the note about a session file: on every mount, as each of them may have been away when it was written; undefined where
 * there is none.
 *
 * @throws StormlampError `ERR_ACCESS_DENIED`, NodeJS.ErrnoException when a note cannot be read of a mount that can: that is not the
 * same as no note.
 */
export async function findRetiredNote(mirrored: MirroredMounts, name: string): Promise<Buffer | undefined> {
  const notes = await Promise.all(
    mirrored.readable().map(async (mount) => {
      const path = pathOf(mount, name);
      try {
        return await reopened(() => readNote(mount, path));
      } catch (error) {
        if (mount.readable) throw await explainRefusal(mount, path, error);
        return undefined;
      }
    }),
  );
  return (notes.find((note) => note?.sound) ?? notes.find((note) => note !== undefined))?.bytes;
}

interface FoundNote {
  readonly bytes: Buffer;
  readonly sound: boolean;
}

function readNote(mount: Mount, path: string): Promise<FoundNote | undefined> {
  return mount.run('Looking whether the session was replaced', async () => {
    const file = await unlessMissing(open(path, 'r'));
    if (file === undefined) return undefined;
    try {
      const length = MAX_RETIRED_NOTE_BYTES + 1;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
      const bytes = buffer.subarray(0, bytesRead);
      if (decodeRetiredNote(bytes) !== undefined) return { bytes, sound: true };
      // It was replaced, by whom is not known any more: then its moment has passed.
      const { mtimeMs } = await file.stat();
      return { bytes: encodeRetiredNote({ successor: '', endsAt: mtimeMs }), sound: false };
    } finally {
      await file.close();
    }
  });
}

/** Removes the note about a session file wherever it is. Never rejects. */
export async function removeRetiredNote(mirrored: MirroredMounts, name: string): Promise<void> {
  await Promise.allSettled(
    mirrored
      .writable()
      .map((mount) => mount.run('Forgetting', () => unlessMissing(unlink(pathOf(mount, name))))),
  );
}

/** Removes the notes that are older than any session, which processes that died left behind. Never rejects. */
export async function sweepRetiredNotes(mirrored: MirroredMounts, before: number): Promise<void> {
  await Promise.allSettled(mirrored.writable().map((mount) => sweepNotes(mount, before)));
}

async function sweepNotes(mount: Mount, before: number): Promise<void> {
  for await (const piece of listFolder(mount, folderOf(mount))) {
    for (const { name } of piece) {
      await mount.run('Forgetting an old note', async () => {
        const path = join(folderOf(mount), name);
        const found = await unlessMissing(stat(path));
        if (found !== undefined && found.mtimeMs < before) await unlessMissing(unlink(path));
      });
    }
  }
}

function folderOf(mount: Mount): string {
  return mount.at(OWN_FOLDER, 'retired');
}

function pathOf(mount: Mount, name: string): string {
  return join(folderOf(mount), createHash('sha256').update(name).digest('hex'));
}
