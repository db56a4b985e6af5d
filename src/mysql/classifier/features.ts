/** What a scan looks for in a statement. */

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
  /** `LAST_INSERT_ID()` without an argument, `@@last_gtid` and the like. */
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
