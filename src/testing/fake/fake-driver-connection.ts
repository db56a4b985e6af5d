/** A connection of the driver to a made-up database, as far as the client uses one. */
import { EventEmitter } from 'node:events';
import type { Connection } from 'mysql2';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { copyRow } from './copy-row.js';
import type { FakeReply } from './fake-answers.js';
import { FakeCommand } from './fake-command.js';
import type { FakeDatabase, FakeDatabases } from './fake-databases.js';
import type { StatementChecks } from './statement-checks.js';

/** A statement with its options. */
type Form =
  | string
  | { sql: string; values?: unknown; rowsAsArray?: boolean; namedPlaceholders?: boolean | undefined };
type Done = (error: unknown, rows?: unknown, fields?: unknown) => void;

/** Bits of the status that the server sends with its answers. */
const [IN_TRANSACTION, AUTOCOMMIT] = [1, 2];

/** What the server answers to what returns no rows; the client knows it by the name that the driver gives it. */
class ResultSetHeader {
  fieldCount = 0;
  affectedRows = 0;
  insertId = 0;
  info = '';
  warningStatus = 0;
  changedRows = 0;
  serverStatus: number;
  stateChanges?: {
    readonly systemVariables: Readonly<Record<string, string>>;
    readonly gtids: readonly string[];
  };

  constructor(serverStatus: number) {
    this.serverStatus = serverStatus;
  }
}

/** See the head of this file. */
export class FakeDriverConnection extends EventEmitter {
  /** The id of its session. */
  readonly threadId: number;
  /** Its socket, as far as it is looked at. */
  readonly stream: EventEmitter & { destroyed: boolean; destroy(): void };
  /** The number of `utf8mb4_unicode_ci`, as the driver tells it. */
  readonly config = { charsetNumber: 224 };
  readonly #databases: FakeDatabases;
  readonly #database: FakeDatabase;
  readonly #checks: StatementChecks;
  #inTransaction = false;
  #hasWritten = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** A connection that is logged in. */
  constructor(databases: FakeDatabases, database: FakeDatabase, threadId: number, checks: StatementChecks) {
    super();
    this.#checks = checks;
    this.#databases = databases;
    this.#database = database;
    this.threadId = threadId;
    const stream = new EventEmitter();
    const destroy = (): void => {
      if (this.stream.destroyed) return;
      this.stream.destroyed = true;
      database.connections.delete(this);
      setImmediate(() => stream.emit('close'));
    };
    this.stream = Object.assign(stream, { destroyed: false, destroy });
  }

  /** The same as the driver's type. */
  asDriver(): Connection {
    return this as unknown as Connection;
  }

  /** The database dies. */
  lose(): void {
    const error = Object.assign(new Error('Connection lost: The server closed the connection.'), {
      code: 'PROTOCOL_CONNECTION_LOST',
      fatal: true,
    });
    this.emit('error', error);
    this.stream.destroy();
  }

  /** A statement as text. */
  query(form: Form, ...rest: unknown[]): FakeCommand {
    return this.#run('text', form, rest);
  }

  /** A prepared statement. */
  execute(form: Form, ...rest: unknown[]): FakeCommand {
    return this.#run('prepared', form, rest);
  }

  /** Not there: a prepared statement of its own needs a server. */
  prepare(_form: unknown, done: Done): void {
    const message = 'A made-up database has no prepare(); use execute(), or startLocalCluster()';
    process.nextTick(done, new StormlampError(ErrorCode.UNSUPPORTED, message));
  }

  /** A sign of life. */
  ping(done: Done): void {
    process.nextTick(done, null);
  }

  /** Forgets the session. */
  reset(done: Done): void {
    this.#inTransaction = false;
    this.#hasWritten = false;
    process.nextTick(done, null);
  }

  /** Says goodbye. */
  end(done: Done): void {
    process.nextTick(done, null);
  }

  /** Nothing is kept. */
  unprepare(): undefined {
    return undefined;
  }

  /** Closes it. */
  destroy(): void {
    this.stream.destroy();
  }

