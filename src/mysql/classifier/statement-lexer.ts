/** Cuts a text into the tokens that a server would see under one reading, forward only, without making strings. */
import { Character, CharacterClass, CLASSES, isDigit, isHexDigit, isNameCharacter } from './characters.js';
import { commentUse, Doubt, type Reading } from './reading.js';
import { hashStep, LONGEST_WORD } from './word-table.js';
import { WORDS } from './words.js';

/** Kinds of tokens. */
export const Token = {
  /** The end of the text. */
  END: 0,
  /** An unquoted name that may be a keyword. */
  WORD: 1,
  /** A name that cannot be a keyword: quoted, or right after a point. */
  NAME: 2,
  /** A double-quoted text that is a string or a name. */
  STRING_OR_NAME: 3,
  /** A string. */
  STRING: 4,
  /** A number. */
  NUMBER: 5,
  /** `@name`. */
  USER_VARIABLE: 6,
  /** `@@name`, with its scope. */
  SYSTEM_VARIABLE: 7,
  /** Any other character; its code is in `code`. */
  PUNCTUATION: 8,
  /** `:=`. */
  ASSIGN: 9,
  /** `;`. */
  SEMICOLON: 10,
} as const;

/** What a lexer noticed besides tokens. */
export const Notice = {
  /** A string, a quoted name or a comment has no end: every server refuses the text. */
  BROKEN: 1,
  /** A character that servers do not agree on. */
  ODD: 2,
  /** A comment that some server executes. */
  EXECUTABLE_COMMENT: 4,
} as const;

/** Reads tokens one after the other; the fields describe the token that `next` returned last. */
export class StatementLexer {
  /** Where the token starts. */
  start = 0;
  /** Where the token ends (the first character behind it). */
  end = 0;
  /** What {@link WORDS} knows of a `WORD`, `NAME` or `SYSTEM_VARIABLE`; 0 for everything else. */
  word = 0;
  /** The character of a `PUNCTUATION`. */
  code = 0;
  /** {@link Notice} bits of everything read since they were last cleared. */
  notices = 0;
  /** {@link Doubt} bits of everything read so far that the reading's answer depends on. */
  doubts = 0;
  /** Whether the next token is inside an executable comment. */
  inComment: boolean;
  readonly #text: string;
  readonly #reading: Reading;
  #position: number;
  /** Where the last point was that may make a name of what follows it. */
  #pointAt = -2;
  /** Where the last unquoted name ended. */
  #nameEnd = -1;

  /** Starts at `position`, inside an executable comment when `inComment`. */
  constructor(text: string, reading: Reading, position = 0, inComment = false) {
    this.#text = text;
    this.#reading = reading;
    this.#position = position;
    this.inComment = inComment;
  }

  /** Where the next token is looked for. */
  get position(): number {
    return this.#position;
  }

  /** Reads the next token and returns its kind, one of {@link Token}. */
  next(): number {
    const text = this.#text;
    this.word = 0;
    for (;;) {
      const at = this.#position;
      if (at >= text.length) return this.#finish();
      const code = text.charCodeAt(at);
      const kind = code < 128 ? CLASSES[code] : CharacterClass.NAME;
      if (kind === CharacterClass.SPACE) {
        this.#position = at + 1;
        continue;
      }
      if (kind === CharacterClass.SIGN) return this.#single(at, code);
      this.start = at;
      if (kind === CharacterClass.NAME)
        return this.#word(at, this.#pointAt === at - 1 ? Token.NAME : Token.WORD);
      if (kind === CharacterClass.DIGIT)
        return this.#pointAt === at - 1 ? this.#word(at, Token.NAME) : this.#number(at);
      switch (code) {
        case Character.QUOTE:
          return this.#quoted(at, Character.QUOTE, Token.STRING);
        case Character.DOUBLE_QUOTE:
          return this.#doubleQuoted(at);
        case Character.BACKTICK:
          return this.#quoted(at, Character.BACKTICK, Token.NAME);
        case Character.POINT:
          return this.#point(at);
        case Character.AT:
          return this.#variable(at);
        case Character.HASH:
          this.#lineComment(at + 1);
          continue;
        case Character.MINUS:
          if (text.charCodeAt(at + 1) === Character.MINUS && this.#endsDashes(at + 2)) {
            this.#lineComment(at + 2);
            continue;
          }
          return this.#single(at, code);
        case Character.SLASH:
          if (text.charCodeAt(at + 1) === Character.STAR) {
            this.#blockComment(at + 2);
            continue;
          }
          return this.#single(at, code);
        case Character.STAR:
          if (this.inComment && text.charCodeAt(at + 1) === Character.SLASH) {
            this.inComment = false;
            this.#position = at + 2;
            continue;
          }
          return this.#single(at, code);
        case Character.COLON:
          if (text.charCodeAt(at + 1) === Character.EQUALS) return this.#token(at, at + 2, Token.ASSIGN);
          return this.#single(at, code);
        case Character.SEMICOLON:
          return this.#token(at, at + 1, Token.SEMICOLON);
        case Character.BACKSLASH:
          // `\N` is NULL for MariaDB and MySQL 5.7; nothing else is allowed after a backslash.
          this.notices |= (text.charCodeAt(at + 1) | 32) === Character.SMALL_N ? Notice.ODD : Notice.BROKEN;
          return this.#single(at, code);
        case Character.NUL:
          this.notices |= Notice.ODD;
          return this.#single(at, code);
        default:
          return this.#single(at, code);
      }
    }
  }

