/** Closes a file, which ends its lock, for whoever can do nothing about a failure. For files on mounts see `Mount.close`. */

/** An open file or folder. */
export interface Closable {
  /** Closes it. */
  close(): Promise<void>;
}

/** See the head of this file. Never rejects. */
export async function closeQuietly(handle: Closable): Promise<void> {
  await handle.close().catch(() => undefined);
}
