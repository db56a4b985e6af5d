/**
 * Asks the server what became of a transaction. After some statements only the server knows; it is asked when the next
 * statement needs to know, because the question makes it forget what `SHOW WARNINGS` would tell about the failure.
 */
import type { Deadline } from '../common/deadline.js';
import type { PhysicalConnection } from './physical-connection.js';
import { sendStatement, statusOf } from './send-statement.js';
import type { SessionPorts } from './session-ports.js';
import { afterInquiry, type SessionState } from './session-state.js';
import { readStatement, type Statement } from './statement.js';

/** The cheapest statement that is answered with the status bits of the session. */
const INQUIRY = readStatement('query', 'DO 0', undefined);

/** A savepoint that is there for as long as the transaction is the one in which it was set. */
const MARK = readStatement('query', 'SAVEPOINT stormlamp_mark', undefined);
const UNMARK = readStatement('query', 'RELEASE SAVEPOINT stormlamp_mark', undefined);

/** The savepoint does not exist. */
const NO_SAVEPOINT = 1305;

/** What the server says. */
export interface Finding {
  /** The state of the session as the server sees it. */
  readonly state: SessionState;
  /** Whether the transaction in which the mark was set has ended, even when another one is open now. */
  readonly hasEnded: boolean;
}

/** Marks the open transaction, so that it can be told from another one that is open later. Rejects as `sendStatement` does. */
export async function markTransaction(connection: PhysicalConnection, deadline: Deadline): Promise<void> {
  await sendStatement(connection, MARK, deadline);
}

/**
 * The state of a session as the server sees it. Rejects when the connection is gone, or did not answer in time: then it is
 * not used again.
 */
export async function inquire(
  ports: SessionPorts,
  connection: PhysicalConnection,
  state: SessionState,
  isMarked: boolean,
  deadline: Deadline,
): Promise<Finding> {
  const node = ports.node(connection.node);
  const ticket = node.started('write', connection);
  try {
    const released = isMarked ? await release(connection, deadline) : undefined;
    const status = released ?? (await statusAfter(connection, INQUIRY, deadline));
    node.finished(ticket, connection);
    const found = afterInquiry(state, status);
    const isGone = isMarked && released === undefined;
    return { state: found, hasEnded: isGone || found.transaction === 'none' };
  } catch (error) {
    node.failed('write', ticket, error, connection);
    throw error;
  }
}

async function statusAfter(
  connection: PhysicalConnection,
  statement: Statement,
  deadline: Deadline,
): Promise<number | undefined> {
  return statusOf(await sendStatement(connection, statement, deadline));
}

/** The status bits after the mark was taken away; undefined when there was none. */
async function release(connection: PhysicalConnection, deadline: Deadline): Promise<number | undefined> {
  try {
    return await statusAfter(connection, UNMARK, deadline);
  } catch (error) {
    if ((error as { errno?: unknown }).errno === NO_SAVEPOINT) return undefined;
    throw error;
  }
}
