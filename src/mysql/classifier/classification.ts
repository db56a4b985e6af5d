/** What a statement is, where it may run, and what it leaves behind in the session: the words that the router acts on. */

/**
 * What a text does.
 *
 * - `read`: reads only; may be sent again after a lost connection.
 * - `write`: changes data, definitions, accounts or the server itself.
 * - `transaction`: begins, ends or prepares a transaction and does nothing else.
 * - `session`: changes only the state of its own connection (variables, locks, cursors, prepared statements).
 * - `unknown`: may be anything, also a change of session state that no pin names (procedures, dynamic SQL, text that
 *   is not understood). Treat it as a write, and reset the connection before somebody else gets it.
 */
export type StatementKind = 'read' | 'write' | 'transaction' | 'session' | 'unknown';

/**
 * Where a text must run.
 *
 * - `replica`: a replica may serve it (the primary may, too).
 * - `primary`: only the primary, whatever a hint says.
 * - `same`: the connection that ran the statement before; when there is none the primary, or, for `CONNECTION_ID()`, where reads go.
 * - `all`: the setting belongs to the session and is replayed on every connection that the session takes later.
 */
export type Route = 'replica' | 'primary' | 'same' | 'all';

/**
 * What a text does to the transaction state. `autocommit-on` ends an open transaction only when autocommit was off.
 * What `XA PREPARE` did outlives the connection, so the three `xa-` effects may have happened without an answer.
 * `autocommit-off` also stands for a value that cannot be told from the text.
 */
export type TransactionEffect =
  | 'begin'
  | 'begin-read-only'
  | 'begin-read-write'
  | 'commit'
  | 'rollback'
  | 'savepoint'
  | 'xa-prepare'
  | 'xa-commit'
  | 'xa-rollback'
  | 'autocommit-on'
  | 'autocommit-off'
  | 'next-transaction';

/** A kind of session state that ties the session to one connection. */
export type Pin =
  | 'temp-table'
  | 'user-variable'
  | 'named-lock'
  | 'table-lock'
  | 'prepared'
  | 'found-rows'
  | 'handler'
  | 'session-variable'
  | 'xa';

/** One thing that is pinned or released. */
export interface PinTarget {
  /** The kind of state. */
  readonly pin: Pin;
  /**
   * Which one: the table of a `temp-table` or `handler`, the lock of a `named-lock`, the statement of a `prepared`,
   * `tables`, `instance` or `backup` of a `table-lock`; in lower case where the server ignores case. `undefined` in
   * `pinned`: cannot be told, so only a release of the whole kind or a reset lets go. `undefined` in `unpinned`: the
   * whole kind is released. The server counts how often a `named-lock` is taken and wants as many releases; everything
   * else is there or not.
   */
  readonly name: string | undefined;
}

/** A setting that the session replays on its next connection instead of being pinned by it. */
export type SessionSetting =
  | 'charset'
  | 'time-zone'
  | 'sql-mode'
  | 'isolation'
  | 'access-mode'
  | 'database'
  | 'variable';

/** Whether the next transaction may write. */
export type AccessMode = 'read-only' | 'read-write';

