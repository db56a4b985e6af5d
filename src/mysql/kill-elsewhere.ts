/** `KILL` with the number of a session, which is one of a single server: it is sent to the one that is meant. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { answerOf } from './answer-of.js';
import { beside } from './beside.js';
import type { Classification } from './classifier/classification.js';
import { likeliestReading } from './classifier/reading.js';
import { StatementCursor } from './classifier/statement-cursor.js';
import { KILLS } from './classifier/statement-rules.js';
import type { DeferredCommand } from './deferred-command.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import { nothingDone, readStatement, type Statement, type StatementAnswer } from './statement.js';

/** What a `KILL` says. */
interface Kill {
  /** The number that it names. */
  readonly number: number;
  /** What stands before the number. */
  readonly words: readonly string[];
}

/** The server that a `KILL` is for. */
interface Target {
  readonly node: NodeId;
  /** The connection that is meant, when it is that of a session which may move on. */
  readonly connection?: PhysicalConnection;
  /** Whether it is still the one that is meant. */
  isStill(): boolean;
}

/**
 * What a server answers to a `KILL` that means a session of this cluster, and is not one of the primary; undefined for everything
 * else, which goes where writes go.
 *
 * A number that a caller was told (`threadId`, `CONNECTION_ID()`) stands for the session that was told it, also after that moved
 * to another server. Any other number is one of the primary, whose sessions `SHOW PROCESSLIST` lists.
 *
 * Rejects as the server does, or as a pool.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` when the number is that of several sessions.
 */
export function killElsewhere(
  ports: SessionPorts,
  statement: Statement,
  classification: Classification,
  context: CallContext,
  command: DeferredCommand | undefined,
): Promise<StatementAnswer> | undefined {
  if (classification.because !== KILLS) return undefined;
  const kill = readKill(statement);
  if (kill === undefined) return undefined;
  const { number, words } = kill;
  const target = targetOf(ports, number);
  if (target === 'nothing') return Promise.resolve(nothingDone);
  if (target === undefined) return undefined;
  const threadId = target.connection?.threadId ?? number;
  if (target.node === ports.router.writer && threadId === number) return undefined;
  const sent =
    threadId === number ? statement : readStatement('query', [...words, threadId].join(' '), undefined);
  return sendTo(target, ports, sent, classification, context, command);
}

/** What a `KILL` says that names a session by its number, itself or with its first value; undefined for every other one. */
function readKill({ form, values }: Statement): Kill | undefined {
  // What is sent as text has its values in it.
  const text = typeof form === 'string' ? form : form.sql;
  const at = new StatementCursor(text, likeliestReading({}), 0, text.length, false);
  const words = [at.takeOne('kill'), at.takeOne('hard', 'soft'), at.takeOne('connection', 'query')].filter(
    (word) => word !== undefined,
  );
  const [first]: readonly unknown[] = Array.isArray(values) ? values : [values];
  const given = at.sign === '?' ? first : at.text;
  at.advance();
  const isNumber = at.isAtEnd && /^\d{1,15}$/.test(String(given));
  return isNumber ? { number: Number(given), words } : undefined;
}

/** Whom a number means; undefined when nothing here tells, `nothing` when that session holds no connection now. */
function targetOf(ports: SessionPorts, number: number): Target | 'nothing' | undefined {
  const { numbers } = ports;
  const sessions = numbers.sessionsTold(number);
  const [session] = sessions;
  if (sessions.length > 1)
    throw ambiguous(
      number,
      sessions.map(({ held }) => held?.node ?? 'none'),
    );
  if (session !== undefined) {
    const connection = session.held;
    if (connection === undefined || connection.lost !== undefined) return 'nothing';
    return { node: connection.node, connection, isStill: () => session.held === connection };
  }
  // Of a session that is over. Any other number was read from a list of the primary, whoever has it elsewhere.
  const node = numbers.lastNode(number);
  const isKnown = node !== undefined && ports.router.topology.nodes.some(({ id }) => id === node);
  return isKnown ? { node, isStill: () => true } : undefined;
}

async function sendTo(
  { node, isStill }: Target,
  ports: SessionPorts,
  statement: Statement,
  classification: Classification,
  { deadline, trace }: CallContext,
  command: DeferredCommand | undefined,
): Promise<StatementAnswer> {
  return await beside(ports, node, deadline, async (connection) => {
    if (!isStill()) return nothingDone;
    ports.routed(statement.sql, classification, node, 'the session with that number is there', trace);
    return await answerOf(connection, statement, deadline, command);
  });
}

function ambiguous(number: number, nodes: readonly string[]): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `KILL ${number} was not sent: several connections have that number now (on ${nodes.join(', ')}). ` +
      'Send it over a connection of your own to the node that is meant (`node` of the connection whose `threadId` it is), ' +
      'or end a statement with the `signal` or `timeoutMs` of its call, and a connection with its `destroy()`',
  );
}
