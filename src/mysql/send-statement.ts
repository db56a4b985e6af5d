/** Sends one statement over one physical connection, by mysql2's callback API, and stops waiting at the deadline. */
import type { ExecuteValues, FieldPacket, Query, QueryResult, QueryValues } from 'mysql2';
import { aborted, type Deadline } from '../common/deadline.js';
import type { DeferredCommand } from './deferred-command.js';
import { type CastFailure, hasFailed, type TypeCast, takeFailure } from './guarded-cast.js';
import { wasTooLong } from './packet-limit.js';
import type { PhysicalConnection } from './physical-connection.js';
import { isHeader } from './result-header.js';
import { refuseText } from './sending-guard.js';
import type { Statement, StatementAnswer } from './statement.js';
import { noteUnexecuted } from './unexecuted.js';

/** A statement that was refused before anything of it was sent; the connection did not notice. */
export class NotSent {
  /** Why. */
  readonly error: unknown;

  /** Wraps what was thrown. */
  constructor(error: unknown) {
    this.error = error;
  }
}

type Done = (error: unknown, rows?: QueryResult, fields?: FieldPacket[]) => void;

const SPOILT = new WeakMap<StatementAnswer, CastFailure>();

/**
 * The answer for the caller.
 *
 * @throws What his own `typeCast` threw: then the server has executed the statement all the same.
 */
export function castAnswer(answer: StatementAnswer): StatementAnswer {
  const failure = SPOILT.get(answer);
  if (failure !== undefined) throw failure.error;
  return answer;
}

/**
 * The whole answer of `statement`; {@link castAnswer} tells whether the caller's `typeCast` could make something of it.
 *
 * Rejects with the driver's error as it came, or with `ERR_TIMEOUT` or `ERR_ABORTED` when the deadline was first: then the
 * statement may still be running, and the connection must not be used again.
 */
export function sendStatement(
  connection: PhysicalConnection,
  statement: Statement,
  deadline: Deadline,
): Promise<StatementAnswer> {
  return new Promise((resolve, reject) => {
    const pending = pendingOf(connection);
    let sent: Query | undefined;
    const fail = (error: unknown): void => {
      pending.fail = undefined;
      limit?.stop();
      noteUnexecuted(error, statement, sent);
      reject(error);
    };
    const limit = startLimit(deadline, fail);
    pending.fail = fail;
    const cast = castOf(connection, statement);
    try {
      sent = submit(connection, statement, (error, rows, fields) => {
        if (pending.fail === fail) pending.fail = undefined;
        limit?.stop();
        // The fields of an OK packet are undefined at run time, whatever the types of mysql2 say.
        if (!error) resolve(withFailure([rows, fields] as StatementAnswer, cast));
        else {
          noteUnexecuted(error, statement, sent);
          reject(failureOf(error));
        }
      });
    } catch (error) {
      fail(new NotSent(error));
    }
  });
}

/**
 * Feeds the rows of `statement` to `command` as they come. Resolves at the end, when everything was read, with the status
 * header if there was one; rejects as {@link sendStatement} does.
 */
export function streamStatement(
  connection: PhysicalConnection,
  statement: Statement,
  deadline: Deadline,
  command: DeferredCommand,
): Promise<StatementAnswer> {
  return new Promise((resolve, reject) => {
    const pending = pendingOf(connection);
    let header: unknown;
    let refusal: { readonly error: unknown } | undefined;
    const over = (): void => {
      if (pending.fail === fail) pending.fail = undefined;
      limit?.stop();
    };
    let sent: Query | undefined;
    const fail = (error: unknown): void => {
      over();
      noteUnexecuted(error, statement, sent);
      reject(error);
    };
    const limit = startLimit(deadline, fail);
    pending.fail = fail;
    const cast = castOf(connection, statement);
    try {
      sent = submit(connection, statement, undefined);
      sent.on('error', (error) => {
        refusal = { error };
      });
      sent.on('result', (row) => {
        if (isHeader(row)) header = row;
      });
      sent.on('end', () => {
        over();
        if (refusal !== undefined) {
          noteUnexecuted(refusal.error, statement, sent);
          reject(failureOf(refusal.error));
        } else resolve(withFailure([header, undefined] as unknown as StatementAnswer, cast));
      });
      command.attach(sent, cast === undefined ? undefined : () => hasFailed(cast));
    } catch (error) {
      fail(new NotSent(error));
    }
  });
}

