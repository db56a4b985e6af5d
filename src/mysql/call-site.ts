/** The place in the application from which the library was called: for reports of leaks, and for the stacks of errors. */
import { fileURLToPath } from 'node:url';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';

/** So many frames are looked at; the library's own come first and are left out. */
const FRAMES = 60;

/** Codes of errors that are made for a single call, or for the calls of a single session. */
const OF_ONE_CALL: ReadonlySet<string> = new Set([
  ErrorCode.TIMEOUT,
  ErrorCode.ABORTED,
  ErrorCode.UNSUPPORTED,
  ErrorCode.WRITE_REFUSED,
  ErrorCode.OUTCOME_UNKNOWN,
  ErrorCode.TRANSACTION_LOST,
  ErrorCode.CONNECTION_LOST,
]);

/** Where this package's own code is. */
const HOME = fileURLToPath(new URL('..', import.meta.url));

/** The frames of the present call that are not of this package, innermost first, as `Error.stack` writes them. */
export function callSite(): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return withoutOwn(stack.split('\n').slice(1), HOME).join('\n');
}

/**
 * The same error, with the frames of whoever waits for the failing call at the end of its stack. What the driver made an error
 * of was a packet of the server, of which no caller is to be seen. Called after an `await`, where Node knows who waits; so
 * calls that succeed cost nothing.
 */
export function withCaller(error: unknown): unknown {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return error;
  // What is wrong with a node is told to everybody with the same error, which is about none of their calls.
  if (isStormlampError(error) && !OF_ONE_CALL.has(error.code)) return error;
  const place = callSite();
  const [first = ''] = place.split('\n');
  if (first === '' || first.includes(HOME) || error.stack.includes(first)) return error;
  error.stack = `${error.stack}\n${place}`;
  return error;
}

/** The frames that are neither below `home` nor of Node itself; all of them when there are no others. */
export function withoutOwn(frames: readonly string[], home: string): readonly string[] {
  const outside = frames.filter((frame) => !frame.includes(home) && !/\(node:|at node:/.test(frame));
  return outside.length === 0 ? frames : outside;
}
