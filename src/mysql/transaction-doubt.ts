/** What a session cannot know about its transaction from texts and answers alone, and when the server must be asked. */
import type { Deadline } from '../common/deadline.js';
import type { Classification } from './classifier/classification.js';
import { asksAboutConnection, hasCommitted, mayCommit } from './failure-policy.js';
import type { PhysicalConnection } from './physical-connection.js';
import { type SessionLoss, transactionLoss } from './session-loss.js';
import type { SessionPorts } from './session-ports.js';
import { leavesDoubt, mayChangeTransaction, type SessionState } from './session-state.js';
import { askedTooLate, endedInside, endRefused, refuseEnd } from './transaction-end.js';
import { inquire } from './transaction-inquiry.js';

/** What the server is to be asked about. */
interface Question {
  /** The statement after which it is not known. */
  readonly classification: Classification;
  /** Whether a transaction was open before it. */
  readonly wasOpen: boolean;
  /** Whether that transaction was marked, so that it can be told from another one. */
  readonly isMarked: boolean;
  /** What the statement failed with; undefined when it did not. */
  readonly error: unknown;
  /** Whether the server has said that some transaction is open after it. */
  readonly isOpen: boolean;
}

/** The doubts about the transaction of one session. */
export class TransactionDoubt {
  #isStrict = false;
  #hasCommitted = false;
  #question: Question | undefined;
  /** Whether a statement that failed may have committed what the open transaction did before. */
  #isTainted = false;
  /** Why our next rollback is one that the caller did not ask for. */
  #doom: Error | undefined;

  /** Whether a statement has committed a read-write transaction of this session, or may have. */
  get hasCommitted(): boolean {
    return (
      this.#hasCommitted || (this.#question?.wasOpen === true && mayCommit(this.#question.classification))
    );
  }

  /**
   * From now on, a transaction that ended without us is a loss, and is told from one that a procedure began in its place; and
   * the caller cannot end it.
   */
  beStrict(): void {
    this.#isStrict = true;
  }

