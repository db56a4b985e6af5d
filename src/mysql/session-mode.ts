/** How the server reads the texts of one session: by the `sql_mode` that the session has now, as far as that is certain. */
import type { Classification } from './classifier/classification.js';
import type { PhysicalConnection } from './physical-connection.js';
import { isSetting, mayChangeMode } from './session-state.js';
import { sqlModeTold } from './sql-mode.js';

/** The `sql_mode` of a session over changing connections. */
export class SessionMode {
  #isOwn = false;

  /** The mode on the `held` connection, else the one that sessions begin with; undefined when it is not certain. */
  on(held: PhysicalConnection | undefined, expected: string | undefined): string | undefined {
    if (held !== undefined) return held.sqlMode;
    return this.#isOwn ? undefined : expected;
  }

  /** Whether the session may have changed its mode. */
  get isOwn(): boolean {
    return this.#isOwn;
  }

  /** Notes what a statement on `connection` did to the mode; `answer` is what the server said, if it accepted it. */
  note(connection: PhysicalConnection, classification: Classification, answer: unknown): void {
    if (!mayChangeMode(classification)) return;
    this.#isOwn = true;
    connection.sqlMode = isSetting(classification) ? sqlModeTold(answer) : undefined;
  }

  /** The session begins anew. */
  clear(): void {
    this.#isOwn = false;
  }
}
