/** The words that the one-pass scan tells apart, and what is known of each, packed into one number per word. */
import {
  LOCAL_FUNCTIONS,
  MARIADB_FUNCTIONS,
  MARIADB_VERSION_FUNCTIONS,
  MYSQL_FUNCTIONS,
  MYSQL_VERSION_FUNCTIONS,
  TOUCHING_FUNCTIONS,
} from './builtin-functions.js';
import { LOCAL_SCHEMAS, LOCAL_TABLES, MIXED_SCHEMAS } from './local-tables.js';
import { NEVER_CALLED, NEVER_CALLED_ON_MYSQL } from './never-called-words.js';
import { WordTable } from './word-table.js';

/** Numbers of the words that the scan asks for by name. */
export const Word = {
  NONE: 0,
  ALTER: 1,
  AS: 2,
  BEGIN: 3,
  CASE: 4,
  CONNECTION: 5,
  CONNECTION_ID: 6,
  CREATE: 7,
  CURRVAL: 8,
  DELETE: 9,
  DUMPFILE: 10,
  END: 11,
  EVENT: 12,
  FOR: 13,
  FOUND_ROWS: 14,
  FROM: 15,
  FUNCTION: 16,
  GET_LOCK: 17,
  IF: 18,
  IN: 19,
  INSERT: 20,
  INTO: 21,
  LAST_INSERT_ID: 22,
  LASTVAL: 23,
  LOCK: 24,
  LOOP: 25,
  NEXT: 26,
  NEXTVAL: 27,
  OUTFILE: 28,
  PACKAGE: 29,
  PERFORMANCE_SCHEMA: 30,
  PREVIOUS: 31,
  PROCEDURE: 32,
  RECURSIVE: 33,
  RELEASE_ALL_LOCKS: 34,
  RELEASE_LOCK: 35,
  REPEAT: 36,
  REPLACE: 37,
  ROW_COUNT: 38,
  SELECT: 39,
  SETVAL: 40,
  SHARE: 41,
  SQL_CALC_FOUND_ROWS: 42,
  TABLE: 43,
  TRIGGER: 44,
  UPDATE: 45,
  VALUE: 46,
  VALUES: 47,
  WHILE: 48,
  WITH: 49,
  WORK: 50,
  COLUMNS: 51,
  JSON_TABLE: 52,
  ROWCOUNT: 53,
} as const;

/** Bits above the word's number. */
export const WordFlag = {
  /** Masks the word's number out of its value. */
  NUMBER: 0x3ff,
  /** A built-in function of MySQL that only reads, with the same answer on every server. */
  READS_ON_MYSQL: 0x400,
  /** The same for MariaDB. */
  READS_ON_MARIADB: 0x800,
  /** In MySQL, this word before a parenthesis is never a call. */
  PLAIN_ON_MYSQL: 0x1000,
  /** The same for MariaDB. */
  PLAIN_ON_MARIADB: 0x2000,
  /** A built-in function that only reads, but what it reads is the server it runs on. */
  LOCAL: 0x4000,
  /** A system variable about the statement before. */
  LAST_STATEMENT: 0x8000,
  /** A system variable about the last write of this connection. */
  LAST_WRITE: 0x10000,
  /** A built-in function that is only meant when the parenthesis touches the name. */
  TOUCHING: 0x40000,
  /** What a `CREATE` or `ALTER` is about, when it is nothing stored that runs later: no stored program, and no view. */
  OBJECT: 0x20000,
  /** The same, when it is a view: that word, or one that stands before it only. */
  VIEW: 0x400000,
  /** A schema some tables of which say something about the server that is asked. */
  MIXED_SCHEMA: 0x80000,
  /** A schema all tables of which do. */
  LOCAL_SCHEMA: 0x100000,
  /** A table of such a mixed schema that does. */
  LOCAL_TABLE: 0x200000,
} as const;

const LAST_STATEMENT = 'warning_count error_count';
const LAST_WRITE = 'last_insert_id identity insert_id last_gtid';
const OBJECTS =
  'table database schema index unique fulltext spatial user role server sequence tablespace logfile undo resource instance temporary';
const VIEWS = 'view algorithm';

/** All words of the scan. */
export const WORDS: WordTable = new WordTable([
  ...Object.entries(Word).filter(([, number]) => number !== Word.NONE),
  ...flagged(MYSQL_FUNCTIONS, WordFlag.READS_ON_MYSQL),
  // A name that some version has built in is taken for that function on all of them.
  ...flagged(MYSQL_VERSION_FUNCTIONS, WordFlag.READS_ON_MYSQL),
  ...flagged(MARIADB_FUNCTIONS, WordFlag.READS_ON_MARIADB),
  ...flagged(MARIADB_VERSION_FUNCTIONS, WordFlag.READS_ON_MARIADB),
  ...flagged(TOUCHING_FUNCTIONS, WordFlag.TOUCHING),
  ...flagged(LOCAL_FUNCTIONS, WordFlag.LOCAL),
  ...flagged(NEVER_CALLED, WordFlag.PLAIN_ON_MYSQL | WordFlag.PLAIN_ON_MARIADB),
  ...flagged(NEVER_CALLED_ON_MYSQL, WordFlag.PLAIN_ON_MYSQL),
  ...flagged(LAST_STATEMENT, WordFlag.LAST_STATEMENT),
  ...flagged(LAST_WRITE, WordFlag.LAST_WRITE),
  ...flagged(OBJECTS, WordFlag.OBJECT),
  ...flagged(VIEWS, WordFlag.VIEW),
  ...flagged(MIXED_SCHEMAS, WordFlag.MIXED_SCHEMA),
  ...flagged(LOCAL_SCHEMAS, WordFlag.LOCAL_SCHEMA),
  ...flagged(LOCAL_TABLES, WordFlag.LOCAL_TABLE),
]);

function flagged(words: string, flag: number): [string, number][] {
  return words.split(' ').map((word) => [word, flag]);
}
