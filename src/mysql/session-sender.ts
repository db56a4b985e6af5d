/** Sends the statements of one session over the connection that it holds, and notes what became of each, and of the connection. */
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { announce, answerOf, letAbandon, wasLeft } from './answer-of.js';
import { beforeSending } from './before-sending.js';
import { mayWrite, noteFailure } from './causal-reads.js';
import type { Classification } from './classifier/classification.js';
import type { DeferredCommand } from './deferred-command.js';
import { failureOf, type Remedy, remedyFor, spreadsByItself } from './failure-policy.js';
import type { HeldConnection } from './held-connection.js';
import { lossError } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import { makeRoom, wasNotPrepared } from './prepared-room.js';
import { asPrimaryRefuses } from './read-only-refusal.js';
import { NotSent } from './send-statement.js';
import { afterUnknownOutcome } from './session-loss.js';
import type { SentStatement, SessionMemory } from './session-memory.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import { isTied, type Need, outlivesReset, usesAnnouncement } from './session-state.js';
import type { Statement, StatementAnswer } from './statement.js';
import { markTransaction } from './transaction-inquiry.js';

/** What became of a statement that failed, and what may be done about it. */
export interface FailedStatement {
  /** What its caller is told if nothing is done. */
  readonly error: unknown;
  /** What may be done. */
  readonly remedy: Remedy;
}

/** The way of one session's statements to the servers. */
export class SessionSender {
  readonly #ports: SessionPorts;
  readonly #holder: HeldConnection;
  readonly #memory: SessionMemory;

  /** Sends over what `holder` holds, and notes it in `memory`. */
  constructor(ports: SessionPorts, holder: HeldConnection, memory: SessionMemory) {
    this.#ports = ports;
    this.#holder = holder;
    this.#memory = memory;
  }

  /** Sends the statement; an answer, or what went wrong and what may be done about it. */
  async send(
    connection: PhysicalConnection,
    statement: Statement,
    classification: Classification,
    need: Need,
    { deadline, scope, isOwn }: CallContext,
    command: DeferredCommand | undefined,
  ): Promise<{ readonly answer: StatementAnswer } | FailedStatement> {
    const memory = this.#memory;
    const node = this.#ports.node(connection.node);
    const operation = need.place === 'read' || need.place === 'any' ? 'read' : 'write';
    const ticket = node.started(operation, connection);
    const before = memory.state;
    const isMarked = memory.doubt.needsMark(before, classification);
    const sent: SentStatement = { connection, statement, classification, before, isMarked, isOwn };
    const endWrite = mayWrite(classification) ? scope?.causal.beginWrite() : undefined;
    if (!isTied(before) && memory.traces.wroteOn !== connection)
      letAbandon(this.#ports, connection, statement, command);
    this.#holder.running = statement.sql;
    try {
      if (before.announced.length > 0 && usesAnnouncement(classification)) {
        await announce(connection, before, deadline);
      }
      const ready = beforeSending(connection, statement, deadline);
      if (ready !== undefined) await ready;
      if (isMarked) await markTransaction(connection, deadline);
      const answer = await answerOf(connection, statement, deadline, command);
      node.finished(ticket, connection);
      memory.answered(sent, answer, scope);
      if (outlivesReset(classification)) this.#holder.spoil();
      return { answer };
    } catch (thrown) {
      if (thrown instanceof NotSent) {
        node.finished(ticket, connection);
        return { error: thrown.error, remedy: 'pass' };
      }
      noteFailure(scope, classification, before);
      if (this.#holder.isDestroyed || wasLeft(command)) node.finished(ticket, connection);
      else node.failed(operation, ticket, thrown, connection);
      return this.#afterFailure(sent, thrown, command);
    } finally {
      this.#holder.running = undefined;
      endWrite?.();
    }
  }

  /** The connection is gone, and with it what the session had there. */
  lose(connection: PhysicalConnection, error: unknown): void {
    this.#holder.discard(connection);
    this.#memory.lost(connection, error);
    if (!isStormlampError(error, ErrorCode.ABORTED)) void this.#ports.refresh(connection.node);
  }

  #afterFailure(sent: SentStatement, thrown: unknown, command: DeferredCommand | undefined): FailedStatement {
    const { connection, statement, classification, before } = sent;
    const error = asPrimaryRefuses(thrown, before, classification, connection.flavor);
    const memory = this.#memory;
    const spreads = spreadsByItself(classification) && this.#ports.router.isGalera(connection.node);
    const failure = failureOf(error, connection, command?.delivered === true, spreads);
    const { meaning, errno, interrupted } = failure;
    if (interrupted) this.#ports.cancel(connection, statement.sql);
    const remedy = remedyFor(classification, before, failure);
    if (meaning.connection === 'lost') {
      this.lose(connection, error);
      const told = lossError(remedy, connection.node, classification, error, memory.loss?.error);
      if (remedy === 'outcome-unknown')
        memory.adopt(memory.state, afterUnknownOutcome(memory.loss, classification, told));
      return { error: told, remedy };
    }
    memory.refused(sent, error, errno);
    if (outlivesReset(classification)) this.#holder.spoil();
    if (makeRoom(connection, before, error) && wasNotPrepared(statement, classification))
      return { error, remedy: 'prepare-again' };
    return { error: lossError(remedy, connection.node, classification, error, undefined), remedy };
  }
}
