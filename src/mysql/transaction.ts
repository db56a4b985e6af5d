/** Functions that run as a transaction: committed at the end, rolled back on errors, run again when that is certainly right. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { backoffMs, pause } from '../common/backoff.js';
import type { CallOptions, Deadline } from '../common/deadline.js';
import {
  invalidOption,
  readBoolean,
  readChoice,
  readNumber,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { ActiveTransaction } from './nested-transaction.js';
import type { MysqlConnection } from './promise-connection.js';
import { classifyServerError } from './server-error.js';
import type { VirtualConnection } from './virtual-connection.js';

/** Isolation levels by the names that SQL has for them. */
export type IsolationLevel = 'READ UNCOMMITTED' | 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';

/** Options of `transaction()`. `timeoutMs` and `signal` hold for all attempts together. */
export interface TransactionOptions extends CallOptions {
  /**
   * Whether it only reads: then it runs as a whole on one node that may serve reads.
   *
   * @defaultValue false
   */
  readonly readOnly?: boolean | undefined;
  /** The isolation level. Default: the server's. */
  readonly isolation?: IsolationLevel | undefined;
  /**
   * How often the function is run again after a deadlock or another serialization failure.
   *
   * @defaultValue 3
   */
  readonly retries?: number | undefined;
  /**
   * Whether the function is also run again when the connection was lost before the commit was sent. Nothing of the
   * transaction was committed then, but what the function did elsewhere is done twice.
   *
   * @defaultValue false
   */
  readonly retryLostConnection?: boolean | undefined;
  /** With `readOnly`: a causal token; the transaction sees what its holder saw and wrote. */
  readonly after?: string | undefined;
}

/** What a transaction needs of its cluster. */
export interface TransactionHost {
  /** The place in the application that calls now, when leaks are looked for. */
  callSite(): string | undefined;
  /** A checkout whose statements all end with `deadline`, for that place. */
  open(
    deadline: Deadline,
    borrower: string | undefined,
  ): { readonly virtual: VirtualConnection; readonly face: MysqlConnection };
  /** Looks at a node now; resolves when that is done, never rejects. */
  refresh(node: string): Promise<void>;
}

/** Delays before the function is run again. */
const BACKOFF = { firstMs: 20, maxMs: 1_000 };

/** So often the function is run again because the primary turned out not to be one. */
const ROLE_CHANGE_LIMIT = 10;

const LEVELS: readonly IsolationLevel[] = [
  'READ UNCOMMITTED',
  'READ COMMITTED',
  'REPEATABLE READ',
  'SERIALIZABLE',
];

/** The transactions of one cluster. */
export class Transactions {
  readonly #host: TransactionHost;
  readonly #active = new AsyncLocalStorage<ActiveTransaction>();

  /** Makes them for `host`. */
  constructor(host: TransactionHost) {
    this.#host = host;
  }

  /** Runs `fn` as a transaction; inside another one of the same cluster, as a savepoint of it. */
  run<T>(
    fn: (connection: MysqlConnection) => Promise<T> | T,
    options: TransactionOptions,
    deadline: Deadline,
  ): Promise<T> {
    const outer = this.#active.getStore()?.innermostOpen;
    if (outer === undefined) return this.#attempts(fn, options, deadline);
    checkNested(outer, options);
    return outer.nest(deadline, (inner) => this.#active.run(inner, async () => fn(inner.face)));
  }

  async #attempts<T>(
    fn: (connection: MysqlConnection) => Promise<T> | T,
    options: TransactionOptions,
    deadline: Deadline,
  ): Promise<T> {
    const { retries = 3, retryLostConnection = false } = options;
    const borrower = this.#host.callSite();
    let conflicts = 0;
    let roleChanges = 0;
    for (;;) {
      const outcome = await this.#once(fn, options, deadline, borrower);
      if ('value' in outcome) return outcome.value;
      const { error, replay } = outcome;
      if (deadline.expired('The transaction') !== undefined) throw error;
      if (replay === 'role-change') {
        roleChanges += 1;
        if (roleChanges > ROLE_CHANGE_LIMIT) throw error;
      } else if (replay === 'conflict' || (replay === 'lost' && retryLostConnection)) {
        conflicts += 1;
        if (conflicts > retries) throw error;
      } else throw error;
      const node = (error as { node?: unknown }).node;
      if (replay !== 'conflict' && typeof node === 'string') await this.#host.refresh(node);
      const delay = backoffMs(conflicts + roleChanges - 1, BACKOFF);
      await pause(Math.min(delay, deadline.remainingMs()), deadline.signal);
      deadline.check('The transaction');
    }
  }

