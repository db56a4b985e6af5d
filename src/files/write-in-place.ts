/**
 * Overwrites a locked file in place, as PHP does with its session files.
 *
 * Writing a new file and renaming it would be safer, but is not possible here: the lock belongs to the inode, and whoever
 * waits for it in PHP would get the lock of a file that no longer has a name. So what can be had in place is had: the part
 * that needs new blocks is written first, and undone when the disk is full, with the old contents untouched; then the
 * part that has its blocks; and the file is cut last, so that it is never empty in between (PHP cuts first).
 */
import type { FileHandle } from 'node:fs/promises';

/**
 * Replaces the contents of a file that is open for writing. When it fails, the old contents are put back as far as the
 * disk lets us.
 *
 * @param before the present contents
 */
export async function writeInPlace(handle: FileHandle, bytes: Buffer, before: Buffer): Promise<void> {
  const kept = Math.min(before.length, bytes.length);
  try {
    await writeAt(handle, bytes.subarray(kept), kept);
    // Under copy-on-write this may need new blocks, too; on other disks it cannot fail for want of room.
    await writeAt(handle, bytes.subarray(0, kept), 0);
    if (bytes.length < before.length) await handle.truncate(bytes.length);
  } catch (error) {
    await restore(handle, before);
    throw error;
  }
}

/** Reads a whole open file, of at most `limit` bytes; undefined when it is longer. */
export async function readWhole(handle: FileHandle, limit: number): Promise<Buffer | undefined> {
  const { size } = await handle.stat();
  if (size > limit) return undefined;
  const buffer = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await handle.read(buffer, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

async function restore(handle: FileHandle, before: Buffer): Promise<void> {
  try {
    await handle.truncate(before.length);
    await writeAt(handle, before, 0);
  } catch {
    // The first error is the one that counts; the copy is remembered as missed by the caller.
  }
}

async function writeAt(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
