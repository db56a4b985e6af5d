/**
 * Asks the server what became of a transaction. After some failed statements only the server knows; it is asked when the
 * next statement needs to know, because the question makes it forget what `SHOW WARNINGS` would tell about the failure.
 */
import type { Deadline } from '../common/deadline.js';
import type { Classification } from './classifier/classification.js';
import { asksAboutConnection } from './failure-policy.js';
import type { PhysicalConnection } from './physical-connection.js';
import { sendStatement, statusOf } from './send-statement.js';
import type { SessionPorts } from './session-ports.js';
import { afterInquiry, type SessionState } from './session-state.js';
import { readStatement } from './statement.js';

/** The cheapest statement that is answered with the status bits of the session. */
const INQUIRY = readStatement('query', 'DO 0', undefined);

/** `state` as the server sees it. Rejects when the connection is gone, or did not answer in time: then it is not used again. */
export async function inquire(
  ports: SessionPorts,
  connection: PhysicalConnection,
  state: SessionState,
  deadline: Deadline,
): Promise<SessionState> {
  const node = ports.node(connection.node);
  const ticket = node.started('write', connection);
  try {
    const answer = await sendStatement(connection, INQUIRY, deadline);
    node.finished(ticket, connection);
    return afterInquiry(state, statusOf(answer));
  } catch (error) {
    node.failed('write', ticket, error, connection);
    throw error;
  }
}

/** Whether a statement does the same whether a transaction is open or not, or looks at what the one before it left. */
export function bearsDoubt(classification: Classification): boolean {
  const { transaction } = classification;
  return asksAboutConnection(classification) || transaction === 'commit' || transaction === 'rollback';
}
