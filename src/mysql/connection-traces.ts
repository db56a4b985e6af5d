/** Which connections have what no other one has: what the last write left, and the statement before. */
import { mayWrite } from './causal-reads.js';
import type { Classification } from './classifier/classification.js';
import { asksAboutConnection } from './failure-policy.js';
import { askedElsewhere, connectionGone } from './lost-errors.js';
import type { PhysicalConnection } from './physical-connection.js';
import { isHeader } from './result-header.js';
import type { SessionState } from './session-state.js';
import { askedBehindSavepoint } from './transaction-end.js';

/** An id that `LAST_INSERT_ID()` may be where it was told: the statement that told it got it, or named it itself. */
export interface ClaimedId {
  readonly stay: Stay;
  /** The id, in digits. */
  readonly id: string;
}

/** The time that the session spends on one connection. */
export interface Stay {
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
  /** Where the first write ran: any may advance a sequence, and which one no text tells. */
  #began: Stay | undefined;
  /** Where the last write ran. */
  #wrote: Stay | undefined;
  /** Where `LAST_INSERT_ID()` is that of the last write which got one. */
  #numbered: Stay | undefined;
  /** What the last write told as an id elsewhere. */
  #claimed: ClaimedId | undefined;
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
    const { transaction, setsFound } = classification;
    if (this.#last?.on !== connection || this.#last.isOver) {
      this.leave();
      this.#last = { on: connection, isOver: false };
    }
    // What may count rows or not leaves the right number only where that was: see `check`.
    if (setsFound === true && succeeded) this.#counted = this.#last;
    this.#wasOwnSavepoint = isOwn === true && transaction === 'savepoint';
    // A write inside a read-only transaction was refused and left nothing.
    if (mayWrite(classification) && state.transaction !== 'read-only') {
      this.#began ??= this.#last;
      this.#wrote = this.#last;
      // Only where the number was is it the right one, whatever a write does to it.
      this.#numbered ??= this.#last;
      const id = this.#numbered === this.#last ? undefined : idIn(answer);
      if (id !== undefined) this.#claimed = { stay: this.#last, id };
    }
  }

  /** The id to look for with {@link settle} before a statement that asks for it: nobody but the server knows whether it is the right one. */
  claimed(
    { asksWrite, asksBefore }: Classification,
    held: PhysicalConnection | undefined,
  ): ClaimedId | undefined {
    const claimed = this.#claimed;
    // Nothing may come between what asks about the statement before and that.
    if (claimed === undefined || asksWrite !== true || asksBefore === true) return undefined;
    const { on, isOver } = claimed.stay;
    return on === held && !isOver && on.lost === undefined ? claimed : undefined;
  }

  /** Notes whether the id that was `claimed` is the one that the server tells: it was asked by a read, which found rows itself. */
  settle({ stay }: ClaimedId, isRight: boolean): void {
    if (isRight) this.#numbered = stay;
    this.#claimed = undefined;
    if (this.#counted !== undefined) this.#counted = { ...this.#counted, isOver: true };
  }

  /** The session gives its connection back. */
  leave(): void {
    if (this.#last !== undefined) this.#last.isOver = true;
  }

  /**
   * What the statement before left (`ROW_COUNT()`), what the last write left (`LAST_INSERT_ID()`), and what a sequence gave
   * (`LASTVAL()`), are known to their own connection only: another one would answer 0, or NULL.
   *
   * @throws StormlampError `ERR_CONNECTION_LOST` when the statement asks for them, and that connection is not the one that is
   * `held`, or is lost; `ERR_UNSUPPORTED` when it asks about a statement before and the session has gone on to another server since,
   * or a savepoint of ours came between.
   */
  check(classification: Classification, held: PhysicalConnection | undefined): void {
    this.#checkLeft(classification, held);
    if (asksAboutConnection(classification)) checkHere(this.#wrote, held, 'what its last write left');
    const { asksFound, asksBefore, asksOutcome } = classification;
    if (asksOutcome === true && this.#wasOwnSavepoint) throw askedBehindSavepoint(classification);
    if (asksFound === true) checkStayed(this.#counted, held, 'how many rows its last read found');
    if (asksBefore === true) checkStayed(this.#last, held, 'what the statement before left');
  }

  /** Whatever was left by a write, and is asked for, must be on the connection that is `held`. */
  #checkLeft(classification: Classification, held: PhysicalConnection | undefined): void {
    if (classification.asksSequence === true) checkHere(this.#began, held, 'what its sequences gave last');
    if (classification.asksWrite === true) {
      checkHere(this.#wrote, held, 'what its last write left');
      checkHere(this.#numbered, held, 'the id of its last insert');
    }
  }

  /**
   * What the statement before left is not where a statement has to go that asks about it.
   *
   * @throws StormlampError `ERR_UNSUPPORTED` when the statement asks about it, and that connection is left for another one;
   * `ERR_CONNECTION_LOST` when it asks for what a write left.
   */
  checkMove(classification: Classification, leaves: PhysicalConnection): void {
    if (classification.asksBefore === true && leaves === this.#last?.on)
      throw askedElsewhere(leaves.node, `goes to another server, because ${classification.because}`);
    this.#checkLeft(classification, undefined);
  }

  /** The session begins anew. */
  clear(): void {
    this.#began = undefined;
    this.#wrote = undefined;
    this.#numbered = undefined;
    this.#claimed = undefined;
    this.#last = undefined;
    this.#counted = undefined;
    this.#wasOwnSavepoint = false;
  }
}

/** The id that the answer to a write tells, which may be one that it named itself; of several statements, the last one. */
function idIn(answer: unknown): string | undefined {
  const parts: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
  const part = parts.findLast((each) => isHeader(each) && each.insertId !== 0);
  const id = isHeader(part) ? String(part.insertId) : '';
  return /^[0-9]+$/.test(id) ? id : undefined;
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
