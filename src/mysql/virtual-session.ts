/**
 * One session of a caller over changing physical connections: binds late, stays where its state is, and recovers from
 * failures as far as that is certainly right. It runs one statement at a time; who orders them is the caller's concern.
 */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { workOn } from './answer-of.js';
import { isLastId } from './ask-last-id.js';
import { catchUpOrMove } from './catch-up-or-move.js';
import { mustCatchUp } from './causal-reads.js';
import { inChosenSchema } from './chosen-schema.js';
import type { Classification } from './classifier/classification.js';
import { BORROW_LIMIT, type Bound, type Tried } from './connection-binder.js';
import type { ClaimedId } from './connection-traces.js';
import type { DeferredCommand } from './deferred-command.js';
import { failureOf } from './failure-policy.js';
import { HeldConnection } from './held-connection.js';
import { killElsewhere } from './kill-elsewhere.js';
import { isLeftInVain, stateToLeaveWith } from './leave-replica.js';
import { leftInVain } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import { castAnswer } from './send-statement.js';
import { isAcknowledgement, type SessionLoss } from './session-loss.js';
import { SessionMemory } from './session-memory.js';
import type { CallContext, SessionPorts } from './session-ports.js';
import { SessionSender } from './session-sender.js';
import {
  afterAnnouncement,
  FRESH_SESSION,
  isAnnouncement,
  isTied,
  type Need,
  needOf,
  type SessionState,
} from './session-state.js';
import { nothingDone, type Statement, type StatementAnswer } from './statement.js';
import { StatementAttempts } from './statement-attempts.js';
import type { TransactionDoubt } from './transaction-doubt.js';
import { isGated, isPromise, passesGate, settleAnswer, waitAtGate, writerMoved } from './write-gate.js';

/** A session over the nodes of a cluster. */
export class VirtualSession {
  readonly #ports: SessionPorts;
  readonly #holder: HeldConnection;
  readonly #memory = new SessionMemory();
  readonly #sender: SessionSender;

  /** Makes a session that holds nothing yet; `borrower` is the place in the application that it is for. */
  constructor(ports: SessionPorts, borrower: string | undefined = ports.callSite()) {
    this.#ports = ports;
    this.#holder = new HeldConnection(ports, borrower);
    this.#sender = new SessionSender(ports, this.#holder, this.#memory);
  }

  /** What the session has left on its connection. */
  get state(): SessionState {
    return this.#memory.state;
  }

  /** The connection that the session holds now. */
  get held(): PhysicalConnection | undefined {
    return this.#holder.connection;
  }

  /** What the session does not know about its transaction. */
  get doubt(): TransactionDoubt {
    return this.#memory.doubt;
  }

  /** Whether its connection must not be lent again, as another user or another database was chosen on it. */
  get isSpoilt(): boolean {
    return this.#holder.isSpoilt;
  }

  /** What the session has lost, and every statement but a rollback is told. */
  get loss(): Error | undefined {
    return this.#memory.loss?.error;
  }

