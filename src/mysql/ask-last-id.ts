/**
 * Asks the server whether `LAST_INSERT_ID()` is an id that a statement was answered with. That answer does not tell: an insert which
 * names its id itself is answered with it as well, and leaves `LAST_INSERT_ID()` as whoever had the connection before left it.
 */
import type { Deadline } from '../common/deadline.js';
import { workOn } from './answer-of.js';
import type { PhysicalConnection } from './physical-connection.js';
import { sendStatement } from './send-statement.js';
import type { SessionPorts } from './session-ports.js';
import { readStatement } from './statement.js';

/**
 * Whether `LAST_INSERT_ID()` is `id`, which is written in digits. Rejects when the connection is gone, or did not answer in time:
 * then it is not used again.
 */
export async function isLastId(
  ports: SessionPorts,
  connection: PhysicalConnection,
  id: string,
  deadline: Deadline,
): Promise<boolean> {
  const question = readStatement('query', `SELECT 1 FROM DUAL WHERE LAST_INSERT_ID() = ${id}`, undefined);
  const [rows] = await workOn(ports, connection, (on) => sendStatement(on, question, deadline));
  return Array.isArray(rows) && rows.length > 0;
}
