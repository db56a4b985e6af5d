/**
 * One session of a caller over changing physical connections: binds late, stays where its state is, and recovers from
 * failures as far as that is certainly right. It runs one statement at a time; who orders them is the caller's concern.
 */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { announce, answerOf, letAbandon, wasLeft, workOn } from './answer-of.js';
import { beforeSending } from './before-sending.js';
import { catchUp, mayWrite, mustCatchUp, noteAnswer, noteFailure } from './causal-reads.js';
import type { Classification } from './classifier/classification.js';
import { addTried, BORROW_LIMIT, type Bound, type Tried } from './connection-binder.js';
import { ConnectionTraces } from './connection-traces.js';
import type { DeferredCommand } from './deferred-command.js';
import { failureOf, type Remedy, remedyFor, spreadsByItself } from './failure-policy.js';
import { freshenTied } from './freshen-tied.js';
import { HeldConnection } from './held-connection.js';
import { killElsewhere } from './kill-elsewhere.js';
import { stateToLeaveWith } from './leave-replica.js';
import { leaveTrace } from './leave-trace.js';
import { lossError } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import { makeRoom, wasNotPrepared } from './prepared-room.js';
import { ReplicaTie } from './replica-tie.js';
import { castAnswer, NotSent, statusOf } from './send-statement.js';
import { afterUnknownOutcome, isAcknowledgement, lossOf, type SessionLoss } from './session-loss.js';
import { SessionMode } from './session-mode.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import {
  afterAnnouncement,
  afterStatement,
  FRESH_SESSION,
  isAnnouncement,
  isTied,
  type Need,
  needOf,
  outlivesReset,
  type SessionState,
  usesAnnouncement,
} from './session-state.js';
import { nothingDone, type Statement, type StatementAnswer } from './statement.js';
import { StatementAttempts } from './statement-attempts.js';
import { TransactionDoubt } from './transaction-doubt.js';
import { markTransaction } from './transaction-inquiry.js';
import { isGated, isPromise, passesGate, settleAnswer, waitAtGate, writerMoved } from './write-gate.js';

/** A session over the nodes of a cluster. */
export class VirtualSession {
  readonly #ports: SessionPorts;
  #state: SessionState = FRESH_SESSION;
  readonly #holder: HeldConnection;
  #loss: SessionLoss | undefined;
  readonly #traces = new ConnectionTraces();
  readonly #tie = new ReplicaTie();
  #isDestroyed = false;
  readonly #mode = new SessionMode();
  readonly #doubt = new TransactionDoubt();

  /** Makes a session that holds nothing yet; `borrower` is the place in the application that it is for. */
  constructor(ports: SessionPorts, borrower: string | undefined = ports.callSite()) {
    this.#ports = ports;
    this.#holder = new HeldConnection(ports, borrower);
  }

  /** What the session has left on its connection. */
  get state(): SessionState {
    return this.#state;
  }

  /** The connection that the session holds now. */
  get held(): PhysicalConnection | undefined {
    return this.#holder.connection;
  }

  /** What the session does not know about its transaction. */
  get doubt(): TransactionDoubt {
    return this.#doubt;
  }

  /** Whether its connection must not be lent again, as another user or another database was chosen on it. */
  get isSpoilt(): boolean {
    return this.#holder.isSpoilt;
  }

  /** What the session has lost, and every statement but a rollback is told. */
  get loss(): Error | undefined {
    return this.#loss?.error;
  }

