/** What the driver and a server refuse of a statement before anything is answered to it. */
import { likeliestReading } from '../../mysql/classifier/reading.js';
import { StatementLexer, Token } from '../../mysql/classifier/statement-lexer.js';
import {
  createFormatter,
  createNameResolver,
  type NameResolver,
  type TextFormatter,
} from '../../mysql/connection-factory.js';
import type { MysqlNodeConfig } from '../../mysql/connection-options.js';

const READING = likeliestReading({ flavor: 'mariadb', sqlMode: [] });
const [PLACEHOLDER, COLON] = ['?', ':'].map((letter) => letter.charCodeAt(0));

/** The checks of a connection with some options. */
export class StatementChecks {
  readonly #format: TextFormatter;
  readonly #resolve: NameResolver;
  readonly #takesSeveral: boolean;

  /** Reads the options. */
  constructor({ connection }: MysqlNodeConfig) {
    const options = connection as unknown as Parameters<typeof createFormatter>[0];
    this.#format = createFormatter(options);
    this.#resolve = createNameResolver(options);
    this.#takesSeveral = connection.multipleStatements === true;
  }

  /** The server's error about a text; undefined when it takes it. Throws what the driver throws about the values. */
  text(sql: string, values: unknown, named: boolean | undefined): Error | undefined {
    const { placeholders, unexpected } = shapeOf(this.#format(sql, values, named));
    if (unexpected?.kind === 'name' || (unexpected !== undefined && !this.#takesSeveral))
      return syntaxError(unexpected.near);
    return placeholders === 0 ? undefined : syntaxError('?');
  }

  /** The server's error about a statement that is prepared and executed; undefined when it takes it. Throws what the driver throws. */
  prepared(sql: string, values: unknown, named: boolean | undefined): Error | undefined {
    const resolved = this.#resolve(sql, values, named);
    const given = resolved.values;
    if (given !== undefined && given !== null && !Array.isArray(given))
      throw new TypeError('Values of a prepared statement are an array, unless `namedPlaceholders` is on');
    const bound: readonly unknown[] = given ?? [];
    if (bound.includes(undefined))
      throw new TypeError('A value of a prepared statement is undefined; NULL is null');
    if (bound.some((value) => typeof value === 'function'))
      throw new TypeError('A value of a prepared statement is a function');
    const { placeholders, unexpected } = shapeOf(resolved.sql);
    if (unexpected !== undefined) return syntaxError(unexpected.near);
    // MariaDB does not mind values that nothing asks for.
    return placeholders <= bound.length ? undefined : wrongArguments();
  }
}

interface Shape {
  /** How many values it asks for. */
  readonly placeholders: number;
  /** Where a second statement begins, or a name stands for a value; undefined when it does not. */
  readonly unexpected: { readonly kind: 'statement' | 'name'; readonly near: string } | undefined;
}

/** What matters of a text, as a server reads it. */
function shapeOf(sql: string): Shape {
  const lexer = new StatementLexer(sql, READING);
  let placeholders = 0;
  let isOver = false;
  let colonAt = -1;
  let wordEnd = -1;
  let unexpected: Shape['unexpected'];
  for (;;) {
    const kind = lexer.next();
    if (kind === Token.END) return { placeholders, unexpected };
    const isPunctuation = kind === Token.PUNCTUATION;
    if (kind === Token.SEMICOLON) isOver = true;
    else if (isOver) unexpected ??= { kind: 'statement', near: sql.slice(lexer.start) };
    // A colon behind a word ends a label.
    if (kind === Token.WORD && colonAt >= 0 && colonAt + 1 === lexer.start)
      unexpected ??= { kind: 'name', near: sql.slice(colonAt) };
    colonAt = isPunctuation && lexer.code === COLON && wordEnd !== lexer.start ? lexer.start : -1;
    if (kind === Token.WORD) wordEnd = lexer.end;
    if (isPunctuation && lexer.code === PLACEHOLDER) placeholders += 1;
  }
}

function syntaxError(near: string): Error {
  const message = `You have an error in your SQL syntax near '${near.slice(0, 80)}'`;
  return Object.assign(new Error(message), { code: 'ER_PARSE_ERROR', errno: 1064, sqlState: '42000' });
}

function wrongArguments(): Error {
  const message = 'Incorrect arguments to mysqld_stmt_execute: fewer values than placeholders';
  return Object.assign(new Error(message), { code: 'ER_WRONG_ARGUMENTS', errno: 1210, sqlState: 'HY000' });
}
