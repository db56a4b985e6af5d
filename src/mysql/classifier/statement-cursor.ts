/** Reads one statement word by word, for the rules that need to know more than a scan tells. */
import { Character } from './characters.js';
import type { Reading } from './reading.js';
import { StatementLexer, Token } from './statement-lexer.js';
import { Word, WordFlag } from './words.js';

/** Longer words are no keywords and no names. */
const WORD_LIMIT = 130;

/** No name has more parts. */
const PARTS_LIMIT = 4;

/** A longer expression is none that somebody wrote. */
const TOKEN_LIMIT = 100_000;

/** Stands on one token of a statement. */
export class StatementCursor {
  /** The kind of the token, one of {@link Token}. */
  kind: number = Token.END;
  readonly #text: string;
  readonly #lexer: StatementLexer;
  readonly #end: number;
  #word: string | undefined;

  /** Stands on the first token of the statement from `start` to `end`. */
  constructor(text: string, reading: Reading, start: number, end: number, inComment: boolean) {
    this.#text = text;
    this.#end = end;
    this.#lexer = new StatementLexer(text, reading, start, inComment);
    this.advance();
  }

  /** Where the token starts. */
  get start(): number {
    return this.#lexer.start;
  }

  /** Whether the statement has no more tokens. */
  get isAtEnd(): boolean {
    return this.kind === Token.END;
  }

  /** The character of a punctuation token, else an empty string. */
  get sign(): string {
    return this.kind === Token.PUNCTUATION ? String.fromCharCode(this.#lexer.code) : '';
  }

  /** An unquoted word in lower case, else an empty string. */
  get word(): string {
    if (this.kind !== Token.WORD) return '';
    this.#word ??= this.#slice().toLowerCase();
    return this.#word;
  }

  /** The name or string that the token holds, without quotes; `undefined` for other tokens, escapes and long ones. */
  get name(): string | undefined {
    const { kind } = this;
    if (kind === Token.WORD) return this.#slice();
    if (kind !== Token.NAME && kind !== Token.STRING && kind !== Token.STRING_OR_NAME) return undefined;
    const slice = this.#slice();
    const quote = slice[0];
    if (quote !== '`' && quote !== '"' && quote !== "'") return slice === '' ? undefined : slice;
    const inner = slice.slice(1, -1);
    return inner.includes(quote) || inner.includes('\\') ? undefined : inner;
  }

  /** The text of the token as it stands there; empty when it is long. */
  get text(): string {
    return this.#slice();
  }

  /** Goes to the next token. */
  advance(): void {
    this.#word = undefined;
    if (this.#lexer.position >= this.#end) {
      this.kind = Token.END;
      return;
    }
    const kind = this.#lexer.next();
    this.kind = kind === Token.SEMICOLON || this.#lexer.start >= this.#end ? Token.END : kind;
  }

  /**
   * Goes past an expression: to the comma, or the word of this number, that stands outside of all its parentheses, or to the
   * end, but never further than any real one reaches. How many tokens it has, whether one of
   * them is `FROM`, and whether it was not looked at to its end.
   */
  skipExpression(until: number = Word.NONE): {
    readonly tokens: number;
    readonly hasFrom: boolean;
    readonly isOver: boolean;
  } {
    let tokens = 0;
    let depth = 0;
    let hasFrom = false;
    for (; this.kind !== Token.END && tokens < TOKEN_LIMIT; tokens += 1, this.advance()) {
      if (this.kind === Token.PUNCTUATION) {
        const { code } = this.#lexer;
        if (code === Character.COMMA && depth <= 0) break;
        if (code === Character.OPEN) depth += 1;
        else if (code === Character.CLOSE) depth -= 1;
      } else if (this.kind === Token.WORD) {
        const number = this.#lexer.word & WordFlag.NUMBER;
        if (number === Word.NONE) continue;
        if (number === until && depth <= 0) break;
        if (number === Word.FROM) hasFrom = true;
      }
    }
    return { tokens, hasFrom, isOver: tokens >= TOKEN_LIMIT };
  }

  /** Goes past these words when they stand here in this order, else past none or some of them. */
  take(...words: readonly string[]): boolean {
    for (const word of words) {
      if (this.word !== word) return false;
      this.advance();
    }
    return true;
  }

  /** Goes past one of these words when it stands here, and tells which. */
  takeOne(...words: readonly string[]): string | undefined {
    const { word } = this;
    if (word === '' || !words.includes(word)) return undefined;
    this.advance();
    return word;
  }

  /** Goes past this character when it stands here. */
  takeSign(sign: string): boolean {
    if (this.sign !== sign) return false;
    this.advance();
    return true;
  }

  /**
   * Goes past a name, qualified or not, and returns it, in lower case or as it is; `undefined` when there is none, or one of more
   * parts than any has.
   */
  takeName(foldsCase = true): string | undefined {
    let whole: string | undefined;
    for (let parts = 0; parts < PARTS_LIMIT; parts += 1) {
      const { name } = this;
      if (name === undefined) return undefined;
      const part = foldsCase ? name.toLowerCase() : name;
      whole = whole === undefined ? part : `${whole}.${part}`;
      this.advance();
      if (!this.takeSign('.')) return whole;
    }
    return undefined;
  }

  #slice(): string {
    const { start, end } = this.#lexer;
    return end - start > WORD_LIMIT ? '' : this.#text.slice(start, end);
  }
}
