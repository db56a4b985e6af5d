/** Walks over one statement after the other and notes what in them matters for routing. */
import { CteTracker } from './cte-tracker.js';
import type { Reading } from './reading.js';
import { StatementLexer, Token } from './statement-lexer.js';
import { Word, WordFlag } from './words.js';

/** What a statement contains, anywhere in it. */
export const Feature = {
  /** `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`. */
  LOCKING: 1,
  /** `INTO`. */
  INTO: 0x2,
  /** `INTO OUTFILE`, `INTO DUMPFILE`. */
  INTO_FILE: 0x4,
  /** `INSERT`, `UPDATE`, `DELETE` or `REPLACE` as a keyword behind the first word. */
  WRITE_WORD: 0x8,
  /** `NEXT VALUE FOR`, `NEXTVAL`, `SETVAL`. */
  SEQUENCE_WRITE: 0x10,
  /** `PREVIOUS VALUE FOR`, `LASTVAL`. */
  SEQUENCE_READ: 0x20,
  /** `@name`. */
  USER_VARIABLE: 0x40,
  /** `name@host`, which in some statements is an account. */
  ACCOUNT: 0x80,
  /** `:=`. */
  ASSIGN: 0x100,
  /** `SQL_CALC_FOUND_ROWS`. */
  CALC_FOUND_ROWS: 0x200,
  /** `ROW_COUNT()`, `@@warning_count` and the like. */
  LAST_STATEMENT: 0x400,
  /** `FOUND_ROWS()`. */
  FOUND_ROWS: 0x800,
  /** `LAST_INSERT_ID()`, `@@last_gtid` and the like. */
  LAST_WRITE: 0x1000,
  /** `LAST_INSERT_ID(…)` with an argument. */
  SETS_INSERT_ID: 0x2000,
  /** `GET_LOCK()`. */
  NAMED_LOCK: 0x4000,
  /** `RELEASE_LOCK()`. */
  LOCK_RELEASE: 0x8000,
  /** A function that is not on the list. */
  UNKNOWN_FUNCTION: 0x10000,
  /** A function or schema whose content belongs to one server. */
  LOCAL: 0x20000,
  /** `FOR CONNECTION`. */
  FOR_CONNECTION: 0x40000,
  /** `CONNECTION_ID()`. */
  CONNECTION_ID: 0x80000,
  /** `RELEASE_ALL_LOCKS()`. */
  ALL_LOCKS_RELEASE: 0x100000,
} as const;

/** What is allowed to be called: the flags of built-in functions that must be set, and the user's own list. */
export interface KnownFunctions {
  /** {@link WordFlag} bits that a built-in function must have. */
  readonly reads: number;
  /** {@link WordFlag} bits of a word that is never a call. */
  readonly plain: number;
  /** The user's functions in lower case, as `name` or `schema.name`. */
  readonly readOnly: ReadonlySet<string>;
}

const OPEN = 40;
const CLOSE = 41;
const POINT = 46;
const COLON = 58;

/** Scans the statements of one text; the fields describe the statement that `next` found last. */
export class StatementScanner {
  /** Where the statement starts. */
  start = 0;
  /** Where it ends: at its semicolon or the end of the text. */
  end = 0;
  /** The first word's number; 0 when it has none. */
  head = 0;
  /** Where the first token that is no parenthesis starts; -1 when the statement is empty. */
  headStart = -1;
  /** Where that token ends. */
  headEnd = -1;
  /** Whether that token is inside an executable comment. */
  headInComment = false;
  /** The kind of that token. */
  headKind = 0;
  /** How many parentheses are open before it. */
  nesting = 0;
  /** {@link Feature} bits. */
  features = 0;
  /** Notices of the lexer in this statement. */
  notices = 0;
  /** Whether it defines a stored program. */
  isProgram = false;
  /** Whether it is a compound statement outside of a stored program. */
  isCompound = false;
  /** Whether blocks are left open at its end. */
  isUnfinished = false;
  /** Where the name of the first function that is not on the list starts. */
  functionStart = -1;
  /** Where that name ends. */
  functionEnd = -1;

