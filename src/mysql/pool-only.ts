/**
 * What mysql2's types give a promise pool because it "is" a connection, and what a pool cannot do: without a checkout
 * there is no session for it. Such calls are refused with the call to use instead.
 */
import type { ConnectionState, QueryOptions } from 'mysql2';
import type { PreparedStatementInfo } from 'mysql2/promise';
import { SafeEmitter } from '../common/safe-emitter.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** A pool that is refused what only a connection can do. */
export class PoolOnly<Events extends object> extends SafeEmitter<Events> {
  /** A pool has no session on a server: always undefined, which mysql2's type cannot say. */
  get threadId(): number {
    return undefined as unknown as number;
  }

  /** A pool is not a connection: always `'authenticated'`. */
  get state(): ConnectionState {
    return 'authenticated';
  }

  /** Nothing: connections are made when statements need them. */
  async connect(): Promise<void> {}

  /** Refused with `ERR_UNSUPPORTED`: use `transaction(fn)`, or `beginTransaction()` of a connection. */
  beginTransaction(): Promise<void> {
    return refused(
      'beginTransaction',
      'transaction(fn), or beginTransaction() of a connection from getConnection()',
    );
  }

  /** Refused with `ERR_UNSUPPORTED`: use the connection that began the transaction. */
  commit(): Promise<void> {
    return refused('commit', 'the connection that began the transaction');
  }

  /** Refused with `ERR_UNSUPPORTED`: use the connection that began the transaction. */
  rollback(): Promise<void> {
    return refused('rollback', 'the connection that began the transaction');
  }

  /** Refused with `ERR_UNSUPPORTED`: use `changeUser()` of a connection. */
  changeUser(): Promise<void> {
    return refused('changeUser', 'changeUser() of a connection from getConnection()');
  }

  /** Refused with `ERR_UNSUPPORTED`: use `execute()`, or `prepare()` of a connection. */
  prepare(_options: string | QueryOptions): Promise<PreparedStatementInfo> {
    return refused('prepare', 'execute(), or prepare() of a connection from getConnection()');
  }

  /** Nothing: statements are prepared per physical connection, and forgotten with it. */
  unprepare(_sql: string | QueryOptions): void {}

  /** Nothing: a pool has no session. */
  async reset(): Promise<void> {}

  /** Nothing: a pool reads nothing by itself. */
  pause(): void {}

  /** Nothing: a pool reads nothing by itself. */
  resume(): void {}
}

/** The error of a statement that begins a transaction outside any checkout. */
export function strayBegin(): StormlampError {
  return unsupported(
    'A statement that begins a transaction',
    'transaction(fn), or beginTransaction() of a connection from getConnection()',
  );
}

function refused(method: string, instead: string): Promise<never> {
  return Promise.reject(unsupported(`\`${method}()\``, instead));
}

function unsupported(what: string, instead: string): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `${what} needs a connection of its own, because the next statement of a pool may run on another one; use ${instead}`,
  );
}
