/** What is looked at, on the connection that a statement goes to, before it is sent. */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { PhysicalConnection } from './physical-connection.js';
import { NotSent } from './send-statement.js';
import type { Statement } from './statement.js';

/**
 * Refuses a prepared statement that the connection does not know, and waits while the connection is paused; undefined when
 * there is nothing to wait for.
 *
 * @throws NotSent
 */
export function beforeSending(
  connection: PhysicalConnection,
  statement: Statement,
  deadline: Deadline,
): Promise<void> | undefined {
  if (statement.prepared !== undefined && statement.prepared.on !== connection.raw) throw new NotSent(lost());
  const read = connection.whenRead();
  return read === undefined ? undefined : deadline.race('A paused connection', read);
}

function lost(): StormlampError {
  return new StormlampError(
    ErrorCode.CLOSED,
    'This prepared statement was lost with its connection; prepare it again',
  );
}
