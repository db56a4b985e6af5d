import { expect, test } from 'vitest';
import { ErrorCode, isStormlampError, StormlampError } from '../../../src/common/stormlamp-error.js';
import { classify } from '../../../src/mysql/classifier/statement-classifier.js';
import {
  connectionGone,
  lossError,
  outcomeUnknown,
  transactionGone,
  writeRefused,
} from '../../../src/mysql/lost-errors.js';
import { afterUnknownOutcome, isAcknowledgement, lossOf } from '../../../src/mysql/session-loss.js';
import { FRESH_SESSION } from '../../../src/mysql/session-state.js';

const node = 'db1:3306';
const cause = Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST' });
const timeout = new StormlampError(ErrorCode.TIMEOUT, 'The statement did not finish within 5 ms');
const insert = classify('INSERT INTO t VALUES (1)');
const commit = classify('COMMIT');

test.each([
  [transactionGone(node, cause), 'ERR_TRANSACTION_LOST', /nothing of it was committed.*Roll back/],
  [connectionGone(node, 'temp-table', cause), 'ERR_CONNECTION_LOST', /temp-table.*Release this connection/],
  [writeRefused(node, cause), 'ERR_WRITE_REFUSED', /did not execute it.*from the beginning/],
  [outcomeUnknown(node, insert, cause), 'ERR_OUTCOME_UNKNOWN', /A write was under way.*Look at the data/],
  [outcomeUnknown(node, commit, cause), 'ERR_OUTCOME_UNKNOWN', /A COMMIT was under way/],
])('%s names the node, the cause and the remedy', (error, code, message) => {
  expect(error).toMatchObject({ code, node, cause });
  expect(error.message).toMatch(message);
  expect(error.message).toContain(node);
});

test('a write that its caller stopped keeps the caller’s reason, and tells the unknown outcome as its cause', () => {
  const error = outcomeUnknown(node, insert, timeout);
  expect(error.code).toBe(ErrorCode.TIMEOUT);
  expect(isStormlampError(error.cause, ErrorCode.OUTCOME_UNKNOWN)).toBe(true);
  expect(error.message).toContain('may or may not have happened');
});

test.each([
  ['COMMIT', /A COMMIT was under way/],
  ["XA PREPARE 'x'", /An XA PREPARE was under way/],
  ["XA COMMIT 'x'", /An XA COMMIT was under way/],
  ["XA ROLLBACK 'x'", /An XA ROLLBACK was under way/],
])(
  '%s that its caller stopped is an unknown outcome first of all, and was given up, not lost',
  (sql, message) => {
    for (const reason of [timeout, new StormlampError(ErrorCode.ABORTED, 'The statement was aborted')]) {
      const error = outcomeUnknown(node, classify(sql), reason);
      expect(error.code).toBe(ErrorCode.OUTCOME_UNKNOWN);
      expect(error.cause).toBe(reason);
      expect(error.message).toMatch(message);
      expect(error.message).toContain('when it was given up');
      expect(error.message).not.toContain('connection was lost');
    }
  },
);

test('who stopped a statement hears of that, the next statement of the loss', () => {
  const loss = transactionGone(node, timeout);
  expect(lossError('transaction-lost', node, insert, timeout, loss)).toBe(timeout);
  expect(lossError('transaction-lost', node, insert, cause, loss)).toBe(loss);
  expect(lossError('pass', node, insert, cause, loss)).toBe(cause);
});

test('a session loses what it had on its connection, and nothing when it had nothing', () => {
  expect(lossOf(FRESH_SESSION, node, cause)).toBeUndefined();
  expect(lossOf({ ...FRESH_SESSION, wrote: true }, node, cause)).toBeUndefined();
  expect(lossOf({ ...FRESH_SESSION, transaction: 'read-write' }, node, cause)?.what).toBe('transaction');
  const pins = [{ pin: 'named-lock', name: 'a' }] as const;
  expect(lossOf({ ...FRESH_SESSION, transaction: 'read-write', pins }, node, cause)?.what).toBe('connection');
  expect(lossOf({ ...FRESH_SESSION, autocommit: false }, node, cause)?.error.message).toContain('autocommit');
});

test('what no text shows is lost with the connection, and told behind a transaction', () => {
  const unseen = { ...FRESH_SESSION, wrote: true, unseen: true };
  const words = expect.stringMatching(/what a procedure, function or trigger may have left/);
  const alone = { what: 'connection', error: { code: 'ERR_CONNECTION_LOST', message: words } };
  expect(lossOf(unseen, node, cause)).toMatchObject(alone);
  const open = lossOf({ ...unseen, transaction: 'read-write' }, node, cause);
  expect(open).toMatchObject({ what: 'transaction', besides: alone });
  const pins = [{ pin: 'temp-table', name: 'a' }] as const;
  const both = lossOf({ ...unseen, pins, transaction: 'read-write' }, node, cause);
  expect(both?.error.message).toMatch(/\(temp-table, what a procedure/);
  const unknown = outcomeUnknown(node, commit, cause);
  expect(afterUnknownOutcome(open, commit, unknown)).toMatchObject(alone);
  expect(afterUnknownOutcome(open, classify('CALL p()'), unknown)).toMatchObject({
    error: unknown,
    besides: alone,
  });
});

test('only a rollback acknowledges a lost transaction, and nothing a lost connection', () => {
  const lost = { what: 'transaction', error: transactionGone(node, cause) } as const;
  expect(isAcknowledgement(lost, classify('ROLLBACK'))).toBe(true);
  for (const sql of ['COMMIT', 'SELECT 1', 'ROLLBACK TO a', 'BEGIN']) {
    expect(() => isAcknowledgement(lost, classify(sql))).toThrow(lost.error);
  }
  const gone = { what: 'connection', error: connectionGone(node, 'x', cause) } as const;
  expect(() => isAcknowledgement(gone, classify('ROLLBACK'))).toThrow(gone.error);
});

test('after an unknown outcome a session goes on only when the transaction was to end', () => {
  const lost = { what: 'transaction', error: transactionGone(node, cause) } as const;
  const unknown = outcomeUnknown(node, commit, cause);
  expect(afterUnknownOutcome(lost, commit, unknown)).toBeUndefined();
  expect(afterUnknownOutcome(lost, classify('CREATE TABLE x (i INT)'), unknown)).toBeUndefined();
  expect(afterUnknownOutcome(lost, classify('CALL p()'), unknown)?.error).toBe(unknown);
  expect(afterUnknownOutcome(lost, classify('COMMIT AND CHAIN'), unknown)?.error).toBe(unknown);
});
