/** What made-up databases answer: the test says it, statement by statement. */
import { inspect } from 'node:util';
import { invalidOption } from '../../common/option-reader.js';

/** A statement as a made-up database got it. */
export interface FakeStatement {
  /** The text, with its placeholders. */
  readonly sql: string;
  /** The values for the placeholders. */
  readonly values: readonly unknown[];
  /** The name of the database: `db1`, `db2`, … */
  readonly node: string;
  /** What that database was at that time. */
  readonly role: 'primary' | 'replica';
}

/** What a write answers. */
export interface FakeWriteResult {
  /** Rows that it changed. Default 1. */
  readonly affectedRows?: number | undefined;
  /** The AUTO_INCREMENT value. Default 0. */
  readonly insertId?: number | undefined;
}

/** Rows, what a write did, or an error of the server. */
export type FakeReply = readonly Readonly<Record<string, unknown>>[] | FakeWriteResult | Error;

/** The reply to a statement, or a function that gives it, at once or later. */
export type FakeAnswer = FakeReply | ((statement: FakeStatement) => FakeReply | Promise<FakeReply>);

interface Rule {
  matches(sql: string): boolean;
  readonly answer: FakeAnswer;
}

/** The answers of all databases of a cluster. */
export class FakeAnswers {
  readonly #rules: Rule[] = [];

  /**
   * Sets the answer to a text (blanks do not count) or to every text that a pattern matches. The newest goes first.
   *
   * @throws StormlampError `ERR_INVALID_OPTION`.
   */
  add(pattern: string | RegExp, answer: FakeAnswer): void {
    if (typeof answer !== 'function' && !isReply(answer))
      throw invalidOption('answer', 'rows, what a write did, an error, or a function', answer);
    if (pattern instanceof RegExp) {
      this.#rules.unshift({ matches: (sql) => sql.search(pattern) >= 0, answer });
    } else if (typeof pattern === 'string') {
      const wanted = withoutBlanks(pattern);
      this.#rules.unshift({ matches: (sql) => withoutBlanks(sql) === wanted, answer });
    } else throw invalidOption('pattern', 'a text or a regular expression', pattern);
  }

  /** The reply to a statement; an error that says what to do when the test set none. */
  async replyTo(statement: FakeStatement): Promise<FakeReply> {
    const rule = this.#rules.find(({ matches }) => matches(statement.sql));
    if (rule === undefined) {
      const message = `The test sets no answer to this statement: add \`answer(${JSON.stringify(statement.sql)}, …)\``;
      return Object.assign(new Error(message), { code: 'ER_NO_FAKE_ANSWER', errno: 1064, sqlState: '42000' });
    }
    try {
      const reply: unknown = typeof rule.answer === 'function' ? await rule.answer(statement) : rule.answer;
      return isReply(reply) ? reply : noReply(statement, reply);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

function isReply(value: unknown): value is FakeReply {
  if (!Array.isArray(value)) return typeof value === 'object' && value !== null;
  return value.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row));
}

function noReply({ sql }: FakeStatement, given: unknown): Error {
  const message = `The function that answers ${JSON.stringify(sql)} gave ${inspect(given, { depth: 1, breakLength: Number.POSITIVE_INFINITY })}: let it give rows (a list of objects), { affectedRows, insertId } for a write, or an Error`;
  return Object.assign(new Error(message), { code: 'ER_NO_FAKE_ANSWER', errno: 1064, sqlState: '42000' });
}

function withoutBlanks(sql: string): string {
  return sql.replaceAll(/\s+/g, ' ').trim();
}