/** The answer of the classifier; immutable, and shared between equal texts. */
export interface Classification {
  /** What the text does. */
  readonly kind: StatementKind;
  /** Where it must run. */
  readonly route: Route;
  /** What it does to the transaction state; absent when nothing. Applied after {@link implicitCommit}. */
  readonly transaction?: TransactionEffect;
  /** Whether an open transaction is committed by it although it is no `COMMIT`. Only true where that is certain. */
  readonly implicitCommit: boolean;
  /** The kinds of session state that it creates. */
  readonly pins: readonly Pin[];
  /** The kinds of session state that it lets go of; which ones of them, {@link unpinned} tells. */
  readonly unpins: readonly Pin[];
  /** Present where it may stop half way with a part of it done: several statements, procedures, what is not understood. */
  readonly several?: true;
  /**
   * Present on several statements of which the first ends the transaction that is open, so that nothing is done in that: `always`,
   * whatever becomes of the others, or `once-done`, which it may fail before (a definition).
   */
  readonly endsFirst?: 'always' | 'once-done';
  /** Present where it changes the server itself, and no data: a read-only transaction does not keep it from that. */
  readonly administers?: true;
  /** Present on a write that calls a function which is not known to only read: it may leave something in the session. */
  readonly calls?: true;
  /**
   * Present where it uses user variables and sets none: `user-variable` in {@link pins} then stands for what may have been set
   * before.
   */
  readonly keepsVariables?: true;
  /** Present where the transaction that it begins has the access mode and the isolation of the one that it ends (`AND CHAIN`). */
  readonly chained?: true;
  /** Present where the server closes the connection once it has answered (`RELEASE`). */
  readonly closes?: true;
  /** Present where the transaction that it begins shows what is there now, not at its first read (`WITH CONSISTENT SNAPSHOT`). */
  readonly snapshots?: true;
  /** Present where it tells the number of its server session (`CONNECTION_ID()`): a replica may tell its own. */
  readonly tellsNumber?: true;
  /** Present where it asks about its connection, or the statement before on that, and shows the rows of a table as well. */
  readonly showsRows?: true;
  /**
   * Present where it asks about the statement before on its connection (`ROW_COUNT()`, `FOUND_ROWS()`, `@@warning_count`, `SHOW
   * WARNINGS`, `GET DIAGNOSTICS`), whatever else it does: nothing may come between, and no other connection knows.
   */
  readonly asksBefore?: true;
  /** Present where it asks what the statement before did, its changes or warnings, which also our own savepoints take the place of. */
  readonly asksOutcome?: true;
  /** Present where it asks how many rows the last `SELECT` of its connection found (`FOUND_ROWS()`), which others may leave as it was. */
  readonly asksFound?: true;
  /** Present where every server counts the rows that it finds, for `FOUND_ROWS()`, once it has succeeded. */
  readonly setsFound?: true;
  /** Present where it asks for what the last write of its connection left (`LAST_INSERT_ID()`), whatever else it does. */
  readonly asksWrite?: true;
  /** Present where it asks for the number that a sequence gave its connection last (`LASTVAL()`), whatever else it does. */
  readonly asksSequence?: true;
  /** Present where it names a table without a schema that is one of the server's own where the database is one of the system. */
  readonly namesLocal?: true;
  /** The database that it chooses (`USE`). */
  readonly database?: string;
  /** Present on a read that locks the rows that it reads (`FOR UPDATE`): it sees the newest ones, whatever its transaction sees. */
  readonly locksRows?: true;
  /** Present where it names a savepoint that is kept for `transaction()`: its name begins with `stormlamp_`. */
  readonly reserved?: true;
  /** One short sentence for people: why. */
  readonly because: string;
  /** What exactly is pinned, one entry per thing, where the text tells. */
  readonly pinned?: readonly PinTarget[];
  /** What exactly is released. A plain `DROP TABLE` names its tables here, too: one of them may be temporary. */
  readonly unpinned?: readonly PinTarget[];
  /** The settings that route `all` is about (also present when something else forced another route). */
  readonly settings?: readonly SessionSetting[];
  /** With `next-transaction`: whether that one may write, when the text says so. */
  readonly access?: AccessMode;
}

/** Options of `classify`. */
export interface ClassifyOptions {
  /** The server's family. Default: not known, the stricter answer of both counts. */
  readonly flavor?: 'mysql' | 'mariadb' | undefined;
  /**
   * The session's `sql_mode`, as a list. `ANSI_QUOTES`, `NO_BACKSLASH_ESCAPES`, `IGNORE_SPACE` and the modes
   * that imply double quotes around names matter. Default: not known, the stricter answer counts.
   */
  readonly sqlMode?: readonly string[] | undefined;
  /** What is known about the functions of the schema. */
  readonly functions?: FunctionOptions | undefined;
  /** What is known about session variables. */
  readonly variables?: VariableOptions | undefined;
}

/** What the caller says about session variables. */
export interface VariableOptions {
  /**
   * Session variables that may be set again on the next connection of a session, so that setting one does not tie the
   * session to its connection: for example `['foreign_key_checks']`. Character set, time zone, `sql_mode`, isolation level,
   * access mode and database always are. Default: none.
   */
  readonly replayed?: readonly string[] | undefined;
}

/** What the caller promises about stored and loadable functions. */
export interface FunctionOptions {
  /**
   * Functions that only read, as `name` or `schema.name`, in any case. A call of any other function that is not built in
   * goes to the primary. Default: none.
   */
  readonly readOnly?: readonly string[] | undefined;
}
