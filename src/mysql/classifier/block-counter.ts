/** Counts the open blocks of a stored program or a compound statement, to find the semicolon that ends it. */
import { Word } from './words.js';

/** Fed with every word and semicolon of such a statement. */
export class BlockCounter {
  #open: number;
  #isAfterEnd = false;

  /** Starts with so many blocks open. */
  constructor(open: number) {
    this.#open = open;
  }

  /** Whether a semicolon here is inside of the statement. */
  get isInside(): boolean {
    return this.#open > 0;
  }

  /** The next token: its number as a keyword, 0 for everything else. */
  step(number: number): void {
    const closes = this.#isAfterEnd;
    this.#isAfterEnd = number === Word.END;
    if (closes) {
      // END IF, END LOOP and the like end what was never counted, because IF and REPEAT are functions, too.
      if (!isUncounted(number)) this.#open -= 1;
      if (number === Word.CASE) return;
    }
    if (number === Word.BEGIN || number === Word.CASE) this.#open += 1;
  }
}

function isUncounted(number: number): boolean {
  return (
    number === Word.IF ||
    number === Word.LOOP ||
    number === Word.REPEAT ||
    number === Word.WHILE ||
    number === Word.FOR
  );
}