  #finish(): number {
    if (this.inComment) this.notices |= Notice.BROKEN;
    return this.#token(this.#text.length, this.#text.length, Token.END);
  }

  #token(start: number, end: number, kind: number): number {
    this.start = start;
    this.end = end;
    this.#position = end;
    return kind;
  }

  #single(at: number, code: number): number {
    this.code = code;
    return this.#token(at, at + 1, Token.PUNCTUATION);
  }

  #word(at: number, kind: number): number {
    const text = this.#text;
    // MySQL 9 reads `$tag$ … $tag$` as a string.
    if (kind === Token.WORD && text.charCodeAt(at) === Character.DOLLAR) this.notices |= Notice.ODD;
    let hash = 0;
    let end = at;
    for (; end < text.length; end += 1) {
      const code = text.charCodeAt(end);
      if (code >= 128) {
        // A blank for servers that read the text as a single-byte character set.
        if (code === Character.NO_BREAK_SPACE) this.notices |= Notice.ODD;
      } else if ((CLASSES[code] ?? 0) < CharacterClass.NAME) break;
      hash = hashStep(hash, code);
    }
    this.word = end - at <= LONGEST_WORD ? WORDS.find(text, at, end, hash) : 0;
    this.#nameEnd = end;
    return this.#token(at, end, kind);
  }

  #number(at: number): number {
    const text = this.#text;
    let end = at + 1;
    if (text.charCodeAt(at) === Character.ZERO) {
      const prefix = text.charCodeAt(end) | 32;
      // The prefixes are lower case only: `0X1` is a name.
      if ((prefix === Character.SMALL_X || prefix === Character.SMALL_B) && text.charCodeAt(end) === prefix) {
        end += 1;
        while (prefix === Character.SMALL_B ? isBit(text.charCodeAt(end)) : isHexDigit(text.charCodeAt(end)))
          end += 1;
        if (end > at + 2 && !isNameCharacter(text.charCodeAt(end))) return this.#token(at, end, Token.NUMBER);
        return this.#word(at, Token.WORD);
      }
    }
    while (isDigit(text.charCodeAt(end))) end += 1;
    const code = text.charCodeAt(end);
    if (code === Character.POINT) return this.#fraction(at, end + 1);
    if ((code | 32) === Character.SMALL_E) {
      const sign = text.charCodeAt(end + 1);
      const digits = sign === Character.PLUS || sign === Character.MINUS ? end + 2 : end + 1;
      if (isDigit(text.charCodeAt(digits))) return this.#token(at, this.#digits(digits), Token.NUMBER);
    }
    if (isNameCharacter(code)) return this.#word(at, Token.WORD);
    return this.#token(at, end, Token.NUMBER);
  }

  #fraction(at: number, from: number): number {
    const text = this.#text;
    let end = this.#digits(from);
    if ((text.charCodeAt(end) | 32) === Character.SMALL_E) {
      const sign = text.charCodeAt(end + 1);
      const digits = sign === Character.PLUS || sign === Character.MINUS ? end + 2 : end + 1;
      if (isDigit(text.charCodeAt(digits))) end = this.#digits(digits);
      else this.notices |= Notice.ODD;
    }
    return this.#token(at, end, Token.NUMBER);
  }

  #digits(from: number): number {
    let end = from;
    while (isDigit(this.#text.charCodeAt(end))) end += 1;
    return end;
  }

  #point(at: number): number {
    const after = this.#text.charCodeAt(at + 1);
    // `t.5` is a column, ` .5` a number: only a point right behind an unquoted name makes digits a name.
    if (isDigit(after) && this.#nameEnd !== at) return this.#fraction(at, at + 1);
    this.#pointAt = at;
    return this.#single(at, Character.POINT);
  }

  #variable(at: number): number {
    const text = this.#text;
    if (text.charCodeAt(at + 1) === Character.AT) return this.#systemVariable(at);
    const code = text.charCodeAt(at + 1);
    if (code === Character.QUOTE || code === Character.BACKTICK || code === Character.DOUBLE_QUOTE) {
      if (code === Character.DOUBLE_QUOTE) this.#doubleQuoted(at + 1);
      else this.#quoted(at + 1, code, Token.STRING);
      return this.#token(at, this.end, Token.USER_VARIABLE);
    }
    let end = at + 1;
    for (; end < text.length; end += 1) {
      const part = text.charCodeAt(end);
      if (part >= 128 || ((CLASSES[part] ?? 0) < CharacterClass.NAME && part !== Character.POINT)) break;
    }
    return this.#token(at, end, Token.USER_VARIABLE);
  }

  #systemVariable(at: number): number {
    const text = this.#text;
    let last = at + 2;
    for (;;) {
      if (text.charCodeAt(last) === Character.BACKTICK) this.#quoted(last, Character.BACKTICK, Token.NAME);
      else this.#word(last, Token.NAME);
      if (text.charCodeAt(this.end) !== Character.POINT) break;
      last = this.end + 1;
    }
    for (let index = last; index < this.end; index += 1) {
      // Some servers compare these names without regard to accents.
      if (text.charCodeAt(index) >= 128) this.notices |= Notice.ODD;
    }
    return this.#token(at, this.end, Token.SYSTEM_VARIABLE);
  }

  #doubleQuoted(at: number): number {
    const { ansiQuotes } = this.#reading;
    if (ansiQuotes === true) return this.#quoted(at, Character.DOUBLE_QUOTE, Token.NAME);
    return this.#quoted(
      at,
      Character.DOUBLE_QUOTE,
      ansiQuotes === false ? Token.STRING : Token.STRING_OR_NAME,
    );
  }

  #quoted(at: number, quote: number, kind: number): number {
    const text = this.#text;
    const escapes = kind !== Token.NAME && quote !== Character.BACKTICK;
    const { backslashEscapes, open } = this.#reading;
    let hash = 0;
    let index = at + 1;
    for (; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code === quote) {
        if (text.charCodeAt(index + 1) !== quote) {
          if (kind === Token.NAME && index - at - 1 <= LONGEST_WORD)
            this.word = WORDS.find(text, at + 1, index, hash);
          return this.#token(at, index + 1, kind);
        }
        index += 1;
      } else if (code === Character.BACKSLASH && quote !== Character.BACKTICK) {
        if (quote === Character.DOUBLE_QUOTE) this.doubts |= open & Doubt.DOUBLE_QUOTE;
        if (escapes) {
          this.doubts |= open & Doubt.BACKSLASH;
          if (backslashEscapes) index += 1;
        }
      }
      if (kind === Token.NAME) hash = hashStep(hash, code);
    }
    this.notices |= Notice.BROKEN;
    return this.#token(at, text.length, kind);
  }

  /** Two dashes start a comment only before a blank, a control character or the end. */
  #endsDashes(at: number): boolean {
    const code = this.#text.charCodeAt(at);
    // Blank or control character only for servers that read the text as a single-byte character set.
    if (code > 127 && code <= Character.NO_BREAK_SPACE) this.notices |= Notice.ODD;
    return !(code > 32) || code === 127;
  }

  #lineComment(from: number): void {
    const text = this.#text;
    let index = from;
    for (; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code === Character.NEWLINE) break;
      if (code === Character.NUL) this.notices |= Notice.ODD;
    }
    this.#position = index;
  }

  #blockComment(from: number): void {
    const text = this.#text;
    const first = text.charCodeAt(from);
    const maria = first === Character.LARGE_M && text.charCodeAt(from + 1) === Character.EXCLAMATION;
    if (first !== Character.EXCLAMATION && !maria) {
      this.#skipComment(from, false);
      return;
    }
    const body = from + (maria ? 2 : 1);
    let digits = 0;
    while (digits < 6 && isDigit(text.charCodeAt(body + digits))) digits += 1;
    if (digits < 5) digits = 0;
    const { flavor, runsComments } = this.#reading;
    let version = 0;
    for (let index = 0; index < digits; index += 1)
      version = version * 10 + text.charCodeAt(body + index) - 48;
    const use = commentUse(flavor, maria, digits, version);
    if (use !== 'comment') this.notices |= Notice.EXECUTABLE_COMMENT;
    if (use === 'either') this.doubts |= this.#reading.open & Doubt.COMMENT;
    if (use === 'comment' || (use === 'either' && !runsComments)) {
      this.#skipComment(body, !maria || flavor === 'mariadb');
      return;
    }
    // No server agrees with itself about executable comments inside each other.
    if (this.inComment) this.notices |= Notice.ODD;
    this.inComment = true;
    this.#position = body + digits;
  }

  #skipComment(from: number, mayNest: boolean): void {
    const text = this.#text;
    let depth = 1;
    for (let index = from; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code === Character.STAR && text.charCodeAt(index + 1) === Character.SLASH) {
        depth -= 1;
        index += 1;
        if (depth === 0) {
          this.#position = index + 1;
          return;
        }
      } else if (
        mayNest &&
        depth === 1 &&
        code === Character.SLASH &&
        text.charCodeAt(index + 1) === Character.STAR
      ) {
        depth = 2;
        index += 1;
      }
    }
    this.notices |= Notice.BROKEN;
    this.#position = text.length;
  }
}

function isBit(code: number): boolean {
  return code === Character.ZERO || code === Character.ZERO + 1;
}
