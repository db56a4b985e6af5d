/** Failures after which it is certain that the server did not execute the statement, although something was sent. */
import type { Query } from 'mysql2';
import type { Statement } from './statement.js';

const UNEXECUTED = new WeakSet<object>();

/** Remembers of `error`, with which `statement` failed, whether the statement was certainly not executed. */
export function noteUnexecuted(error: unknown, statement: Statement, sent: Query | undefined): void {
  if (typeof error !== 'object' || error === null) return;
  if (wasNotPrepared(statement, sent) || wasNotReceived(error, statement)) UNEXECUTED.add(error);
}

/** Whether the statement that failed with `error` was certainly not executed. */
export function isUnexecuted(error: unknown): boolean {
  return typeof error === 'object' && error !== null && UNEXECUTED.has(error);
}

/** The driver prepares first and executes when that is answered. */
function wasNotPrepared(statement: Statement, sent: Query | undefined): boolean {
  if (statement.mode !== 'execute' || sent === undefined) return false;
  return (sent as unknown as { readonly statement?: unknown }).statement === undefined;
}

/**
 * A statement that could not be written to its end is not executed, unless it is one that goes on to be written while it runs.
 * 4031 is how MySQL takes leave of a client that was silent for too long: it did not read what was sent meanwhile.
 */
function wasNotReceived(error: object, { sql }: Statement): boolean {
  const { errno, syscall } = error as { readonly errno?: unknown; readonly syscall?: unknown };
  return errno === 4031 || (syscall === 'write' && !/\bload\b/i.test(sql));
}
