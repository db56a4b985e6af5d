/** Lets a method that is awaited be called with a callback, as applications of express-session do. */

/** A node-style callback. */
export type SessionDone = (error?: unknown) => void;

/**
 * Runs `work` with the options of a call. Where the call gave a callback in their place, that gets the error, in a turn of its own,
 * and the promise never rejects: nobody waits for it.
 */
export function callBack<O, T>(
  given: O | SessionDone | undefined,
  work: (options: O | undefined) => Promise<T>,
  failed: T,
): Promise<T> {
  if (typeof given !== 'function') return work(given);
  const done = given as SessionDone;
  return work(undefined).then(
    (value) => {
      process.nextTick(done);
      return value;
    },
    (error: unknown) => {
      process.nextTick(done, error);
      return failed;
    },
  );
}