/** The function of the caller that will make the values of the answer, if any. */
function castOf({ raw }: PhysicalConnection, { form, prepared }: Statement): TypeCast | undefined {
  const own = prepared === undefined && typeof form === 'object' ? form.typeCast : undefined;
  const cast = (own ?? raw.config.typeCast) as TypeCast | boolean | undefined;
  if (typeof cast !== 'function') return undefined;
  // Where nobody waited for the answer before, or it was that of a question of ours.
  takeFailure(cast);
  return cast;
}

function withFailure(answer: StatementAnswer, cast: TypeCast | undefined): StatementAnswer {
  const failure = cast === undefined ? undefined : takeFailure(cast);
  if (failure !== undefined) SPOILT.set(answer, failure);
  return answer;
}

/** The status bits after a statement, as far as its answer shows them: of several results the last one counts. */
export function statusOf([rows, fields]: StatementAnswer): number | undefined {
  // The driver gives no fields for an OK packet; for several results there is a list with a gap for each of them.
  const header: unknown =
    fields === undefined
      ? rows
      : fields.at(-1) === undefined && Array.isArray(rows)
        ? rows.at(-1)
        : undefined;
  return isHeader(header) ? header.serverStatus : undefined;
}

/** An execution is refused where it is written, of which the driver tells as it tells of an answer. */
function failureOf(error: unknown): unknown {
  return wasTooLong(error) ? new NotSent(error) : error;
}

function submit(physical: PhysicalConnection, statement: Statement, done: Done | undefined): Query {
  const { raw: connection } = physical;
  const { form, values, prepared } = statement;
  if (prepared !== undefined) return prepared.statement.execute(values ?? [], done);
  if (statement.mode === 'execute') {
    // What is prepared gets its values apart from the text.
    refuseText(physical, statement.sql);
    return typeof form === 'string'
      ? connection.execute(form, values as ExecuteValues, done)
      : connection.execute(form, values as ExecuteValues, done);
  }
  return typeof form === 'string'
    ? connection.query(form, values as QueryValues, done)
    : connection.query(form, values as QueryValues, done);
}

interface Limit {
  stop(): void;
}

/** Calls `onExpired` when `deadline` passes or its signal fires; undefined when it has neither. */
function startLimit(deadline: Deadline, onExpired: (error: Error) => void): Limit | undefined {
  const { at, signal } = deadline;
  if (at === Number.POSITIVE_INFINITY && signal === undefined) return undefined;
  const what = 'The statement';
  const onAbort = (): void => {
    stop();
    onExpired(aborted(what, signal?.reason));
  };
  const timer =
    at === Number.POSITIVE_INFINITY
      ? undefined
      : setTimeout(
          () => {
            stop();
            onExpired(deadline.timeout(what));
          },
          Math.min(deadline.remainingMs(), 2_147_483_647),
        );
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  return { stop };
}

/** The statement that a connection is working on; a connection that we close ourselves tells nobody else. */
interface Pending {
  fail: ((error: unknown) => void) | undefined;
}

const PENDING = new WeakMap<PhysicalConnection, Pending>();

function pendingOf(connection: PhysicalConnection): Pending {
  const known = PENDING.get(connection);
  if (known !== undefined) return known;
  const pending: Pending = { fail: undefined };
  PENDING.set(connection, pending);
  connection.onLost((error) => pending.fail?.(error));
  return pending;
}
