/** Closes a file, which ends its lock, for whoever can do nothing about a failure. For files on mounts see `Mount.close`. */
import type { FileHandle } from 'node:fs/promises';

/** See the head of this file. Never rejects. */
export async function closeQuietly(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => undefined);
}
