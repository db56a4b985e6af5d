/**
 * Follows `JSON_TABLE(document, path COLUMNS (…))`: MariaDB calls a stored function of that name when the column list is
 * missing, and the types in the list look like calls.
 */
import { Character } from './characters.js';
import { Token } from './statement-lexer.js';
import { Word } from './words.js';

/** One JSON_TABLE of a statement; a second one inside of its arguments is not followed. */
export class JsonTableTracker {
  #depth = -1;
  #columnsDepth = -1;
  #hasColumns = false;

  /** Whether parentheses are inside of a JSON_TABLE. */
  get isOpen(): boolean {
    return this.#depth >= 0;
  }

  /** Whether they are inside of its column list, where nothing is called. */
  get isInColumns(): boolean {
    return this.#columnsDepth >= 0;
  }

  /** The parenthesis of a JSON_TABLE opens at this depth. */
  open(depth: number): void {
    this.#depth = depth;
    this.#columnsDepth = -1;
    this.#hasColumns = false;
  }

  /** A parenthesis behind the word `number` opens at this depth; `kind` and `code` are of the token before that word. */
  openInside(number: number, kind: number, code: number, depth: number): void {
    if (number !== Word.COLUMNS || this.isInColumns || depth !== this.#depth + 1) return;
    const isPath = kind === Token.STRING || kind === Token.STRING_OR_NAME || code === Character.QUESTION_MARK;
    if (!isPath) return;
    this.#columnsDepth = depth;
    this.#hasColumns = true;
  }

  /** A parenthesis closes, back to this depth. `false` when that ends something that is no JSON_TABLE after all. */
  close(depth: number): boolean {
    if (this.#columnsDepth >= depth) this.#columnsDepth = -1;
    if (this.#depth < depth) return true;
    this.#depth = -1;
    return this.#hasColumns;
  }
}
