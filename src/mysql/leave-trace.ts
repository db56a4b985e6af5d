/** Notes on a connection what a statement did to it, for its next borrowers and for what it keeps. */
import { mayHushGtids } from './causal-reads.js';
import type { Classification, SessionSetting } from './classifier/classification.js';
import type { PhysicalConnection } from './physical-connection.js';
import { isHeld } from './prepared-room.js';
import { mayLeaveTrace } from './session-changes.js';
import type { SessionState } from './session-state.js';

/** Settings by which the server reads a text when it prepares it, and not again when it executes it. */
const READ_BY: ReadonlySet<SessionSetting> = new Set(['charset', 'sql-mode', 'database']);

/** Notes what a statement of a session in `state` did; `answer` is what the driver gave for it, undefined when it failed. */
export function leaveTrace(
  connection: PhysicalConnection,
  classification: Classification,
  state: SessionState,
  answer: unknown,
): void {
  if (mayLeaveTrace(classification, answer)) connection.touched = true;
  if (mayHushGtids(classification)) connection.tellsGtids = false;
  forgetOutdated(connection, classification, state);
}

/**
 * Closes the statements that the driver keeps prepared, when they would mean something else by now: what was prepared in one
 * database reads and writes there, also after `USE`. Handles of the caller stay what they were.
 */
export function forgetOutdated(
  connection: PhysicalConnection,
  { settings, pins }: Classification,
  state: SessionState,
): void {
  const isOutdated = settings?.some((setting) => READ_BY.has(setting)) === true;
  if (isOutdated || pins.includes('session-variable'))
    connection.forgetStatements((id) => !isHeld(state, id));
}
