/** The answer of one statement of a session: at once or row by row, with what was announced before it. */
import type { Deadline } from '../common/deadline.js';
import type { DeferredCommand } from './deferred-command.js';
import type { PhysicalConnection } from './physical-connection.js';
import { sendStatement, streamStatement } from './send-statement.js';
import type { SessionPorts } from './session-ports.js';
import type { SessionState } from './session-state.js';
import type { Statement, StatementAnswer } from './statement.js';

/** Sends `statement`, and feeds its rows to `command` when there is one. Rejects as `sendStatement` does. */
export function answerOf(
  connection: PhysicalConnection,
  statement: Statement,
  deadline: Deadline,
  command: DeferredCommand | undefined,
): Promise<StatementAnswer> {
  return command === undefined
    ? sendStatement(connection, statement, deadline)
    : streamStatement(connection, statement, deadline, command);
}

/** What `work` does with `connection`. Rejects as `work` does, or with the reason when the connection is lost. */
export async function workOn<T>(
  ports: SessionPorts,
  connection: PhysicalConnection,
  work: (connection: PhysicalConnection) => Promise<T>,
): Promise<T> {
  const node = ports.node(connection.node);
  const ticket = node.started('read', connection);
  try {
    return await untilLost(connection, work(connection));
  } finally {
    node.finished(ticket, connection);
  }
}

/**
 * What the primary answers to `question`. Rejects as it does, or with the reason when the connection is lost, as it is when another
 * node becomes the primary: one that hangs holds nobody up who waits for what the new one can tell.
 */
export async function askPrimary<T>(
  ports: SessionPorts,
  connection: PhysicalConnection,
  question: Promise<T>,
): Promise<T> {
  const end = ports.node(connection.node).asked(connection);
  try {
    return await untilLost(connection, question);
  } finally {
    end();
  }
}

/** `work`, or the reason when the connection is lost first: one that we close ourselves answers nobody. */
async function untilLost<T>(connection: PhysicalConnection, work: Promise<T>): Promise<T> {
  let forget = (): void => {};
  try {
    const lost = new Promise<never>((_, reject) => {
      forget = connection.onLost(reject);
    });
    return await Promise.race([work, lost]);
  } finally {
    forget();
  }
}

/** Tells the server what was said about the next transaction, which begins now. Rejects as `sendStatement` does. */
export async function announce(
  connection: PhysicalConnection,
  { announced }: SessionState,
  deadline: Deadline,
): Promise<void> {
  connection.touched = true;
  for (const each of announced) await sendStatement(connection, each.statement, deadline);
}

/** Whether the caller left a stream of which he had seen something: that says nothing against the node. */
export function wasLeft(command: DeferredCommand | undefined): boolean {
  return command?.abandoned === true && command.delivered;
}

/**
 * Lets the caller of a stream leave before the end: the statement is ended, and its connection not used again. Not for a
 * connection that holds something of the session: there the rest of the rows must be read.
 */
export function letAbandon(
  ports: SessionPorts,
  connection: PhysicalConnection,
  { sql }: Statement,
  command: DeferredCommand | undefined,
): void {
  if (command === undefined) return;
  command.onAbandoned = () => {
    ports.cancel(connection, sql);
    ports.discard(connection);
  };
}