  #run(kind: 'text' | 'prepared', form: Form, rest: readonly unknown[]): FakeCommand {
    const done = rest.find((one): one is Done => typeof one === 'function');
    const { sql, namedPlaceholders } =
      typeof form === 'string' ? { sql: form, namedPlaceholders: undefined } : form;
    const given =
      rest[0] !== done && rest[0] !== undefined ? rest[0] : typeof form === 'string' ? [] : form.values;
    const values: readonly unknown[] = Array.isArray(given) ? given : given === undefined ? [] : [given];
    const asArray = typeof form !== 'string' && form.rowsAsArray === true;
    const refusal = this.#checks[kind](sql, given, namedPlaceholders);
    const command = new FakeCommand();
    // One after the other, as a server does it.
    this.#turn = this.#turn.then(async () => {
      const reply = refusal ?? (await this.#reply(sql, values));
      if (this.stream.destroyed) return;
      this.#deliver(reply, asArray, done, command);
    });
    return command;
  }

  #deliver(
    reply: ResultSetHeader | Error | readonly Readonly<Record<string, unknown>>[],
    asArray: boolean,
    done: Done | undefined,
    command: FakeCommand,
  ): void {
    if (reply instanceof Error) {
      if (done !== undefined) done(reply);
      else {
        command.emit('error', reply);
        command.emit('end');
      }
      return;
    }
    const isRows = Array.isArray(reply);
    const fields = isRows ? Object.keys(reply[0] ?? {}).map((name) => ({ name })) : undefined;
    const rows = isRows ? reply.map((row) => (asArray ? Object.values(copyRow(row)) : copyRow(row))) : reply;
    if (done !== undefined) {
      done(null, rows, fields);
      return;
    }
    if (isRows) command.emit('fields', fields);
    for (const row of isRows ? (rows as unknown[]) : [rows]) command.emit('result', row);
    command.emit('end');
  }

  async #reply(
    sql: string,
    values: readonly unknown[],
  ): Promise<ResultSetHeader | Error | readonly Readonly<Record<string, unknown>>[]> {
    const own = this.#ownReply(sql);
    if (own !== undefined) return own;
    const control =
      /^\s*(?:(BEGIN|START\s+TRANSACTION)|(COMMIT)|(ROLLBACK)(?!\s+TO\b)|SET|SAVEPOINT|RELEASE|ROLLBACK\s+TO)\b/i.exec(
        sql,
      );
    if (control !== null) {
      this.#databases.statements.push({
        sql,
        values,
        node: this.#database.name,
        role: this.#databases.roleOf(this.#database),
      });
      return this.#control(control);
    }
    return this.#read(await this.#databases.replyTo(this.#database, sql, values));
  }

  /** What the client itself asks. */
  #ownReply(sql: string): ResultSetHeader | readonly Readonly<Record<string, unknown>>[] | undefined {
    if (sql === 'DO 0') return this.#header();
    if (sql.startsWith('SELECT @@global.gtid_current_pos AS position'))
      return [{ position: this.#databases.positionOf(this.#database) }];
    const wait = /^SELECT MASTER_GTID_WAIT\('([^']*)'/.exec(sql);
    if (wait === null) return undefined;
    const isThere = this.#databases.hasApplied(this.#database, wait[1] ?? '');
    return [{ timed_out: isThere ? 0 : -1, position: this.#databases.positionOf(this.#database) }];
  }

  #control([, begin, commit, rollback]: RegExpExecArray): ResultSetHeader {
    if (begin !== undefined) this.#inTransaction = true;
    const commits = commit !== undefined && this.#hasWritten;
    if (commit !== undefined || rollback !== undefined) {
      this.#inTransaction = false;
      this.#hasWritten = false;
    }
    return this.#header(commits ? this.#databases.commit() : undefined);
  }

  #read(reply: FakeReply): ResultSetHeader | Error | readonly Readonly<Record<string, unknown>>[] {
    if (reply instanceof Error || Array.isArray(reply)) return reply;
    if (this.#databases.roleOf(this.#database) === 'replica') {
      const message =
        'The MariaDB server is running with the --read-only option so it cannot execute this statement';
      return Object.assign(new Error(message), {
        code: 'ER_OPTION_PREVENTS_STATEMENT',
        errno: 1290,
        sqlState: 'HY000',
      });
    }
    const { affectedRows = 1, insertId = 0 } = reply as { affectedRows?: number; insertId?: number };
    this.#hasWritten = this.#inTransaction;
    const header = this.#header(this.#inTransaction ? undefined : this.#databases.commit());
    return Object.assign(header, { affectedRows, insertId });
  }

  #header(gtid?: string): ResultSetHeader {
    const header = new ResultSetHeader(AUTOCOMMIT | (this.#inTransaction ? IN_TRANSACTION : 0));
    if (gtid !== undefined) header.stateChanges = { systemVariables: { last_gtid: gtid }, gtids: [] };
    return header;
  }
}
