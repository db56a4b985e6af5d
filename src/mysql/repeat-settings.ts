/** Brings another connection into the state that a session has set up before. */
import { isStormlampError } from '../common/stormlamp-error.js';
import { failureOf } from './failure-policy.js';
import { forgetOutdated } from './leave-trace.js';
import type { PhysicalConnection } from './physical-connection.js';
import { NotSent, sendStatement } from './send-statement.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import { FRESH_SESSION, mayChangeMode } from './session-state.js';
import { sqlModeTold } from './sql-mode.js';
import type { Statement } from './statement.js';

/** How long it may take when the call has no limit of its own, in milliseconds. */
const LIMIT_MS = 10_000;

/**
 * Sends `settings` in order. When one fails, the connection is closed, and the error is the caller's. Whether they were sent:
 * not when the connection turned out to be lost, which `mayFail` says shall be no error.
 */
export async function repeatSettings(
  ports: SessionPorts,
  connection: PhysicalConnection,
  settings: readonly Statement[],
  { deadline }: CallContext,
  mayFail: boolean,
): Promise<boolean> {
  connection.touched = true;
  const limit = deadline.within(LIMIT_MS);
  try {
    for (const setting of settings) {
      const [answer] = await sendStatement(connection, setting, limit);
      const classification = ports.classify(setting.sql, undefined);
      if (mayChangeMode(classification)) connection.sqlMode = sqlModeTold(answer);
      forgetOutdated(connection, classification, FRESH_SESSION);
    }
    return true;
  } catch (error) {
    ports.discard(connection);
    const isLost = failureOf(error, connection, false).meaning.connection === 'lost';
    if (mayFail && isLost && !isStormlampError(error)) return false;
    throw error instanceof NotSent ? error.error : error;
  }
}