  /**
   * Runs one statement and gives its answer, or feeds its rows to `command`.
   *
   * Rejects with the server's error as it came, with the pool's, or with `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_NO_PRIMARY`, `ERR_NO_REPLICA`,
   * `ERR_SPLIT_BRAIN`, `ERR_WRITE_REFUSED`, `ERR_OUTCOME_UNKNOWN`, `ERR_TRANSACTION_LOST`, `ERR_CONNECTION_LOST`, `ERR_UNSUPPORTED`.
   */
  async run(statement: Statement, context: CallContext, command?: DeferredCommand): Promise<StatementAnswer> {
    const ports = this.#ports;
    let mode = this.#mode.on(this.held, ports.sqlMode);
    let classification = ports.classify(statement.sql, mode);
    const { deadline, scope } = context;
    if (this.#doubt.mustAsk(classification)) await this.#inquire(deadline);
    if (context.isOwn !== true) this.#doubt.checkCaller(classification, this.#loss);
    if (this.#loss !== undefined && isAcknowledgement(this.#loss, classification)) {
      this.#loss = undefined;
      return nothingDone;
    }
    if (isAnnouncement(this.#state, classification)) {
      this.#state = afterAnnouncement(this.#state, statement, classification);
      return nothingDone;
    }
    const killed = killElsewhere(ports, statement, classification, context, command);
    if (killed !== undefined) return await killed;
    const attempts = new StatementAttempts();
    try {
      for (;;) {
        deadline.check('The statement');
        if (attempts.count > 0) ports.checkOpen();
        this.#checkPrimary();
        this.#traces.check(classification, this.held);
        if (isTied(this.#state)) this.#leaveReplica(classification);
        const gated = ports.writeGate !== undefined && isGated(classification, this.#state);
        if (gated && !passesGate(ports.writeGate, this.held?.node, isTied(this.#state))) {
          if (!isTied(this.#state)) this.giveBack();
          await waitAtGate(ports, deadline);
          continue;
        }
        const need = attempts.needOf(needOf(this.#state, classification, this.held !== undefined));
        const bound = this.#bind(need, context, attempts.tried);
        const { connection, because, waitFor } = bound instanceof Promise ? await bound : bound;
        if (this.#isDestroyed) throw new StormlampError(ErrorCode.CLOSED, 'This connection was destroyed');
        if (mode !== undefined && connection.sqlMode !== mode) {
          // Nobody has read the text as this server will.
          if (!this.#mode.isOwn) ports.modeSeen(connection);
          mode = undefined;
          classification = ports.classify(statement.sql, mode);
          continue;
        }
        if (gated && !passesGate(ports.writeGate, connection.node, isTied(this.#state))) continue;
        const promises = gated && isPromise(classification, this.#state);
        const mayBeLate =
          need.place === 'held'
            ? this.#tie.mayBeLate(ports, connection, this.#state, classification, attempts.tried)
            : (need.place === 'read' || attempts.isSecondOpinion) &&
              mustCatchUp(ports, connection.node, scope, waitFor);
        if (mayBeLate && !(await this.#catchUp(connection, need, waitFor, context, attempts.tried))) continue;
        ports.routed(statement.sql, classification, connection.node, because || need.because, context.trace);
        const outcome = await this.#send(connection, statement, classification, need, context, command);
        if ('answer' in outcome) {
          if (promises) await settleAnswer(ports, connection.node, deadline);
          return castAnswer(outcome.answer);
        }
        const { error, remedy } = outcome;
        if (this.#isDestroyed || command?.abandoned === true) throw error;
        if (remedy === 'retry-on-primary') {
          // A view of it writes, which no text shows: on the primary it is a write in every respect.
          if (classification.kind === 'read')
            classification = ports.noteWriter(statement.sql, classification);
          this.giveBack();
        }
        await attempts.next(ports, connection, need, context, outcome);
      }
    } catch (error) {
      throw attempts.told(error);
    }
  }

  /** Runs `work`, which leaves no trace on a connection that is lost: once more on another one then, but no refused login. */
  async borrow<T>(
    place: 'read' | 'primary',
    context: CallContext,
    work: (connection: PhysicalConnection) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      if (this.#loss !== undefined) throw this.#loss.error;
      this.#checkPrimary();
      const isHeld = this.held !== undefined && isTied(this.#state);
      if (isHeld) await this.#tie.unread.beginAnew(this, this.#ports, context.deadline);
      const need: Need = { place: isHeld ? 'held' : place, because: '' };
      const { connection } = await this.#bind(need, context, { nodes: undefined });
      try {
        return await workOn(this.#ports, connection, work);
      } catch (error) {
        const { connection: fate, kind } = failureOf(error, connection, false).meaning;
        if (fate !== 'lost') throw error;
        this.#lose(connection, error);
        const isFinal = isHeld || kind === 'access' || attempt > BORROW_LIMIT;
        if (isFinal || isStormlampError(error)) throw error;
      }
    }
  }

  /** Goes on in `state`: something happened to its connection that no statement shows. `loss`: what it lost by that. */
  adopt(state: SessionState, loss: SessionLoss | undefined = this.#loss): void {
    this.#state = state;
    this.#loss = loss;
  }

  /** Makes sure that the connection is closed and not lent again when the session is done with it. */
  spoil(): void {
    this.#holder.spoil();
  }

  /** Forgets all session state but `settings`: the connection goes back and is reset there. */
  clear(settings: readonly Statement[] = []): void {
    this.giveBack();
    this.begin({ ...FRESH_SESSION, settings });
  }

  /** Begins anew in `state`, on the connection that it holds, if any; `loss` is what it lost before. */
  begin(state: SessionState, loss?: SessionLoss): void {
    this.#state = state;
    this.#loss = loss;
    this.#mode.clear();
    this.#traces.clear();
    this.#tie.clear();
    this.#doubt.forget();
  }

  /** Gives the held connection back; what it was left with is reset by the pool. */
  giveBack(): void {
    const { held } = this;
    if (held !== undefined && (isTied(this.#state) || this.#state.settings.length > 0)) held.touched = true;
    this.#holder.giveBack();
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#holder.destroy();
  }

  /** Sends the statement; an answer, or what went wrong and what may be done about it. */
  async #send(
    connection: PhysicalConnection,
    statement: Statement,
    classification: Classification,
    need: Need,
    { deadline, scope, isOwn }: CallContext,
    command: DeferredCommand | undefined,
  ): Promise<{ readonly answer: StatementAnswer } | { readonly error: unknown; readonly remedy: Remedy }> {
    const node = this.#ports.node(connection.node);
    const operation = need.place === 'read' || need.place === 'any' ? 'read' : 'write';
    const ticket = node.started(operation, connection);
    const before = this.#state;
    const isMarked = this.#doubt.needsMark(before, classification);
    const endWrite = mayWrite(classification) ? scope?.causal.beginWrite() : undefined;
    if (!isTied(before) && this.#traces.wroteOn !== connection)
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
      const status = statusOf(answer);
      this.#state = afterStatement(before, classification, statement, { ok: true, status });
      noteAnswer(scope, connection, classification, [before, this.#state], answer);
      this.#noteTrace(connection, classification, answer[0]);
      this.#tie.unread.note(connection, statement, classification, [before, this.#state], scope, true);
      this.#doubt.succeeded(before, classification, this.#state, status, isMarked);
      this.#loss = this.#doubt.lossAfterSuccess(before, this.#state, connection, isOwn) ?? this.#loss;
      return { answer };
    } catch (thrown) {
      if (thrown instanceof NotSent) {
        node.finished(ticket, connection);
        return { error: thrown.error, remedy: 'pass' };
      }
      noteFailure(scope, classification, before);
      if (this.#isDestroyed || wasLeft(command)) node.finished(ticket, connection);
      else node.failed(operation, ticket, thrown, connection);
      return this.#afterFailure(connection, classification, statement, [before, isMarked], thrown, command);
    } finally {
      this.#holder.running = undefined;
      endWrite?.();
    }
  }

  /** See {@link catchUp}; a node that fails meanwhile, or is not there in time, is left for another one if it may be. */
  async #catchUp(
    connection: PhysicalConnection,
    { place }: Need,
    waitFor: Bound['waitFor'],
    context: CallContext,
    tried: Tried,
  ): Promise<boolean> {
    const isHeld = place === 'held';
    const { unread } = this.#tie;
    if (isHeld && (await unread.beginAnew(this, this.#ports, context.deadline, tried))) return false;
    try {
      if (isHeld)
        return await freshenTied(this.#ports, connection, this.#state, unread.contextOn(connection, context));
      if (await catchUp(this.#ports, connection, waitFor, context, tried)) return true;
      if (waitFor !== undefined || this.#ports.router.hasBarrier(connection.node)) tried.hasWaited = true;
      this.giveBack();
    } catch (error) {
      if (isStormlampError(error, ErrorCode.NO_REPLICA)) throw error;
      // Where the server did not answer, it may still be busy with our question.
      if (failureOf(error, connection, false).meaning.connection === 'lost') this.#lose(connection, error);
      else if (!isHeld) this.giveBack();
      if (isHeld) throw isStormlampError(error) ? error : (this.#loss?.error ?? error);
      context.deadline.check('The statement');
      if (tried.nodes?.has(connection.node) === true) throw error;
      addTried(tried, connection.node);
    }
    return false;
  }

  #afterFailure(
    connection: PhysicalConnection,
    classification: Classification,
    statement: Statement,
    [before, isMarked]: readonly [SessionState, boolean],
    error: unknown,
    command: DeferredCommand | undefined,
  ): { readonly error: unknown; readonly remedy: Remedy } {
    const spreads = spreadsByItself(classification) && this.#ports.router.isGalera(connection.node);
    const failure = failureOf(error, connection, command?.delivered === true, spreads);
    const { meaning, errno, interrupted } = failure;
    if (interrupted) this.#ports.cancel(connection, statement.sql);
    const remedy = remedyFor(classification, before, failure);
    if (meaning.connection === 'lost') {
      this.#lose(connection, error);
      const told = lossError(remedy, connection.node, classification, error, this.#loss?.error);
      if (remedy === 'outcome-unknown') this.#loss = afterUnknownOutcome(this.#loss, classification, told);
      return { error: told, remedy };
    }
    this.#state = afterStatement(before, classification, statement, { ok: false, errno });
    this.#noteTrace(connection, classification);
    this.#tie.unread.note(connection, statement, classification, [before, this.#state], undefined, false);
    this.#doubt.failed(before, classification, this.#state, error, errno, isMarked);
    this.#loss = this.#doubt.lossAfter(before, this.#state, connection, error) ?? this.#loss;
    if (makeRoom(connection, before, error) && wasNotPrepared(statement, classification))
      return { error, remedy: 'prepare-again' };
    return { error: lossError(remedy, connection.node, classification, error, undefined), remedy };
  }

  /** Asks the server whether a transaction is open, and which. */
  async #inquire(deadline: Deadline): Promise<void> {
    const connection = this.held;
    if (connection === undefined) return;
    if (connection.lost !== undefined) return this.#lose(connection, connection.lost);
    try {
      const { state, loss } = await this.#doubt.ask(this.#ports, connection, this.#state, deadline);
      this.#state = state;
      this.#loss = loss ?? this.#loss;
    } catch (error) {
      this.#lose(connection, error);
      throw this.#loss?.error ?? error;
    }
  }

  #bind(need: Need, context: CallContext, tried: Tried): Bound | Promise<Bound> {
    const held = this.held;
    if (held !== undefined) {
      if (held.lost !== undefined) this.#lose(held, held.lost);
      else if (this.#holder.satisfies(need, context, tried)) return { connection: held, because: '' };
      else this.giveBack();
      if (this.#loss !== undefined) throw this.#loss.error;
    }
    return this.#holder.take(need, this.#state.settings, context, tried);
  }

  /** A transaction on a server that is no longer the primary can only do harm. */
  #checkPrimary(): void {
    const { held } = this;
    const movedTo = this.#tie.primaryAfter(held, this.#state, this.#ports.router.writer);
    if (held === undefined || movedTo === undefined) return;
    this.#lose(held, writerMoved(movedTo, this.#ports.writeGate !== undefined));
    if (this.#loss !== undefined) throw this.#loss.error;
  }

  /** Leaves the replica of a read-only transaction, as nothing else ties what did not write, or throws where it cannot. */
  #leaveReplica(classification: Classification): void {
    const { writer } = this.#ports.router;
    const wasLeft = this.#tie.isOn(this.held, this.#state, writer);
    const state = stateToLeaveWith(this.#state, classification, this.held, wasLeft, writer);
    if (state === undefined) return;
    this.giveBack();
    this.#state = state;
  }

  #noteTrace(connection: PhysicalConnection, classification: Classification, answer?: unknown): void {
    leaveTrace(connection, classification, this.#state, answer);
    this.#mode.note(connection, classification, answer);
    if (outlivesReset(classification)) this.#holder.spoil();
    this.#traces.note(connection, classification, this.#state);
  }

  /** The connection is gone, and with it what the session had there. */
  #lose(connection: PhysicalConnection, error: unknown): void {
    const { wrote, settings, announced } = this.#state;
    this.#holder.discard(connection);
    this.#loss = lossOf(this.#state, connection.node, error, this.#doubt) ?? this.#loss;
    this.#doubt.forget();
    this.#state = { ...FRESH_SESSION, wrote, settings, announced };
    if (!isStormlampError(error, ErrorCode.ABORTED)) void this.#ports.refresh(connection.node);
  }
}