  readonly #text: string;
  readonly #lexer: StatementLexer;
  readonly #functions: KnownFunctions;
  #hasNext = true;
  #sawSystemVariable = false;

  /** Scans `text` from `position` on. */
  constructor(text: string, reading: Reading, functions: KnownFunctions, position = 0, inComment = false) {
    this.#text = text;
    this.#functions = functions;
    this.#lexer = new StatementLexer(text, reading, position, inComment);
  }

  /** The doubts that the reading left open so far. */
  get doubts(): number {
    return this.#lexer.doubts;
  }

  /** How far the text has been read. */
  get position(): number {
    return this.#lexer.position;
  }

  /** Scans the next statement; `false` when there is none. Empty statements count. */
  next(): boolean {
    if (!this.#hasNext) return false;
    const lexer = this.#lexer;
    this.#clear();
    let cte: CteTracker | undefined;
    let index = -1;
    let depth = 0;
    let blocks = 0;
    let isObjectKnown = false;
    let afterEnd = false;
    let maybeWrite = false;
    let maybeSetsId = false;
    let kind1 = 0;
    let value1 = 0;
    let code1 = 0;
    let start1 = 0;
    let end1 = 0;
    let number1 = 0;
    let number2 = 0;
    let wasAlias = false;
    let wasQualified = false;
    for (;;) {
      const kind = lexer.next();
      const value = lexer.word;
      const number = kind === Token.WORD ? value & WordFlag.NUMBER : 0;
      const code = kind === Token.PUNCTUATION ? lexer.code : 0;
      if (index < 0) {
        if (code === OPEN) {
          depth += 1;
          this.nesting += 1;
        } else if (kind !== Token.END && kind !== Token.SEMICOLON) {
          index = 0;
          this.head = number;
          this.headKind = kind;
          this.headInComment = lexer.inComment;
          this.headStart = lexer.start;
          this.headEnd = lexer.end;
        }
      } else {
        index += 1;
      }

      if (index === 1 && kind !== Token.END && kind !== Token.SEMICOLON) {
        if (this.head === Word.BEGIN && number !== Word.WORK) {
          this.isCompound = true;
          blocks += 1;
        } else if (code === COLON) this.isCompound = true;
      }
      if (afterEnd) {
        afterEnd = false;
        if (!isBlockWord(number)) blocks -= 1;
      }
      if (this.isProgram || this.isCompound) {
        if (number === Word.END) afterEnd = true;
        else if (number === Word.BEGIN || (number === Word.CASE && number1 !== Word.END)) blocks += 1;
        if (kind === Token.SEMICOLON && blocks > 0) {
          kind1 = value1 = code1 = number1 = number2 = 0;
          continue;
        }
      }
      if (maybeWrite) {
        maybeWrite = false;
        if (code !== OPEN) this.features |= Feature.WRITE_WORD;
      }
      if (maybeSetsId && code1 === OPEN) {
        maybeSetsId = false;
        if (code !== CLOSE) this.features |= Feature.SETS_INSERT_ID;
      }
      if (kind === Token.END || kind === Token.SEMICOLON) {
        this.#hasNext = kind === Token.SEMICOLON;
        if (afterEnd) blocks -= 1;
        this.end = lexer.start;
        this.notices = lexer.notices;
        this.isUnfinished = blocks > 0;
        return true;
      }

      if (!isObjectKnown && index > 0 && (this.head === Word.CREATE || this.head === Word.ALTER)) {
        if (isProgramWord(number)) isObjectKnown = this.isProgram = true;
        else if (kind === Token.WORD && (value & WordFlag.OBJECT) !== 0) isObjectKnown = true;
      }

      const isPlace = wasAlias;
      wasAlias = false;
      if (code !== 0) {
        if (code === OPEN) {
          if (isName(kind1) && !isPlace && !(cte?.atColumns ?? false)) {
            if (this.#call(kind1, value1, start1, end1, wasQualified) === Word.LAST_INSERT_ID)
              maybeSetsId = true;
          }
          if (index >= 0) depth += 1;
        } else if (code === CLOSE) depth -= 1;
        wasQualified = false;
      } else if (kind === Token.WORD || kind === Token.NAME || kind === Token.STRING_OR_NAME) {
        // Behind AS stands an alias or a type, behind a closing parenthesis an alias or an operator.
        wasAlias = number1 === Word.AS || code1 === CLOSE;
        wasQualified = code1 === POINT;
        if (value !== 0) {
          if (number !== 0 && this.#word(number, number1, number2, index)) maybeWrite = true;
          this.#names(value, kind, code1);
        }
      } else if (kind === Token.USER_VARIABLE) {
        const isAccount =
          kind1 === Token.STRING ||
          kind1 === Token.NAME ||
          kind1 === Token.STRING_OR_NAME ||
          (kind1 === Token.WORD && number1 === 0 && end1 === lexer.start);
        this.features |= isAccount ? Feature.ACCOUNT : Feature.USER_VARIABLE;
      } else if (kind === Token.SYSTEM_VARIABLE) {
        this.#sawSystemVariable = true;
        this.#names(value, kind, 0);
      } else if (kind === Token.ASSIGN) this.features |= Feature.ASSIGN;

      if (number === Word.WITH) {
        cte ??= new CteTracker();
        cte.begin(depth);
      } else if (cte !== undefined) cte.step(kind, number, code, code === OPEN ? depth - 1 : depth);

      kind1 = kind;
      value1 = value;
      code1 = code;
      start1 = lexer.start;
      end1 = lexer.end;
      number2 = number1;
      number1 = number;
    }
  }

  #clear(): void {
    const lexer = this.#lexer;
    lexer.notices = 0;
    this.start = lexer.position;
    this.head = this.headKind = this.nesting = this.features = this.notices = 0;
    this.headStart = this.headEnd = this.functionStart = this.functionEnd = -1;
    this.isProgram = this.isCompound = this.isUnfinished = this.#sawSystemVariable = false;
  }

  /** Notes a keyword; `true` when it is a write unless a parenthesis follows. */
  #word(number: number, before: number, beforeThat: number, index: number): boolean {
    switch (number) {
      case Word.UPDATE:
        if (before === Word.FOR) this.features |= Feature.LOCKING;
        else if (index > 0) this.features |= Feature.WRITE_WORD;
        return false;
      case Word.SHARE:
        if (before === Word.FOR) this.features |= Feature.LOCKING;
        return false;
      case Word.IN:
        if (before === Word.LOCK) this.features |= Feature.LOCKING;
        return false;
      case Word.CONNECTION:
        if (before === Word.FOR) this.features |= Feature.FOR_CONNECTION;
        return false;
      case Word.INTO:
        this.features |= Feature.INTO;
        return false;
      case Word.OUTFILE:
      case Word.DUMPFILE:
        if (before === Word.INTO) this.features |= Feature.INTO_FILE;
        return false;
      case Word.DELETE:
        if (index > 0) this.features |= Feature.WRITE_WORD;
        return false;
      case Word.INSERT:
      case Word.REPLACE:
        return index > 0;
      case Word.SQL_CALC_FOUND_ROWS:
        this.features |= Feature.CALC_FOUND_ROWS;
        return false;
      case Word.FOR:
        if (before !== Word.VALUE) return false;
        if (beforeThat === Word.NEXT) this.features |= Feature.SEQUENCE_WRITE;
        if (beforeThat === Word.PREVIOUS) this.features |= Feature.SEQUENCE_READ;
        return false;
      default:
        return false;
    }
  }

  /** Notes names that mean something wherever they stand. */
  #names(value: number, kind: number, before: number): void {
    const number = value & WordFlag.NUMBER;
    if (number === Word.PERFORMANCE_SCHEMA) this.features |= Feature.LOCAL;
    if (kind === Token.NAME || before === POINT) {
      // Oracle mode: `sequence.NEXTVAL`.
      if (number === Word.NEXTVAL) this.features |= Feature.SEQUENCE_WRITE;
      if (number === Word.CURRVAL) this.features |= Feature.SEQUENCE_READ;
    }
    if (!this.#sawSystemVariable) return;
    if ((value & WordFlag.LAST_STATEMENT) !== 0) this.features |= Feature.LAST_STATEMENT;
    if ((value & WordFlag.LAST_WRITE) !== 0) this.features |= Feature.LAST_WRITE;
  }

  /** Notes a call of the function at `start`; returns its number when it has one. */
  #call(kind: number, value: number, start: number, end: number, isQualified: boolean): number {
    if (kind !== Token.WORD || isQualified) {
      this.#foreignCall(start, end, isQualified);
      return Word.NONE;
    }
    const number = value & WordFlag.NUMBER;
    const special = SPECIAL_FUNCTIONS[number];
    if (special !== undefined) {
      this.features |= special;
      return number;
    }
    const { reads, plain } = this.#functions;
    if ((value & reads) === reads || (value & plain) === plain) return number;
    if ((value & WordFlag.LOCAL) !== 0) this.features |= Feature.LOCAL;
    else this.#foreignCall(start, end, false);
    return number;
  }

