/** The end of a transaction that belongs to `transaction(fn)`: a statement of the function must not be it. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { Classification, TransactionEffect } from './classifier/classification.js';

/** What leaves an open transaction open. */
const STAYS_OPEN: ReadonlySet<TransactionEffect | undefined> = new Set([
  undefined,
  'savepoint',
  'next-transaction',
]);

/**
 * Refuses a statement that ends the open transaction, begins another one, or changes autocommit, and one that names a savepoint
 * of ours: the server keeps one of each name, so that a part could no longer be undone as a whole.
 *
 * @throws StormlampError `ERR_UNSUPPORTED`.
 */
export function refuseEnd({ transaction, implicitCommit, because, reserved }: Classification): void {
  if (reserved === true) throw nameRefused();
  if (implicitCommit || !STAYS_OPEN.has(transaction)) throw endRefused(`A statement (${because})`);
}

/** The error of what would end the transaction of a function. */
export function endRefused(what: string): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `${what} would end the transaction that transaction(fn) commits when fn resolves, and was not sent. Throw an error to ` +
      'roll back, call transaction() inside it for a part of its own, or take a connection with getConnection()',
  );
}

/** A statement asks about the one before, and a question of ours has to come between. */
export function askedTooLate({ because }: Classification): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `A statement (${because}) was not sent: it asks about the statement before (\`ROW_COUNT()\`, \`FOUND_ROWS()\`, ` +
      '`@@error_count`), and inside transaction(fn) it has to be found out first whether the transaction is still open. Ask with a ' +
      'plain SELECT, and use what that answers as a value',
  );
}

/** A statement asks about the one before, and the savepoint of a transaction inside another came between. */
export function askedBehindSavepoint({ because }: Classification): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    `A statement (${because}) was not sent: it asks what the statement before did (\`ROW_COUNT()\`, warnings, errors), and a ` +
      'savepoint came between, which a transaction() inside another sets at its beginning and takes away at its end. Ask before ' +
      'that, with a plain SELECT, and use what that answers as a value',
  );
}

/** Why a transaction is over although no statement failed: only what the server does by itself is not seen before. */
export function endedInside(): Error {
  return new Error(
    'A statement of the function has ended it, such as a call of a procedure that commits or rolls back',
  );
}

/** Why a transaction with a part that cannot be undone alone is rolled back as a whole. */
export function cannotUndo(cause: unknown): Error {
  return new Error(
    'A transaction() inside it cannot be ended alone, because a statement has taken its savepoint away (it went back to an ' +
      'older savepoint, or released one); everything was rolled back',
    { cause },
  );
}

function nameRefused(): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    'A statement names a savepoint that begins with `stormlamp_`, and was not sent: inside transaction(fn) those names are kept ' +
      'for the transactions inside it. Choose another name',
  );
}
