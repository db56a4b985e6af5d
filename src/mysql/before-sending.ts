/** What is looked at, on the connection that a statement goes to, before it is sent. */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { refuseHoles } from './charset-holes.js';
import type { Classification } from './classifier/classification.js';
import { asksAboutConnection } from './failure-policy.js';
import { checkPacket } from './packet-limit.js';
import type { PhysicalConnection } from './physical-connection.js';
import { NotSent } from './send-statement.js';
import type { Statement } from './statement.js';

/**
 * Refuses what the driver or the server would make something else of, and waits while the connection is paused; undefined
 * when there is nothing to wait for. Throws, or rejects with, `NotSent`.
 */
export function beforeSending(
  connection: PhysicalConnection,
  statement: Statement,
  classification: Classification,
  deadline: Deadline,
): Promise<void> | undefined {
  if (statement.prepared !== undefined && statement.prepared.on !== connection.raw) throw new NotSent(lost());
  refuseHoles(connection, statement);
  const read = connection.whenRead();
  if (read !== undefined) return deadline.race('A paused connection', read);
  // The question would be what the statement asks about.
  return asksAboutConnection(classification) ? undefined : checkPacket(connection, statement, deadline);
}

function lost(): StormlampError {
  return new StormlampError(
    ErrorCode.CLOSED,
    'This prepared statement was lost with its connection; prepare it again',
  );
}