  #foreignCall(start: number, end: number, isQualified: boolean): void {
    const { readOnly } = this.#functions;
    if (readOnly.size > 0) {
      const name = bareName(this.#text, start, end);
      if (readOnly.has(name)) return;
      if (isQualified && readOnly.has(`${schemaBefore(this.#text, start)}.${name}`)) return;
    }
    this.features |= Feature.UNKNOWN_FUNCTION;
    if (this.functionStart >= 0) return;
    this.functionStart = start;
    this.functionEnd = end;
  }
}

const SPECIAL_FUNCTIONS: readonly (number | undefined)[] = (() => {
  const features: (number | undefined)[] = new Array(64).fill(undefined);
  features[Word.GET_LOCK] = Feature.NAMED_LOCK;
  features[Word.RELEASE_LOCK] = Feature.LOCK_RELEASE;
  features[Word.RELEASE_ALL_LOCKS] = Feature.ALL_LOCKS_RELEASE;
  features[Word.LAST_INSERT_ID] = Feature.LAST_WRITE;
  features[Word.FOUND_ROWS] = Feature.FOUND_ROWS;
  features[Word.ROW_COUNT] = Feature.LAST_STATEMENT;
  features[Word.NEXTVAL] = Feature.SEQUENCE_WRITE;
  features[Word.SETVAL] = Feature.SEQUENCE_WRITE;
  features[Word.LASTVAL] = Feature.SEQUENCE_READ;
  features[Word.CONNECTION_ID] = Feature.CONNECTION_ID;
  return features;
})();

