/** The error of a write inside a read-only transaction: the primary looks at the transaction, and a replica at itself first. */
import type { Flavor } from '../topology/node-description.js';
import type { Classification } from './classifier/classification.js';
import { classifyServerError } from './server-error.js';
import type { SessionState } from './session-state.js';

const REFUSAL = { code: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION', errno: 1792, sqlState: '25006' } as const;

/**
 * `error`, with which a server refused a statement in `before`; or, where it only says that the server is read-only (1290), what the
 * primary says to a write in a read-only transaction (1792), and that is its cause. What commits by itself no transaction refuses.
 */
export function asPrimaryRefuses(
  error: unknown,
  before: SessionState,
  { implicitCommit, several, transaction }: Classification,
  flavor: Flavor,
): unknown {
  if (before.transaction !== 'read-only' || implicitCommit || transaction !== undefined || several === true)
    return error;
  if (classifyServerError(error).readOnlyRole !== true) return error;
  const sqlMessage = `Cannot execute statement in a READ ONLY transaction${flavor === 'mysql' ? '.' : ''}`;
  return Object.assign(new Error(sqlMessage, { cause: error }), error, REFUSAL, { sqlMessage });
}
