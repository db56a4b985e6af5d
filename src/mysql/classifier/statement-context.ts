/** What the rules get to see of a statement. */

import type { Classification } from './classification.js';
import type { StatementCursor } from './statement-cursor.js';
import type { StatementScanner } from './statement-scan.js';

/** One statement, scanned. */
export interface StatementContext {
  /** The whole text. */
  readonly text: string;
  /** What the scan found. */
  readonly scan: StatementScanner;
  /** A cursor on the statement's first word. */
  readonly cursor: () => StatementCursor;
  /** Session variables that the user wants to be replayed, in lower case. */
  readonly replayed: ReadonlySet<string>;
  /** The answer for the statement that starts at `position` inside this one; not for statements inside that one. */
  readonly inner: (position: number) => Classification | undefined;
}

/** Tells what a statement is; `undefined` when it is not understood. */
export type StatementRule = (context: StatementContext) => Classification | undefined;