  /**
   * Runs one statement and gives its answer, or feeds its rows to `command`.
   *
   * Rejects with the server's error as it came, with the pool's, or with `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_NO_PRIMARY`, `ERR_NO_REPLICA`,
   * `ERR_SPLIT_BRAIN`, `ERR_WRITE_REFUSED`, `ERR_OUTCOME_UNKNOWN`, `ERR_TRANSACTION_LOST`, `ERR_CONNECTION_LOST`, `ERR_UNSUPPORTED`.
   */
  async run(statement: Statement, context: CallContext, command?: DeferredCommand): Promise<StatementAnswer> {
    const ports = this.#ports;
    const memory = this.#memory;
    let mode = memory.mode.on(this.held, ports.sqlMode);
    const read = (): Classification =>
      inChosenSchema(ports, memory.state, ports.classify(statement.sql, mode));
    let classification = read();
    const { deadline, scope } = context;
    if (memory.doubt.mustAsk(memory.state, classification)) await this.#inquire(deadline);
    if (context.isOwn !== true) memory.doubt.checkCaller(memory.state, classification, memory.loss);
    if (memory.loss !== undefined && isAcknowledgement(memory.loss, classification)) {
      memory.adopt(memory.state, memory.loss.besides);
      return nothingDone;
    }
    if (isAnnouncement(memory.state, classification)) {
      this.adopt(afterAnnouncement(memory.state, statement, classification));
      return nothingDone;
    }
    const killed = killElsewhere(ports, statement, classification, context, command);
    if (killed !== undefined) return await killed;
    const attempts = new StatementAttempts();
    let left: PhysicalConnection | undefined;
    try {
      for (;;) {
        deadline.check('The statement');
        if (attempts.count > 0) ports.checkOpen();
        this.#checkPrimary();
        const claimed = memory.traces.claimed(classification, this.held);
        if (claimed !== undefined) await this.#settleId(claimed, deadline);
        memory.traces.check(classification, this.held);
        if (isTied(memory.state)) left ??= this.#leaveReplica(classification);
        const gated = ports.writeGate !== undefined && isGated(classification, memory.state);
        if (gated && !passesGate(ports.writeGate, this.held?.node, isTied(memory.state))) {
          if (!isTied(memory.state)) this.giveBack();
          await waitAtGate(ports, deadline);
          continue;
        }
        const need = attempts.needOf(needOf(memory.state, classification, this.held !== undefined));
        const bound = this.#bind(need, context, attempts.tried, classification);
        const { connection, because, waitFor } = bound instanceof Promise ? await bound : bound;
        if (this.#holder.isDestroyed)
          throw new StormlampError(ErrorCode.CLOSED, 'This connection was destroyed');
        if (mode !== undefined && connection.sqlMode !== mode) {
          // Nobody has read the text as this server will.
          if (!memory.mode.isOwn) ports.modeSeen(connection);
          mode = undefined;
          classification = read();
          continue;
        }
        if (gated && !passesGate(ports.writeGate, connection.node, isTied(memory.state))) continue;
        const promises = gated && isPromise(classification, memory.state);
        const mayBeLate =
          need.place === 'held'
            ? memory.tie.mayBeLate(ports, connection, memory.state, classification, attempts.tried)
            : (need.place === 'read' || attempts.isSecondOpinion) &&
              mustCatchUp(ports, connection.node, scope, waitFor);
        if (
          mayBeLate &&
          !(await catchUpOrMove(
            { session: this, ports, memory, sender: this.#sender },
            connection,
            classification,
            need,
            waitFor,
            context,
            attempts.tried,
          ))
        )
          continue;
        ports.routed(statement.sql, classification, connection.node, because || need.because, context.trace);
        const outcome = await this.#sender.send(
          connection,
          statement,
          classification,
          need,
          context,
          command,
        );
        if ('answer' in outcome) {
          left = undefined;
          if (classification.tellsNumber === true && this.held === connection)
            ports.numbers.tell(this, connection);
          if (promises) await settleAnswer(ports, connection.node, deadline);
          return castAnswer(outcome.answer);
        }
        const { error, remedy } = outcome;
        if (this.#holder.isDestroyed || command?.abandoned === true) throw error;
        if (remedy === 'retry-on-primary') {
          // A view of it writes, which no text shows: on the primary it is a write in every respect.
          if (classification.kind === 'read')
            classification = ports.noteWriter(statement.sql, classification);
          this.giveBack();
        }
        await attempts.next(ports, connection, need, context, outcome);
      }
    } catch (error) {
      const told = attempts.told(error);
      if (left !== undefined && isLeftInVain(statement.mode, classification, told))
        this.#leftInVain(left, told);
      throw told;
    }
  }

  /** Runs `work`, which leaves no trace on a connection that is lost: once more on another one then, but no refused login. */
  async borrow<T>(
    place: 'any' | 'primary',
    context: CallContext,
    work: (connection: PhysicalConnection) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      if (this.loss !== undefined) throw this.loss;
      this.#checkPrimary();
      const isHeld = this.held !== undefined && isTied(this.state);
      if (isHeld) await this.#memory.tie.unread.beginAnew(this, this.#ports, context.deadline);
      // A lost connection of a session that wrote is replaced where the next statement goes.
      const isReplaced = this.held === undefined && this.state.wrote;
      const need: Need = { place: isHeld ? 'held' : isReplaced ? 'primary' : place, because: '' };
      const { connection } = await this.#bind(need, context, { nodes: undefined });
      try {
        return await workOn(this.#ports, connection, work);
      } catch (error) {
        const { connection: fate, kind } = failureOf(error, connection, false).meaning;
        if (fate !== 'lost') throw error;
        this.#sender.lose(connection, error);
        const isFinal = isHeld || kind === 'access' || attempt > BORROW_LIMIT;
        if (isFinal || isStormlampError(error)) throw error;
      }
    }
  }

  /** Goes on in `state`: something happened to its connection that no statement shows. `loss`: what it lost by that. */
  adopt(state: SessionState, loss: SessionLoss | undefined = this.#memory.loss): void {
    this.#memory.adopt(state, loss);
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
    this.#memory.begin(state, loss);
  }

  /** Gives the held connection back; what it was left with is reset by the pool. */
  giveBack(): void {
    const { held } = this;
    if (held !== undefined && (isTied(this.state) || this.state.settings.length > 0)) held.touched = true;
    this.#memory.traces.leave();
    this.#holder.giveBack();
  }

  /** Gives the held connection back for good: the session is over. */
  end(): void {
    this.giveBack();
    this.#ports.numbers.end(this);
  }

  destroy(): void {
    this.#holder.destroy();
    this.#ports.numbers.end(this);
  }

  /** Asks the server whether a transaction is open, and which. */
  async #inquire(deadline: Deadline): Promise<void> {
    const connection = this.held;
    if (connection === undefined) return;
    if (connection.lost !== undefined) return this.#sender.lose(connection, connection.lost);
    try {
      const { state, loss } = await this.#memory.doubt.ask(this.#ports, connection, this.state, deadline);
      this.adopt(state, loss);
    } catch (error) {
      this.#sender.lose(connection, error);
      throw this.loss ?? error;
    }
  }

  /** Asks the server for the id of the last insert, where a statement asks for it and the answer to that did not tell. */
  async #settleId(claimed: ClaimedId, deadline: Deadline): Promise<void> {
    const { on } = claimed.stay;
    try {
      const isRight = await isLastId(this.#ports, on, claimed.id, deadline);
      this.#memory.traces.settle(claimed, isRight);
    } catch (error) {
      this.#sender.lose(on, error);
      throw this.loss ?? error;
    }
  }

  #bind(
    need: Need,
    context: CallContext,
    tried: Tried,
    classification?: Classification,
  ): Bound | Promise<Bound> {
    const held = this.held;
    if (held !== undefined) {
      if (held.lost !== undefined) this.#sender.lose(held, held.lost);
      else if (this.#holder.satisfies(need, context, tried)) return { connection: held, because: '' };
      else {
        if (classification !== undefined) this.#memory.traces.checkMove(classification, held);
        this.giveBack();
      }
      if (this.loss !== undefined) throw this.loss;
    }
    return this.#holder.take(need, this.state.settings, context, tried);
  }

  /** A transaction on a server that is no longer the primary can only do harm. */
  #checkPrimary(): void {
    const { held } = this;
    const movedTo = this.#memory.tie.primaryAfter(held, this.state, this.#ports.router.writer);
    if (held === undefined || movedTo === undefined) return;
    this.#sender.lose(held, writerMoved(movedTo, this.#ports.writeGate !== undefined));
    if (this.loss !== undefined) throw this.loss;
  }

  /**
   * Leaves the replica of a read-only transaction, as nothing else ties what did not write, or throws where it cannot. The connection
   * of such a transaction that is left before the statement has ended it.
   */
  #leaveReplica(classification: Classification): PhysicalConnection | undefined {
    const { writer } = this.#ports.router;
    const wasLeft = this.#memory.tie.isOn(this.held, this.state, writer);
    const state = stateToLeaveWith(this.state, classification, this.held, wasLeft, writer);
    const { held } = this;
    if (state === undefined) return undefined;
    if (held !== undefined) this.#memory.traces.checkMove(classification, held);
    const isInside = this.state.transaction !== 'none';
    this.giveBack();
    this.adopt(state);
    return isInside ? held : undefined;
  }

  /** What a transaction was left for did not end it: what follows must not silently be outside of it. */
  #leftInVain(left: PhysicalConnection, error: unknown): void {
    const { held } = this;
    // What a failed text may have begun there is of no use any more.
    if (held !== undefined) held.touched = true;
    this.giveBack();
    this.#memory.lost(left, error);
    this.adopt(this.state, { what: 'transaction', error: leftInVain(left.node, error) });
  }
}