function isName(kind: number): boolean {
  return kind === Token.WORD || kind === Token.NAME || kind === Token.STRING_OR_NAME;
}

function isProgramWord(number: number): boolean {
  return (
    number === Word.PROCEDURE ||
    number === Word.FUNCTION ||
    number === Word.TRIGGER ||
    number === Word.EVENT ||
    number === Word.PACKAGE
  );
}

function isBlockWord(number: number): boolean {
  return (
    number === Word.IF ||
    number === Word.LOOP ||
    number === Word.REPEAT ||
    number === Word.WHILE ||
    number === Word.FOR
  );
}

const NAME_LIMIT = 130;

/** The name at `start`, without its quotes, in lower case; empty when it is too long to be one. */
function bareName(text: string, start: number, end: number): string {
  if (end - start > NAME_LIMIT) return '';
  const first = text.charCodeAt(start);
  const isQuoted = first === 96 || first === 34;
  return (isQuoted ? text.slice(start + 1, end - 1) : text.slice(start, end)).toLowerCase();
}

/** The name before the point that ends before `start`; only where no blank is in between. */
function schemaBefore(text: string, start: number): string {
  const end = start - 1;
  const last = text.charCodeAt(end - 1);
  if (text.charCodeAt(end) !== POINT) return '';
  const isQuoted = last === 96 || last === 34;
  const low = Math.max(0, end - NAME_LIMIT);
  let begin = isQuoted ? end - 2 : end - 1;
  while (
    begin >= low &&
    (isQuoted ? text.charCodeAt(begin) !== last : /[\w$\u0080-\uffff]/.test(text[begin] ?? ''))
  ) {
    begin -= 1;
  }
  return (isQuoted ? text.slice(begin + 1, end - 1) : text.slice(begin + 1, end)).toLowerCase();
}
