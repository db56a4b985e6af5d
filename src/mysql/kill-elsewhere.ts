/** `KILL` with the number of a session, which is one of a single server: it is sent to the one that is meant. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { answerOf, workOn } from './answer-of.js';
import type { Classification } from './classifier/classification.js';
import { likeliestReading } from './classifier/reading.js';
import { StatementCursor } from './classifier/statement-cursor.js';
import { KILLS } from './classifier/statement-rules.js';
import type { DeferredCommand } from './deferred-command.js';
import { failureOf } from './failure-policy.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import type { Statement, StatementAnswer } from './statement.js';

/**
 * What a server answers to a `KILL` that means a connection of this cluster which is with a borrower, and is not to the primary;
 * undefined for everything else, which goes where writes go.
 *
 * Rejects as the server does, or as a pool.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` when connections to several nodes have the number.
 */
export function killElsewhere(
  ports: SessionPorts,
  statement: Statement,
  classification: Classification,
  context: CallContext,
  command: DeferredCommand | undefined,
): Promise<StatementAnswer> | undefined {
  if (classification.because !== KILLS) return undefined;
  const number = numberIn(statement);
  if (number === undefined) return undefined;
  const nodes = ports.router.topology.nodes
    .map(({ id }) => id)
    .filter((id) => ports.node(id).pool.lends(number));
  const [node] = nodes;
  if (nodes.length > 1) throw ambiguous(number, nodes);
  if (node === undefined || node === ports.router.writer) return undefined;
  return sendTo(node, ports, statement, classification, context, command);
}

/** The number that a `KILL` names, itself or with its first value; undefined where it names something else. */
function numberIn({ form, values }: Statement): number | undefined {
  // What is sent as text has its values in it.
  const text = typeof form === 'string' ? form : form.sql;
  const at = new StatementCursor(text, likeliestReading({}), 0, text.length, false);
  at.take('kill');
  at.takeOne('hard', 'soft');
  at.takeOne('connection', 'query');
  const [first]: readonly unknown[] = Array.isArray(values) ? values : [values];
  const given = at.sign === '?' ? first : at.text;
  at.advance();
  const isNumber = at.isAtEnd && /^\d{1,15}$/.test(String(given));
  return isNumber ? Number(given) : undefined;
}

async function sendTo(
  id: NodeId,
  ports: SessionPorts,
  statement: Statement,
  classification: Classification,
  { deadline, trace }: CallContext,
  command: DeferredCommand | undefined,
): Promise<StatementAnswer> {
  const connection = await ports.node(id).acquire('read', deadline);
  let isUsable = false;
  try {
    ports.routed(statement.sql, classification, id, 'the connection with that number is there', trace);
    const answer = await workOn(ports, connection, () => answerOf(connection, statement, deadline, command));
    isUsable = true;
    return answer;
  } catch (error) {
    isUsable = failureOf(error, connection, false).meaning.connection === 'usable';
    throw error;
  } finally {
    if (isUsable) ports.release(connection);
    else ports.discard(connection);
  }
}

function ambiguous(number: number, nodes: readonly NodeId[]): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `KILL ${number} was not sent: connections to several nodes have that number now (${nodes.join(', ')}). ` +
      'Send it over a connection of your own to the node that is meant (`node` of the connection whose `threadId` it is), ' +
      'or end a statement with the `signal` or `timeoutMs` of its call, and a connection with its `destroy()`',
  );
}
