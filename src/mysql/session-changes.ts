/** Whether a statement has left something in its session, as far as its text and its answer show. */
import type { Classification } from './classifier/classification.js';
import { isHeader } from './result-header.js';
import { leavesTrace } from './session-state.js';

/**
 * Whether a statement may have left something on its connection that the next borrower must not find. `answer` is what the driver
 * gave for it; undefined when it failed: then its triggers may have run all the same.
 */
export function mayLeaveTrace(classification: Classification, answer: unknown): boolean {
  if (leavesTrace(classification)) return true;
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
