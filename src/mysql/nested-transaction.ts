/**
 * Transactions inside a transaction: savepoints of it. Savepoints are a stack on the server, and to roll one back removes
 * everything that was done after it, by whomever; so of those that are begun side by side one runs after the other.
 */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { MysqlConnection } from './promise-connection.js';
import { cannotUndo } from './transaction-end.js';
import type { VirtualConnection } from './virtual-connection.js';

/** A transaction that is running, or one inside another. */
export class ActiveTransaction {
  /** The connection that the function got. */
  readonly face: MysqlConnection;
  /** The same connection. */
  readonly virtual: VirtualConnection;
  /** Whether it cannot write. */
  readonly readOnly: boolean;
  /** False from the moment when its function has ended. */
  isOpen = true;
  readonly #outer: ActiveTransaction | undefined;
  /** Settles when the last one that was begun inside this one has ended; never rejects. */
  #last: Promise<unknown> = Promise.resolve();
  /** Savepoints so far, counted over the whole transaction. */
  readonly #savepoints: { count: number };

  /** Notes a transaction on `virtual`, or one inside `outer`. */
  constructor(
    { face, virtual, readOnly }: Pick<ActiveTransaction, 'face' | 'virtual' | 'readOnly'>,
    outer?: ActiveTransaction,
  ) {
    this.face = face;
    this.virtual = virtual;
    this.readOnly = readOnly;
    this.#outer = outer;
    this.#savepoints = outer === undefined ? { count: 0 } : outer.#savepoints;
  }

  /** The innermost transaction, from this one outwards, that can still have others inside it. */
  get innermostOpen(): ActiveTransaction | undefined {
    return this.isOpen ? this : this.#outer?.innermostOpen;
  }

  /** What `work`, the function of this transaction, gives; once those inside that it did not wait for have ended as well. */
  async perform<T>(work: Promise<T>): Promise<T> {
    const result = await work;
    this.isOpen = false;
    await this.#last;
    return result;
  }

  /**
   * Runs `work` as a savepoint of this transaction, after those that were begun before it.
   *
   * Rejects with what `work` rejects with, after its changes were undone; where they cannot be undone alone, the whole
   * transaction is rolled back and cannot be committed (`ERR_TRANSACTION_LOST`); with `ERR_UNSUPPORTED` when this transaction has
   * ended before it could begin; with `ERR_TIMEOUT` or `ERR_ABORTED` when `deadline` is first: nothing is lost by that
   * before it began, while after it the whole transaction is, because the statement under way must be ended.
   */
  async nest<T>(deadline: Deadline, work: (inner: ActiveTransaction) => Promise<T>): Promise<T> {
    const before = this.#last;
    let end: () => void = () => undefined;
    const own = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#last = Promise.all([before, own]);
    try {
      await deadline.race('Waiting for the transactions beside it', before);
      if (!this.isOpen) throw endedBefore();
      return await this.#savepoint(deadline, work);
    } finally {
      end();
    }
  }

  async #savepoint<T>(deadline: Deadline, work: (inner: ActiveTransaction) => Promise<T>): Promise<T> {
    const { virtual } = this;
    const inner = new ActiveTransaction(this, this);
    this.#savepoints.count += 1;
    const name = `stormlamp_${this.#savepoints.count}`;
    await virtual.ownCommand(`SAVEPOINT ${name}`);
    let isDone = false;
    try {
      const result = await deadline.race('The transaction', inner.perform(work(inner)));
      isDone = true;
      await virtual.ownCommand(`RELEASE SAVEPOINT ${name}`);
      return result;
    } catch (error) {
      inner.isOpen = false;
      if (isStopped(error, deadline)) virtual.destroy();
      else {
        await inner.#last;
        const loss = await undo(virtual, name);
        // What the function failed with says more than that everything is gone.
        if (isDone && loss !== undefined) throw loss;
      }
      throw error;
    }
  }
}

/**
 * Takes back what was done since the savepoint `name`. Where that cannot be done, nothing of the transaction may be committed:
 * the error that is left of it then.
 */
async function undo(virtual: VirtualConnection, name: string): Promise<Error | undefined> {
  try {
    await virtual.ownCommand(`ROLLBACK TO SAVEPOINT ${name}`);
    return undefined;
  } catch (error) {
    try {
      return await virtual.loseTransaction(cannotUndo(error));
    } catch {
      // Who released it is rolling back already.
      if (virtual.isOpen) virtual.destroy();
      return undefined;
    }
  }
}

/** Whether the limit of the inner transaction ended it, and not one of its statements. */
function isStopped(error: unknown, deadline: Deadline): boolean {
  const limited = isStormlampError(error, ErrorCode.TIMEOUT) || isStormlampError(error, ErrorCode.ABORTED);
  return limited && deadline.expired('The transaction') !== undefined;
}

function endedBefore(): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    'The transaction around this one has ended before this one could begin; await every transaction() inside a transaction',
  );
}
