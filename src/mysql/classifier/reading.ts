/** One way to read a text: the server family and the `sql_mode` bits that decide where strings and comments end. */
import type { ClassifyOptions } from './classification.js';

/** Bits of {@link Reading} that a text can be ambiguous about. */
export const Doubt = {
  /** Whether a backslash in a string escapes the next character. */
  BACKSLASH: 1,
  /** Whether double quotes hold a name. */
  DOUBLE_QUOTE: 2,
  /** Whether a versioned comment is code. */
  COMMENT: 4,
} as const;

/** How a text is read. */
export interface Reading {
  /** `undefined`: not known. */
  readonly flavor: 'mysql' | 'mariadb' | undefined;
  /** Whether a backslash escapes in strings. */
  readonly backslashEscapes: boolean;
  /** Whether double quotes hold a name; `undefined` when it makes no difference to where they end. */
  readonly ansiQuotes: boolean | undefined;
  /** Whether comments that only some server versions execute are code. */
  readonly runsComments: boolean;
  /** The {@link Doubt} bits that the caller's options leave open. */
  readonly open: number;
}

const ANSI_MODES: readonly string[] = [
  'ANSI_QUOTES',
  'ANSI',
  'ORACLE',
  'DB2',
  'MAXDB',
  'MSSQL',
  'POSTGRESQL',
];

/** The likeliest reading of a text, with the doubts that `options` leave open. */
export function likeliestReading(options: ClassifyOptions): Reading {
  const modes = options.sqlMode?.map((mode) => mode.trim().toUpperCase());
  return {
    flavor: options.flavor,
    backslashEscapes: modes === undefined || !modes.includes('NO_BACKSLASH_ESCAPES'),
    ansiQuotes: modes?.some((mode) => ANSI_MODES.includes(mode)),
    runsComments: true,
    open: modes === undefined ? Doubt.BACKSLASH | Doubt.DOUBLE_QUOTE | Doubt.COMMENT : Doubt.COMMENT,
  };
}

/** The reading that decides the doubts in `flips` the other way. */
export function otherReading(likeliest: Reading, flips: number): Reading {
  return {
    flavor: likeliest.flavor,
    backslashEscapes: likeliest.backslashEscapes !== ((flips & Doubt.BACKSLASH) !== 0),
    ansiQuotes: (flips & Doubt.DOUBLE_QUOTE) !== 0 ? true : likeliest.ansiQuotes,
    runsComments: (flips & Doubt.COMMENT) === 0,
    open: likeliest.open,
  };
}

/** What a versioned comment is. */
export type CommentUse = 'code' | 'comment' | 'either';

/**
 * Whether the servers of a family execute a comment that starts with an exclamation mark.
 *
 * @param maria whether it starts with `M!`
 * @param digits how many digits follow: 0, 5 or 6
 * @param version the number they make
 */
export function commentUse(
  flavor: 'mysql' | 'mariadb' | undefined,
  maria: boolean,
  digits: number,
  version: number,
): CommentUse {
  if (flavor === 'mysql') return mysqlComment(maria, digits, version);
  if (flavor === 'mariadb') return mariadbComment(maria, digits, version);
  const mysql = mysqlComment(maria, digits, version);
  return mysql === mariadbComment(maria, digits, version) ? mysql : 'either';
}

/** The oldest MySQL (5.7.0) and MariaDB (10.5.0) that the answer must hold for, as versions in comments. */
const OLDEST_MYSQL = 50_700;
const OLDEST_MARIADB = 100_500;

function mysqlComment(maria: boolean, digits: number, version: number): CommentUse {
  if (maria) return 'comment';
  if (digits === 0) return 'code';
  // Servers before 8.1 read five digits of six and take the last one for code.
  if (digits === 6) return version >= 990_000 ? 'comment' : 'either';
  return version <= OLDEST_MYSQL ? 'code' : 'either';
}

function mariadbComment(maria: boolean, digits: number, version: number): CommentUse {
  if (digits === 0) return 'code';
  // MariaDB leaves the versions of MySQL 5.7 and later to MySQL, unless the comment is its own kind.
  if (!maria && version >= 50_700 && version <= 99_999) return 'comment';
  if (version <= OLDEST_MARIADB) return 'code';
  return version >= 200_000 ? 'comment' : 'either';
}