  /**
   * Whether the caller of a strict session may send this statement.
   *
   * @throws the error of `loss`, and StormlampError `ERR_UNSUPPORTED` when the statement would end the transaction, or asks about
   * the one before and something of ours has to come between.
   */
  checkCaller(state: SessionState, classification: Classification, loss: SessionLoss | undefined): void {
    if (!this.#isStrict) return;
    // To roll back by a statement would go on outside the transaction.
    if (loss !== undefined) throw loss.error;
    refuseEnd(classification);
    // The mark would be the statement before; how many rows were found it leaves as it is.
    if (classification.asksOutcome === true && this.needsMark(state, classification))
      throw askedTooLate(classification);
  }

  /**
   * Whether the caller may begin the session anew by `method`.
   *
   * @throws StormlampError `ERR_UNSUPPORTED` when the session is strict.
   */
  checkReset(method: string): void {
    if (this.#isStrict) throw endRefused(`\`${method}\``);
  }

  /** Whether the transaction has to be marked before this statement. */
  needsMark(state: SessionState, classification: Classification): boolean {
    if (!this.#isStrict || state.transaction === 'none') return false;
    // To take the mark away is to take away the savepoints that were set after it.
    return classification.transaction !== 'savepoint' && mayChangeTransaction(classification);
  }

  /**
   * Whether the server must be asked before a statement of a session in `state`: not when that does the same whether a transaction
   * is open or not, or looks at what the one before it left. Then it is asked after that.
   *
   * @throws StormlampError `ERR_UNSUPPORTED` when it looks at that, and may not be sent before the server was asked.
   */
  mustAsk(state: SessionState, classification: Classification): boolean {
    const question = this.#question;
    if (question === undefined || asksAboutConnection(classification)) return false;
    const { transaction, kind, asksBefore } = classification;
    if (transaction === 'rollback' || (transaction === 'commit' && !this.#isStrict)) return false;
    // A write inside a read-only transaction is refused anyhow, and outside of it must not be sent to a replica.
    if (asksBefore !== true || (state.transaction === 'read-only' && kind !== 'session')) return true;
    // In another transaction it is undone with that; in none it would stay.
    if (!this.#isStrict || question.isOpen || kind === 'session') return false;
    throw askedTooLate(classification);
  }

  /** Notes a statement that succeeded; `status` are the bits of its answer. */
  succeeded(
    before: SessionState,
    classification: Classification,
    after: SessionState,
    status: number | undefined,
    isMarked: boolean,
  ): void {
    if (hasCommitted(before, classification, after)) this.#hasCommitted = true;
    if (this.#question !== undefined && isAnsweredFirst(classification)) {
      this.#answeredFirst(this.#question, after, status);
      return;
    }
    if (after.transaction === 'none' || classification.transaction !== undefined) this.#isTainted = false;
    if (isMarked && after.transaction !== 'none') {
      const isOpen = status !== undefined;
      this.#question = { classification, wasOpen: true, isMarked, error: undefined, isOpen };
    } else if (status !== undefined) this.#question = undefined;
  }

  /** Notes a statement that was sent before the server was asked `question`, which its answer may settle. */
  #answeredFirst(question: Question, after: SessionState, status: number | undefined): void {
    if (status === undefined) return;
    const isOver = after.transaction === 'none';
    // Which transaction is open, only its mark tells.
    if (!isOver && question.isMarked) return;
    if (isOver && question.wasOpen && hidesCommit(question.classification)) this.#hasCommitted = true;
    this.#question = undefined;
  }

  /** Notes a statement that failed with `error`, whose number is `errno`, on a connection that is still there. */
  failed(
    before: SessionState,
    classification: Classification,
    after: SessionState,
    error: unknown,
    errno: number | undefined,
    isMarked: boolean,
  ): void {
    const isKnown = after.transaction === 'none' && before.transaction !== 'none';
    if (isKnown && !hidesCommit(classification)) {
      this.#hasCommitted = this.hasCommitted;
      this.#question = undefined;
      return;
    }
    // What is open about a statement before is asked still, and tells this as well.
    if (this.#question?.isMarked === true && !isMarked) return;
    if (!leavesDoubt(before, classification, errno)) return;
    const wasOpen = before.transaction !== 'none';
    this.#question = { classification, wasOpen, isMarked, error, isOpen: false };
    if (wasOpen && hidesCommit(classification)) this.#isTainted = true;
  }

  /** From now on, our own end of the open transaction is a loss to the caller, because of `cause`. */
  doom(cause: Error): void {
    this.#doom = cause;
  }

  /** {@link lossAfter} for a statement that succeeded: one of ours ends the transaction as it should, unless that was doomed. */
  lossAfterSuccess(
    before: SessionState,
    after: SessionState,
    connection: PhysicalConnection,
    isOwn: boolean | undefined,
  ): SessionLoss | undefined {
    if (isOwn === true && this.#doom === undefined) return undefined;
    const loss = this.lossAfter(before, after, connection, this.#doom);
    if (loss !== undefined) this.#doom = undefined;
    return loss;
  }

  /**
   * What is lost when the server has ended the transaction on `connection`, with `error` or in a statement that succeeded;
   * undefined when that is no loss to the session.
   */
  lossAfter(
    before: SessionState,
    after: SessionState,
    connection: PhysicalConnection,
    error?: unknown,
  ): SessionLoss | undefined {
    if (!this.#isStrict || before.transaction === 'none' || after.transaction !== 'none') return undefined;
    return transactionLoss(connection.node, error ?? endedInside(), this.mayHaveCommitted);
  }

  /** Whether a part of the open transaction may have been committed. */
  get mayHaveCommitted(): boolean {
    return this.#isTainted || (this.#isStrict && this.hasCommitted);
  }

  /** Whether a text that failed may have begun a transaction, or switched autocommit off, that nobody knows of. */
  get mayHaveBegun(): boolean {
    const question = this.#question;
    if (question?.error === undefined || question.wasOpen) return false;
    const { transaction } = question.classification;
    return transaction?.startsWith('begin') === true || transaction === 'autocommit-off';
  }

  /** Asks the server; the state as it sees it, and what the session has lost. Rejects as `inquire` does. */
  async ask(
    ports: SessionPorts,
    connection: PhysicalConnection,
    before: SessionState,
    deadline: Deadline,
  ): Promise<{ readonly state: SessionState; readonly loss: SessionLoss | undefined }> {
    const question = this.#question;
    if (question === undefined) return { state: before, loss: undefined };
    const { classification, isMarked, wasOpen, error } = question;
    const { state, hasEnded } = await inquire(ports, connection, before, isMarked, deadline);
    this.#question = undefined;
    if (!wasOpen) return { state, loss: undefined };
    if (!hasEnded) {
      if (isMarked || !mayChangeTransaction(classification)) this.#isTainted = false;
      else this.#hasCommitted ||= hidesCommit(classification);
      return { state, loss: undefined };
    }
    if (hidesCommit(classification)) this.#hasCommitted = true;
    const loss = this.#isStrict
      ? transactionLoss(connection.node, error ?? endedInside(), this.mayHaveCommitted)
      : undefined;
    if (state.transaction === 'none') this.#isTainted = false;
    return { state, loss };
  }

  /** The session begins anew, or its connection is gone. */
  forget(): void {
    this.#hasCommitted = this.hasCommitted;
    this.#question = undefined;
    this.#isTainted = false;
    this.#doom = undefined;
  }
}

/** Whether a statement was sent although the server was to be asked before. */
function isAnsweredFirst(classification: Classification): boolean {
  return classification.asksBefore === true || asksAboutConnection(classification);
}

/** Whether a statement may have committed although it failed: a COMMIT that failed has not. */
function hidesCommit(classification: Classification): boolean {
  if (!classification.implicitCommit && !mayChangeTransaction(classification)) return false;
  return mayCommit(classification);
}
