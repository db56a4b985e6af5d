/** Whether a statement has left something in its session, as far as its text and its answer show. */
import type { Classification } from './classifier/classification.js';
import { isHeader } from './result-header.js';

/** What is gone when the transaction is: a session that goes back inside of one is tied, and reset for that. */
const ENDS_WITH_TRANSACTION: ReadonlySet<Classification['transaction']> = new Set([
  'begin',
  'begin-read-only',
  'begin-read-write',
  'commit',
  'rollback',
  'savepoint',
] as const);

/** Whether a statement may leave something on its connection that the next borrower must not find, once its transaction is over. */
export function leavesTrace(classification: Classification): boolean {
  if (isTransactionAlone(classification)) return false;
  if (classification.pins.length > 0 || classification.transaction !== undefined) return true;
  if (classification.settings !== undefined && classification.settings.length > 0) return true;
  if (classification.calls === true || classification.implicitCommit) return true;
  return classification.kind !== 'read' && classification.kind !== 'write';
}

/** Whether a statement begins, ends or parts a transaction, and does nothing else. */
function isTransactionAlone({ transaction, pins, settings, calls, several }: Classification): boolean {
  if (transaction === undefined || !ENDS_WITH_TRANSACTION.has(transaction)) return false;
  return pins.length === 0 && (settings?.length ?? 0) === 0 && calls !== true && several !== true;
}

/**
 * Whether a statement may have left something on its connection that the next borrower must not find. `answer` is what the driver
 * gave for it; undefined when it failed: then its triggers may have run all the same.
 */
export function mayLeaveTrace(classification: Classification, answer: unknown): boolean {
  if (leavesTrace(classification)) return true;
  // The end of a transaction that failed may have left it open.
  if (classification.transaction !== undefined) return answer === undefined;
  if (classification.kind !== 'write') return false;
  // An answer with rows tells nothing.
  const isSilent = Array.isArray(answer) ? answer.every((part) => !isHeader(part)) : !isHeader(answer);
  return isSilent || tellsOfChange(answer);
}

/** Whether the server says that the statement changed the session: it does so for all but named locks. */
export function tellsOfChange(answer: unknown): boolean {
  return Array.isArray(answer) ? answer.some(tellsChange) : tellsChange(answer);
}

function tellsChange(answer: unknown): boolean {
  if (!isHeader(answer)) return false;
  const { stateChanges } = answer as { readonly stateChanges?: { readonly trackStateChange?: unknown } };
  return typeof stateChanges?.trackStateChange === 'string';
}
