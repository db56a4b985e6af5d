/**
 * Files that another machine removed or replaced while they were open here: a network mount then answers ESTALE to their handle
 * (NFS, CIFS), where a local one would go on with the old file. Whoever meant the name opens it again.
 */
import { errnoOf } from './mount-health.js';

/** How often in a row a file may be replaced under us. */
const ATTEMPTS = 3;

/** Whether an error, or what caused it, is that of a stale handle. */
export function isStale(error: unknown): boolean {
  return errnoOf(error) === 'ESTALE' || errnoOf((error as { cause?: unknown } | null)?.cause) === 'ESTALE';
}

/** Runs `work`, which opens a file by its name, again when its handle became stale. Errors: of `work`. */
export async function reopened<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !isStale(error)) throw error;
    }
  }
}
