/** Keeps the bytes of a response in this process until something has happened. */
import type { ServerResponse } from 'node:http';

/** Sends nothing of `response` before `until` is settled; what is written meanwhile waits, and counts for back pressure. */
export function holdBytes(response: ServerResponse, until: Promise<unknown>): void {
  response.cork();
  const release = (): void => response.uncork();
  until.then(release, release);
}
