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
import { mayLackIt } from './unknown-there.js';

/** How long it may take when the call has no limit of its own, in milliseconds. */
const LIMIT_MS = 10_000;

/**
 * Sends `settings` in order; gives back undefined when that is done. When one fails, the connection is closed, and the error is
 * the caller's; with `mayFail`, one that another connection may be spared is given back.
 */
export async function repeatSettings(
  ports: SessionPorts,
  connection: PhysicalConnection,
  settings: readonly Statement[],
  { deadline }: CallContext,
  mayFail: boolean,
): Promise<SettingsFailure | undefined> {
  connection.touched = true;
  const limit = deadline.within(LIMIT_MS);
  try {
    for (const setting of settings) {
      const [answer] = await sendStatement(connection, setting, limit);
      const classification = ports.classify(setting.sql, undefined);
      if (mayChangeMode(classification)) connection.sqlMode = sqlModeTold(answer);
      forgetOutdated(connection, classification, FRESH_SESSION);
    }
    return undefined;
  } catch (error) {
    ports.discard(connection);
    const { meaning, errno } = failureOf(error, connection, false);
    const mayBeBehind = mayLackIt(errno);
    const isLost = meaning.connection === 'lost' && !isStormlampError(error);
    if (mayFail && (isLost || mayBeBehind)) return { error, mayBeBehind };
    throw error instanceof NotSent ? error.error : error;
  }
}

/** Why the settings were not made. */
export interface SettingsFailure {
  /** The error. */
  readonly error: unknown;
  /** Whether the server does not know what was chosen, as a replica that is behind; otherwise the connection was lost. */
  readonly mayBeBehind: boolean;
}
