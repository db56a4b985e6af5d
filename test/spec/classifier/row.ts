/** One line of the classifier's tables. */
import type { Pin, TransactionEffect } from '../../../src/mysql/classifier/statement-classifier.js';

/** What a row says besides kind and route. */
export interface RowDetails {
  readonly flavor?: 'mysql' | 'mariadb';
  readonly sqlMode?: readonly string[];
  readonly functions?: readonly string[];
  /** Session variables that the user wants to be replayed. */
  readonly replayed?: readonly string[];
  readonly transaction?: TransactionEffect;
  /** Whether an open transaction is committed. Default false. */
  readonly commits?: boolean;
  readonly pins?: readonly Pin[];
  readonly unpins?: readonly Pin[];
  /** `pin:name` of everything that is pinned, where it matters. */
  readonly pinned?: readonly string[];
  /** `pin:name` of everything that is released, where it matters. */
  readonly unpinned?: readonly string[];
  /** The settings that are replayed. */
  readonly settings?: readonly string[];
  /** The access mode that is announced. Not checked when absent. */
  readonly access?: 'read-only' | 'read-write';
  /** Whether user variables are used and none is set. Not checked when absent. */
  readonly keepsVariables?: boolean;
  /** Whether the transaction that it begins shows what is there now. Not checked when absent. */
  readonly snapshots?: boolean;
}

/** A statement, its kind and route as `kind route`, and the rest. */
export type Row = readonly [sql: string, expected: string, details?: RowDetails];

/** The same details for many statements. */
export function rows(expected: string, details: RowDetails, statements: readonly string[]): Row[] {
  return statements.map((sql) => [sql, expected, details]);
}
