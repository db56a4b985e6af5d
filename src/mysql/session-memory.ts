/** What one session knows of itself: its state on the server, what it lost, and what its statements left where. */
import { noteAnswer } from './causal-reads.js';
import type { Classification } from './classifier/classification.js';
import { ConnectionTraces } from './connection-traces.js';
import { leaveTrace } from './leave-trace.js';
import type { PhysicalConnection } from './physical-connection.js';
import { ReplicaTie } from './replica-tie.js';
import type { ActiveScope } from './scope.js';
import { statusOf } from './send-statement.js';
import { tellsOfChange } from './session-changes.js';
import { lossOf, type SessionLoss } from './session-loss.js';
import { SessionMode } from './session-mode.js';
import { afterStatement, FRESH_SESSION, type SessionState } from './session-state.js';
import type { Statement, StatementAnswer } from './statement.js';
import { TransactionDoubt } from './transaction-doubt.js';

/** A statement on its way, with what the session was before it. */
export interface SentStatement {
  /** Where it was sent. */
  readonly connection: PhysicalConnection;
  /** The statement. */
  readonly statement: Statement;
  /** What it does. */
  readonly classification: Classification;
  /** The session before it. */
  readonly before: SessionState;
  /** Whether the transaction was marked before it, see `TransactionDoubt`. */
  readonly isMarked: boolean;
  /** Whether it is one of ours, and not of the caller. */
  readonly isOwn: boolean | undefined;
}

/** The memory of one session. */
export class SessionMemory {
  #state: SessionState = FRESH_SESSION;
  #loss: SessionLoss | undefined;
  /** How the server reads its texts. */
  readonly mode: SessionMode = new SessionMode();
  /** Which connections have what no other one has. */
  readonly traces: ConnectionTraces = new ConnectionTraces();
  /** What ties it to a server that is not the primary. */
  readonly tie: ReplicaTie = new ReplicaTie();
  /** What it does not know about its transaction. */
  readonly doubt: TransactionDoubt = new TransactionDoubt();

  /** What the session has left on its connection. */
  get state(): SessionState {
    return this.#state;
  }

  /** What it has lost, and every statement but a rollback is told. */
  get loss(): SessionLoss | undefined {
    return this.#loss;
  }

  /** Goes on in `state`, with this loss. */
  adopt(state: SessionState, loss: SessionLoss | undefined): void {
    this.#state = state;
    this.#loss = loss;
  }

  /** Begins anew in `state`; `loss` is what was lost before. */
  begin(state: SessionState, loss: SessionLoss | undefined): void {
    this.adopt(state, loss);
    this.mode.clear();
    this.traces.clear();
    this.tie.clear();
    this.doubt.forget();
  }

  /** Notes what the server answered to a statement of `scope`. */
  answered(sent: SentStatement, answer: StatementAnswer, scope: ActiveScope | undefined): void {
    const { connection, statement, classification, before, isMarked, isOwn } = sent;
    const status = statusOf(answer);
    const tellsChange = classification.kind === 'write' && tellsOfChange(answer[0]);
    const state = afterStatement(before, classification, statement, { ok: true, status, tellsChange });
    this.#state = state;
    noteAnswer(scope, connection, classification, [before, state], answer);
    this.#leaveTrace(sent, true, answer[0]);
    this.tie.unread.note(connection, statement, classification, [before, state], scope, true);
    this.doubt.succeeded(before, classification, state, status, isMarked);
    this.#loss = this.doubt.lossAfterSuccess(before, state, connection, isOwn) ?? this.#loss;
  }

  /** Notes that the server refused a statement with `error`, whose number is `errno`, and the connection is still there. */
  refused(sent: SentStatement, error: unknown, errno: number | undefined): void {
    const { connection, statement, classification, before, isMarked } = sent;
    const state = afterStatement(before, classification, statement, { ok: false, errno });
    this.#state = state;
    this.#leaveTrace(sent, false);
    this.tie.unread.note(connection, statement, classification, [before, state], undefined, false);
    this.doubt.failed(before, classification, state, error, errno, isMarked);
    this.#loss = this.doubt.lossAfter(before, state, connection, error) ?? this.#loss;
  }

  /** Notes that its connection is gone with `error`, and with it what the session had there. */
  lost({ node }: PhysicalConnection, error: unknown): void {
    const { wrote, settings, announced } = this.#state;
    this.#loss ??= lossOf(this.#state, node, error, this.doubt);
    this.doubt.forget();
    this.#state = { ...FRESH_SESSION, wrote, settings, announced };
  }

  #leaveTrace(
    { connection, classification, isOwn }: SentStatement,
    succeeded: boolean,
    answer?: unknown,
  ): void {
    const state = this.#state;
    leaveTrace(connection, classification, state, answer);
    this.mode.note(connection, classification, answer);
    this.traces.note(connection, { classification, state, isOwn, succeeded, answer });
  }
}
