/** What a handler changes in the session after its response has ended or lost its browser: saved, too, as soon as it is closed. */
import type { ServerResponse } from 'node:http';
import type { HttpSession } from './http-session.js';
import { RequestSession } from './request-session.js';

/** See the head of this file. */
export class LateChanges {
  readonly #http: HttpSession;
  readonly #response: ServerResponse;
  readonly #report: (error: unknown) => void;
  #phase: 'early' | 'late' | 'settled' = 'early';
  #used = false;
  #usedLate = false;
  #before: ReadonlyMap<string, unknown> = new Map();

  /** @param report is told about a save that failed */
  constructor(http: HttpSession, response: ServerResponse, report: (error: unknown) => void) {
    this.#http = http;
    this.#response = response;
    this.#report = report;
  }

  /** Somebody takes the session to read or change it. */
  used(): void {
    this.#used = true;
    if (this.#phase === 'early' || this.#usedLate) return;
    this.#usedLate = true;
    // Whatever is done with it in this turn of the loop is done then.
    if (this.#phase === 'settled') setImmediate(() => this.#save());
  }

  /** The response is over: what is changed from now on is late. */
  begin(): void {
    this.#phase = 'late';
    if (this.#used) this.#before = RequestSession.variablesOf(this.#http.session);
  }

  /** What had to be saved with the response is saved, or was not to be; the rest waits for the response to be closed. */
  settle(): void {
    if (!this.#response.destroyed) {
      this.#response.once('close', () => this.settle());
      return;
    }
    this.#phase = 'settled';
    if (this.#usedLate || this.#differs()) this.#save();
  }

  #save(): void {
    this.#usedLate = false;
    this.#http.saveLate().catch(this.#report);
  }

  /** Sees at once what was set or deleted through a reference that was kept; not what was changed inside of a value. */
  #differs(): boolean {
    if (!this.#used) return false;
    const now = RequestSession.variablesOf(this.#http.session);
    return (
      now.size !== this.#before.size ||
      [...now].some(([name, value]) => !this.#before.has(name) || !Object.is(this.#before.get(name), value))
    );
  }
}
