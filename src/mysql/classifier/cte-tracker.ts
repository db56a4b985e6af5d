/** Follows the lists of common table expressions, to tell `WITH x (a, b) AS (…)` from a call of a function `x`. */
import { Character } from './characters.js';
import { Token } from './statement-lexer.js';
import { Word } from './words.js';

/** Where in `WITH name (columns) AS (body), …` the innermost list is. */
const Place = {
  OUTSIDE: 0,
  NAME: 1,
  AFTER_NAME: 2,
  COLUMNS: 3,
  AS: 4,
  BODY_OPEN: 5,
  BODY: 6,
  AFTER_BODY: 7,
} as const;

/** Fed with every token from the first `WITH` of a statement on. */
export class CteTracker {
  #place: number = Place.OUTSIDE;
  #depth = 0;
  /** The parenthesis depths of the lists around the innermost one; each of those is in a body. */
  #outer: number[] = [];

  /** Whether a parenthesis right here opens the column list of a common table expression. */
  get atColumns(): boolean {
    return this.#place === Place.AFTER_NAME;
  }

  /** A `WITH` at this depth of parentheses. */
  begin(depth: number): void {
    if (this.#place === Place.BODY) this.#outer.push(this.#depth);
    this.#place = Place.NAME;
    this.#depth = depth;
  }

  /** Any token but `WITH`; `depth` is that outside of a parenthesis token. */
  step(kind: number, number: number, code: number, depth: number): void {
    while (this.#place !== Place.OUTSIDE && !this.#fits(kind, number, code, depth)) {
      const outer = this.#outer.pop();
      this.#place = outer === undefined ? Place.OUTSIDE : Place.BODY;
      this.#depth = outer ?? 0;
    }
  }

  #fits(kind: number, number: number, code: number, depth: number): boolean {
    const punctuation = kind === Token.PUNCTUATION ? code : 0;
    switch (this.#place) {
      case Place.NAME:
        if (kind !== Token.WORD && kind !== Token.NAME && kind !== Token.STRING_OR_NAME) return false;
        if (number !== Word.RECURSIVE || kind !== Token.WORD) this.#place = Place.AFTER_NAME;
        return true;
      case Place.AFTER_NAME:
        if (punctuation === Character.OPEN) this.#place = Place.COLUMNS;
        else if (number === Word.AS) this.#place = Place.BODY_OPEN;
        else return false;
        return true;
      case Place.COLUMNS:
        if (punctuation === Character.CLOSE && depth === this.#depth) this.#place = Place.AS;
        return true;
      case Place.AS:
        this.#place = Place.BODY_OPEN;
        return number === Word.AS;
      case Place.BODY_OPEN:
        this.#place = Place.BODY;
        return punctuation === Character.OPEN;
      case Place.BODY:
        if (punctuation === Character.CLOSE && depth <= this.#depth) this.#place = Place.AFTER_BODY;
        return true;
      default:
        this.#place = Place.NAME;
        return punctuation === Character.COMMA && depth === this.#depth;
    }
  }
}