  async #once<T>(
    fn: (connection: MysqlConnection) => Promise<T> | T,
    options: TransactionOptions,
    deadline: Deadline,
    borrower: string | undefined,
  ): Promise<{ readonly value: T } | { readonly error: unknown; readonly replay: Replay }> {
    const { virtual, face } = this.#host.open(deadline, borrower);
    const { readOnly = false, isolation, after } = options;
    const active = new ActiveTransaction({ virtual, face, readOnly });
    virtual.session.doubt.beStrict();
    try {
      const begin = readOnly ? 'START TRANSACTION READ ONLY' : 'START TRANSACTION READ WRITE';
      if (isolation !== undefined) await virtual.ownCommand(`SET TRANSACTION ISOLATION LEVEL ${isolation}`);
      await virtual.ownCommand(begin, after === undefined ? undefined : { after });
      const work = this.#active.run(active, async () => fn(face));
      const value = await deadline.race('The transaction', active.perform(work));
      const committed = virtual.ownCommand('COMMIT');
      // What the function left behind may not run after the commit, on its own.
      virtual.release();
      await committed;
      return { value };
    } catch (error) {
      active.isOpen = false;
      // What a statement of the function committed on the way would be done twice.
      const replay = virtual.session.doubt.hasCommitted ? undefined : replayReason(error);
      await rollBack(virtual, error);
      return { error, replay };
    } finally {
      virtual.release();
    }
  }
}

/** Why a transaction may be run again; undefined when it must not be. */
type Replay = 'conflict' | 'role-change' | 'lost' | undefined;

function checkNested(outer: ActiveTransaction, options: TransactionOptions): void {
  const wantsOther = options.isolation !== undefined || (outer.readOnly && options.after !== undefined);
  if (!wantsOther && !(outer.readOnly && options.readOnly === false)) return;
  throw new StormlampError(
    ErrorCode.UNSUPPORTED,
    'A transaction inside a transaction is a savepoint of it: it can have no isolation level of its own, ' +
      'and when the outer one is read-only it cannot write, and sees what that one sees',
  );
}

async function rollBack(virtual: VirtualConnection, error: unknown): Promise<void> {
  const stopped = isStormlampError(error, ErrorCode.TIMEOUT) || isStormlampError(error, ErrorCode.ABORTED);
  // A function that did not end may still be waiting for its statement: only closing the connection ends that.
  if (stopped) virtual.destroy();
  // Once it was released, the pool rolls back what is still open.
  else if (virtual.isOpen && virtual.session.state.transaction !== 'none') {
    const rolledBack = virtual.ownCommand('ROLLBACK');
    // What the function left behind may not run after it, on its own.
    virtual.release();
    // A connection that is given back with an open transaction is reset.
    await rolledBack.catch(() => undefined);
  }
}

/** Why a transaction was certainly rolled back. Looks at the causes, too, because callers wrap errors. */
function replayReason(thrown: unknown): Replay {
  let found: Replay;
  let error = thrown;
  for (let depth = 0; depth < 8 && typeof error === 'object' && error !== null; depth += 1) {
    if (isStormlampError(error, ErrorCode.OUTCOME_UNKNOWN)) return undefined;
    if (isStormlampError(error, ErrorCode.WRITE_REFUSED)) return 'role-change';
    // The right to write ended before the commit: nothing was sent.
    if (isStormlampError(error, ErrorCode.LEASE_LOST)) return 'role-change';
    if (isStormlampError(error, ErrorCode.TRANSACTION_LOST)) found = 'lost';
    else if (!isStormlampError(error) && isConflict(error)) return 'conflict';
    ({ cause: error } = error as { cause?: unknown });
  }
  return found;
}

/** 1020 is MariaDB's answer to a write of a row that changed since the snapshot was taken. */
function isConflict(error: unknown): boolean {
  return classifyServerError(error).kind === 'deadlock' || (error as { errno?: unknown }).errno === 1020;
}

/**
 * Checks the arguments of a transaction.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function checkTransaction(fn: unknown, options: TransactionOptions): void {
  if (typeof fn !== 'function') throw invalidOption('fn', 'a function', fn);
  rejectUnknownOptions('transaction', options, [
    'readOnly',
    'isolation',
    'retries',
    'retryLostConnection',
    'after',
    'timeoutMs',
    'signal',
  ]);
  readBoolean('transaction.readOnly', options.readOnly, false);
  readBoolean('transaction.retryLostConnection', options.retryLostConnection, false);
  readNumber('transaction.retries', options.retries, 3, { min: 0, integer: true });
  readNumber('transaction.timeoutMs', options.timeoutMs, 0, { min: 0 });
  readChoice('transaction.isolation', options.isolation, LEVELS, 'REPEATABLE READ');
}
