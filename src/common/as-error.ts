/** What was thrown, as an error, for whoever is told of it. */
import { describeError } from './stormlamp-error.js';

/** The error itself; anything else that was thrown becomes the message of one. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(describeError(error));
}
