/** Walks over one statement after the other and notes what in them matters for routing. */

import { BlockCounter } from './block-counter.js';
import { Character } from './characters.js';
import { CteTracker } from './cte-tracker.js';
import { Feature } from './features.js';
import { callFeatures, type KnownFunctions } from './function-calls.js';
import { JsonTableTracker } from './json-table-tracker.js';
import type { Reading } from './reading.js';
import { StatementLexer, Token } from './statement-lexer.js';
import { Word, WordFlag } from './words.js';

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
  /** Whether it defines a stored program or a view: what stands in that is done when it is used. */
  isStored = false;
  /** Whether it is a compound statement outside of a stored program. */
  isCompound = false;
  /** Whether blocks are left open at its end. */
  isUnfinished = false;
  /** Whether a name in it is that of a table which every server has for itself, in some schemas. */
  namesLocal = false;
  /** Where the name of the first function that is not on the list starts. */
  functionStart = -1;
  /** Where that name ends. */
  functionEnd = -1;

  readonly #text: string;
  readonly #lexer: StatementLexer;
  readonly #functions: KnownFunctions;
  #hasNext = true;
  #sawSystemVariable = false;
  #sawMixedSchema = false;

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
    const text = this.#text;
    const lexer = this.#lexer;
    const functions = this.#functions;
    this.#clear();
    let cte: CteTracker | undefined;
    let jsonTable: JsonTableTracker | undefined;
    let blocks: BlockCounter | undefined;
    let index = -1;
    let depth = 0;
    let isObjectKnown = false;
    let maybeWrite = false;
    let maybeSetsId = false;
    // Behind the name of the table that is written into stand its columns.
    let mayListColumns = false;
    // The tokens before this one, the nearest with a 1.
    let kind1 = 0;
    let kind2 = 0;
    let value1 = 0;
    let code1 = 0;
    let code2 = 0;
    let start1 = 0;
    let end1 = 0;
    let number1 = 0;
    let number2 = 0;
    for (;;) {
      const kind = lexer.next();
      const value = lexer.word;
      const number = kind === Token.WORD ? value & WordFlag.NUMBER : 0;
      const code = kind === Token.PUNCTUATION ? lexer.code : 0;
      const isLast = kind === Token.END || kind === Token.SEMICOLON;
      if (index >= 0) index += 1;
      else if (code === Character.OPEN) this.nesting += 1;
      else if (!isLast) {
        index = 0;
        this.#head(kind, number);
        mayListColumns = number === Word.INSERT || number === Word.REPLACE;
      }

      if (index === 1 && !isLast) blocks = this.#compound(number, code);
      if (blocks !== undefined) {
        blocks.step(number);
        if (kind === Token.SEMICOLON && blocks.isInside) {
          kind1 = value1 = code1 = number1 = number2 = 0;
          continue;
        }
      }
      if (maybeWrite) {
        maybeWrite = false;
        if (code !== Character.OPEN) this.features |= Feature.WRITE_WORD;
      }
      if (maybeSetsId) {
        maybeSetsId = false;
        this.features |= code === Character.CLOSE ? Feature.LAST_WRITE : Feature.SETS_INSERT_ID;
      }
      if (isLast) {
        this.#hasNext = kind === Token.SEMICOLON;
        this.end = lexer.start;
        this.notices = lexer.notices;
        this.isUnfinished = blocks?.isInside ?? false;
        return true;
      }
      // Behind the sign stands the name of an account.
      const mayBeObject = index > 0 && kind === Token.WORD && code1 !== Character.EQUALS;
      if (!isObjectKnown && mayBeObject && (this.head === Word.CREATE || this.head === Word.ALTER)) {
        const isProgram = isProgramWord(number);
        if (isProgram) blocks = new BlockCounter(0);
        this.isStored = isProgram || (value & WordFlag.VIEW) !== 0;
        isObjectKnown = this.isStored || (value & WordFlag.OBJECT) !== 0;
      }

      if (code === Character.OPEN) {
        // Behind AS stands an alias or a type, behind a closing parenthesis an alias or an operator.
        const isPlace =
          mayListColumns || number2 === Word.AS || code2 === Character.CLOSE || (cte?.atColumns ?? false);
        if (jsonTable?.isOpen) jsonTable.openInside(number1, kind2, code2, depth);
        if (isName(kind1) && !isPlace && !jsonTable?.isInColumns) {
          if (number1 === Word.JSON_TABLE && code2 !== Character.POINT && !jsonTable?.isOpen) {
            jsonTable ??= new JsonTableTracker();
            jsonTable.open(depth);
          } else {
            const touches = end1 === lexer.start;
            const isQualified = code2 === Character.POINT;
            const found = callFeatures(text, functions, kind1, value1, start1, end1, touches, isQualified);
            maybeSetsId = found === Feature.LAST_WRITE;
            if (!maybeSetsId) this.features |= found;
            if (found === Feature.UNKNOWN_FUNCTION && this.functionStart < 0) {
              this.functionStart = start1;
              this.functionEnd = end1;
            }
          }
        }
        depth += 1;
      } else if (code === Character.CLOSE) {
        depth -= 1;
        if (jsonTable?.isOpen && !jsonTable.close(depth)) this.features |= Feature.UNKNOWN_FUNCTION;
      } else if (isName(kind)) {
        if (value !== 0) {
          if (number !== 0 && this.#word(number, number1, number2, index)) maybeWrite = true;
          this.#names(value, kind, code1);
        }
      } else if (kind === Token.USER_VARIABLE) {
        const isAccount = isName(kind1) || kind1 === Token.STRING;
        const isWord = kind1 === Token.WORD && (number1 !== 0 || end1 !== lexer.start);
        this.features |= isAccount && !isWord ? Feature.ACCOUNT : Feature.USER_VARIABLE;
      } else if (kind === Token.SYSTEM_VARIABLE) {
        this.#sawSystemVariable = true;
        this.#names(value, kind, 0);
      } else if (kind === Token.ASSIGN) this.features |= Feature.ASSIGN;
      else if (code === Character.POINT && isName(kind1) && (value1 & WordFlag.LOCAL_SCHEMA) !== 0)
        this.features |= Feature.LOCAL;

      if (number === Word.WITH) {
        cte ??= new CteTracker();
        cte.begin(depth);
      } else if (cte !== undefined) cte.step(kind, number, code, code === Character.OPEN ? depth - 1 : depth);

      if (mayListColumns && (kind === Token.ASSIGN || number === Word.SELECT || isOther(kind, code)))
        mayListColumns = false;
      kind2 = kind1;
      kind1 = kind;
      value1 = value;
      code2 = code1;
      code1 = code;
      start1 = lexer.start;
      end1 = lexer.end;
      number2 = number1;
      number1 = number;
    }
  }

  #head(kind: number, number: number): void {
    const lexer = this.#lexer;
    this.head = number;
    this.headKind = kind;
    this.headInComment = lexer.inComment;
    this.headStart = lexer.start;
    this.headEnd = lexer.end;
  }

  /** Looks at the second token for a compound statement: a block without a program, or a label. */
  #compound(number: number, code: number): BlockCounter | undefined {
    const isBlock = this.head === Word.BEGIN && number !== Word.WORK;
    this.isCompound = isBlock || code === Character.COLON;
    return this.isCompound ? new BlockCounter(isBlock ? 1 : 0) : undefined;
  }

  #clear(): void {
    const lexer = this.#lexer;
    lexer.notices = 0;
    this.start = lexer.position;
    this.head = this.headKind = this.nesting = this.features = this.notices = 0;
    this.headStart = this.headEnd = this.functionStart = this.functionEnd = -1;
    this.isStored = this.isCompound = this.isUnfinished = this.namesLocal = false;
    this.#sawSystemVariable = this.#sawMixedSchema = false;
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
    if ((value & WordFlag.MIXED_SCHEMA) !== 0) this.#sawMixedSchema = true;
    if ((value & WordFlag.LOCAL_TABLE) !== 0) {
      this.namesLocal = true;
      if (this.#sawMixedSchema) this.features |= Feature.LOCAL;
    }
    if (kind === Token.NAME || before === Character.POINT) {
      // Oracle mode: `sequence.NEXTVAL`.
      if (number === Word.NEXTVAL) this.features |= Feature.SEQUENCE_WRITE;
      if (number === Word.CURRVAL) this.features |= Feature.SEQUENCE_READ;
    }
    // Oracle mode: `SQL%ROWCOUNT`.
    if (number === Word.ROWCOUNT && before === Character.PERCENT) this.features |= Feature.LAST_STATEMENT;
    if (!this.#sawSystemVariable) return;
    if ((value & WordFlag.LAST_STATEMENT) !== 0) this.features |= Feature.LAST_STATEMENT;
    if ((value & WordFlag.LAST_WRITE) !== 0) this.features |= Feature.LAST_WRITE;
  }
}

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

/** Whether a token is none that stands before the columns of a table that is written into. */
function isOther(kind: number, code: number): boolean {
  return kind === Token.PUNCTUATION && code !== Character.POINT;
}
