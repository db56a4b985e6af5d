/** Which connections have what no other one has: what the last write left, and what a procedure may have set. */
import { mayWrite } from './causal-reads.js';
import type { Classification } from './classifier/classification.js';
import { asksAboutConnection, readsVariables } from './failure-policy.js';
import { askedElsewhere, connectionGone } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import { isHeader } from './result-header.js';
import type { SessionState } from './session-state.js';
import { askedBehindSavepoint } from './transaction-end.js';

/** The time that the session spends on one connection. */
interface Stay {
  readonly on: PhysicalConnection;
  /** Whether it was given back since, so that others may have used it. */
  isOver: boolean;
}

/** What a statement was, and what became of it. */
export interface Ran {
  /** What it does. */
  readonly classification: Classification;
  /** The session after it. */
  readonly state: SessionState;
  /** Whether it is one of ours, and not of the caller. */
  readonly isOwn: boolean | undefined;
  /** Whether the server did not refuse it. */
  readonly succeeded: boolean;
  /** What the driver gave for it; undefined when it failed. */
  readonly answer: unknown;
}

/** The traces of one session. */
export class ConnectionTraces {
  /** Where the last write ran. */
  #wrote: Stay | undefined;
  /** Where `LAST_INSERT_ID()` is that of the last write which got one. */
  #numbered: Stay | undefined;
  /** Where the last procedure ran since which no variable was set. */
  #called: Stay | undefined;
  /** Where the last statement ran. */
  #last: Stay | undefined;
  /** Where the last one ran whose rows were counted. */
  #counted: Stay | undefined;
  /** Whether the last statement set or ended a savepoint, and was none of the caller's. */
  #wasOwnSavepoint = false;

  /** Where the last write ran. */
  get wroteOn(): PhysicalConnection | undefined {
    return this.#wrote?.on;
  }

  /** Notes that a statement ran on `connection`. */
  note(connection: PhysicalConnection, { classification, state, isOwn, succeeded, answer }: Ran): void {
    const { kind, pins, transaction, setsFound } = classification;
    if (this.#last?.on !== connection || this.#last.isOver) {
      this.leave();
      this.#last = { on: connection, isOver: false };
    }
    // What may count rows or not leaves the right number only where that was: see `check`.
    if (setsFound === true && succeeded) this.#counted = this.#last;
    this.#wasOwnSavepoint = isOwn === true && transaction === 'savepoint';
    // A write inside a read-only transaction was refused and left nothing.
    if (mayWrite(classification) && state.transaction !== 'read-only') {
      this.#wrote = this.#last;
      // Any other write leaves the number as it was, and only where it was is it the right one.
      const isHere = this.#numbered === undefined || this.#numbered === this.#last;
      if (isHere || gotNumber(answer)) this.#numbered = this.#last;
    }
    if (kind === 'unknown') {
      // What an earlier one set is not here; the variables that its own text names are.
      if (this.#called === undefined || pins.includes('user-variable')) this.#called = this.#last;
    }
    // Who sets variables himself knows where.
    else if (kind === 'session' && pins.includes('user-variable')) this.#called = undefined;
  }

  /** The session gives its connection back. */
  leave(): void {
    if (this.#last !== undefined) this.#last.isOver = true;
  }

  /**
   * What the statement before left (`ROW_COUNT()`), what the last write left (`LAST_INSERT_ID()`), and variables that a procedure
   * set, are known to their own connection only: another one would answer 0, or NULL.
   *
   * @throws StormlampError `ERR_CONNECTION_LOST` when the statement asks for them, and that connection is not the one that is
   * `held`, or is lost; `ERR_UNSUPPORTED` when it asks about a statement before and the session has gone on to another server since,
   * or a savepoint of ours came between.
   */
  check(classification: Classification, held: PhysicalConnection | undefined): void {
    if (asksAboutConnection(classification) || classification.asksWrite === true)
      checkHere(this.#wrote, held, 'what its last write left');
    if (classification.asksWrite === true) checkHere(this.#numbered, held, 'the id of its last insert');
    const { asksFound, asksBefore, asksOutcome } = classification;
    if (asksOutcome === true && this.#wasOwnSavepoint) throw askedBehindSavepoint(classification);
    if (asksFound === true) checkStayed(this.#counted, held, 'how many rows its last read found');
    if (asksBefore === true) checkStayed(this.#last, held, 'what the statement before left');
    if (readsVariables(classification))
      checkHere(this.#called, held, 'variables that a procedure may have set');
  }

  /**
   * What the statement before left is not where a statement has to go that asks about it.
   *
   * @throws StormlampError `ERR_UNSUPPORTED` when the statement asks about it, and that connection is left for another one.
   */
  checkMove(classification: Classification, leaves: PhysicalConnection): void {
    if (classification.asksBefore === true && leaves === this.#last?.on)
      throw askedElsewhere(leaves.node, `goes to another server, because ${classification.because}`);
  }

  /** The session begins anew. */
  clear(): void {
    this.#wrote = undefined;
    this.#numbered = undefined;
    this.#called = undefined;
    this.#last = undefined;
    this.#counted = undefined;
    this.#wasOwnSavepoint = false;
  }
}

/** Whether a write got an `AUTO_INCREMENT` value, or set one by `LAST_INSERT_ID(…)`; of several statements, whether one did. */
function gotNumber(answer: unknown): boolean {
  if (Array.isArray(answer)) return answer.some((part) => isHeader(part) && part.insertId !== 0);
  return isHeader(answer) && answer.insertId !== 0;
}

/** {@link checkHere}, where the session may have gone on to another server by itself. */
function checkStayed(stay: Stay | undefined, held: PhysicalConnection | undefined, what: string): void {
  if (stay === undefined) return;
  const { on, isOver } = stay;
  if ((on !== held || isOver) && on.lost === undefined)
    throw askedElsewhere(on.node, 'the connection has gone on to another server since');
  checkHere(stay, held, what);
}

/** Another connection does not know it, nor does the same one where others may have used it meanwhile. */
function checkHere(stay: Stay | undefined, held: PhysicalConnection | undefined, what: string): void {
  if (stay === undefined) return;
  const { on, isOver } = stay;
  if (on === held && !isOver && on.lost === undefined) return;
  throw connectionGone(on.node, what, on.lost ?? 'it was given back');
}
