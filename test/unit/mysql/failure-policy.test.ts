import { describe, expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { classify } from '../../../src/mysql/classifier/statement-classifier.js';
import { type Failure, failureOf, remedyFor, spreadsByItself } from '../../../src/mysql/failure-policy.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { FRESH_SESSION, type SessionState } from '../../../src/mysql/session-state.js';

const connection = { flavor: 'mysql', node: 'db1:3306' } as PhysicalConnection;

const LOST = Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true });
const CLOSED = Object.assign(new Error("Can't add new command when connection is in closed state"), {
  fatal: true,
});
const server = (errno: number, message = ''): Error =>
  Object.assign(new Error(message), { errno, code: `ER_${errno}`, sqlState: 'HY000' });
const READ_ONLY = server(1290, 'The server is running with the --read-only option');

const free = FRESH_SESSION;
const wrote: SessionState = { ...free, wrote: true };
const readWrite: SessionState = { ...wrote, transaction: 'read-write' };
const readOnly: SessionState = { ...free, transaction: 'read-only' };
const manual: SessionState = { ...wrote, autocommit: false };
const xa: SessionState = { ...wrote, pins: [{ pin: 'xa', name: undefined }] };
const lockedManual: SessionState = { ...manual, pins: [{ pin: 'table-lock', name: 'tables' }] };
const pinned: SessionState = { ...wrote, pins: [{ pin: 'temp-table', name: 'a' }] };

function remedy(sql: string, state: SessionState, error: Error, delivered = false): string {
  return remedyFor(classify(sql), state, failureOf(error, connection, delivered));
}

describe('a connection that was lost while the statement was under way', () => {
  test.each([
    ['SELECT 1', free, 'retry-read'],
    ['SELECT 1', wrote, 'retry-read'],
    ['SELECT LAST_INSERT_ID()', wrote, 'pass'],
    ['SET NAMES latin1', free, 'retry-read'],
    ['BEGIN', free, 'retry-read'],
    ['INSERT INTO t VALUES (1)', free, 'outcome-unknown'],
    ['CALL p()', free, 'outcome-unknown'],
    ['something odd', free, 'outcome-unknown'],
    ['INSERT INTO t VALUES (1)', readWrite, 'transaction-lost'],
    ['SELECT 1', readWrite, 'transaction-lost'],
    ['COMMIT', readWrite, 'outcome-unknown'],
    ['COMMIT AND CHAIN', readWrite, 'outcome-unknown'],
    ['BEGIN', readWrite, 'outcome-unknown'],
    ['CREATE TABLE x (i INT)', readWrite, 'outcome-unknown'],
    ['CALL p()', readWrite, 'outcome-unknown'],
    ['ROLLBACK', readWrite, 'transaction-lost'],
    ['ROLLBACK; INSERT INTO t VALUES (1)', readWrite, 'outcome-unknown'],
    ['ROLLBACK; SELECT 1', readWrite, 'transaction-lost'],
    ['SAVEPOINT a', readWrite, 'transaction-lost'],
    ['SELECT 1', readOnly, 'transaction-lost'],
    ['COMMIT', readOnly, 'transaction-lost'],
    ['COMMIT; SELECT 1', readOnly, 'transaction-lost'],
    // A read-only transaction is over when a definition, or what stands behind its end, is done.
    ['COMMIT; INSERT INTO t VALUES (1)', readOnly, 'outcome-unknown'],
    ['CREATE TABLE x (i INT)', readOnly, 'outcome-unknown'],
    ['CALL p()', readOnly, 'outcome-unknown'],
    ['INSERT INTO t VALUES (1)', manual, 'transaction-lost'],
    ['COMMIT', manual, 'outcome-unknown'],
    ['SELECT 1', pinned, 'connection-lost'],
    ['INSERT INTO t VALUES (1)', pinned, 'outcome-unknown'],
    ["XA COMMIT 'a'", free, 'outcome-unknown'],
    ["XA ROLLBACK 'a'", free, 'outcome-unknown'],
    ["XA PREPARE 'a'", xa, 'outcome-unknown'],
    ["XA COMMIT 'a' ONE PHASE", xa, 'outcome-unknown'],
    ["XA END 'a'", xa, 'transaction-lost'],
    ['INSERT INTO t VALUES (1)', xa, 'transaction-lost'],
    ["XA START 'a'", free, 'retry-read'],
    ["SELECT 1; XA COMMIT 'a'", free, 'outcome-unknown'],
    ['XA RECOVER', free, 'retry-read'],
    // Under LOCK TABLES and without autocommit, to unlock is to commit.
    ['UNLOCK TABLES', lockedManual, 'outcome-unknown'],
    ['UNLOCK TABLES', manual, 'transaction-lost'],
    ['LOCK TABLES t WRITE', manual, 'outcome-unknown'],
    ['LOCK TABLES t WRITE', free, 'retry-read'],
    ['SET autocommit = 1', manual, 'outcome-unknown'],
    ['RELEASE SAVEPOINT a', readWrite, 'transaction-lost'],
    ['DO SLEEP(0)', free, 'retry-read'],
    ['DO f()', free, 'outcome-unknown'],
    ['SELECT f()', free, 'outcome-unknown'],
    ['SELECT NEXTVAL(s)', free, 'outcome-unknown'],
    ["SELECT 1 INTO OUTFILE 'x'", free, 'outcome-unknown'],
    ['EXECUTE s', free, 'outcome-unknown'],
    ['SET GLOBAL x = 1', free, 'outcome-unknown'],
    ['KILL 7', free, 'outcome-unknown'],
    ['FLUSH TABLES', free, 'outcome-unknown'],
    ['HANDLER t OPEN', free, 'retry-read'],
    ['SELECT * FROM t FOR UPDATE', free, 'retry-read'],
    // Another connection would answer about statements of its own.
    ['SHOW WARNINGS', free, 'pass'],
    ['GET DIAGNOSTICS @a = NUMBER', wrote, 'pass'],
  ])('%s', (sql, state, expected) => {
    expect(remedy(sql, state, LOST)).toBe(expected);
  });

  test('a read of which rows were delivered is not begun again', () => {
    expect(remedy('SELECT 1', free, LOST, true)).toBe('pass');
  });

  test('a server that shuts down leaves a write unknown, and a read to be retried', () => {
    expect(remedy('INSERT INTO t VALUES (1)', free, server(1053))).toBe('outcome-unknown');
    expect(remedy('SELECT 1', free, server(1053))).toBe('retry-read');
  });
});

describe('a connection that was closed before anything was written to it', () => {
  test.each([
    ['INSERT INTO t VALUES (1)', free, 'resend'],
    ['SELECT 1', free, 'resend'],
    ['COMMIT', readWrite, 'transaction-lost'],
    ['INSERT INTO t VALUES (1)', pinned, 'connection-lost'],
  ])('%s', (sql, state, expected) => {
    expect(remedy(sql, state, CLOSED)).toBe(expected);
  });
});

describe('a member of a Galera cluster that is out of it', () => {
  const refused = Object.assign(new Error('WSREP has not yet prepared node for application use'), {
    errno: 1047,
    code: 'ER_UNKNOWN_COM_ERROR',
    sqlState: '08S01',
  });
  test.each([
    ['SELECT 1', free, 'retry-in-service'],
    ['INSERT INTO t VALUES (1)', free, 'retry-in-service'],
    ['BEGIN', free, 'retry-in-service'],
    ['CREATE TABLE x (i INT)', free, 'retry-in-service'],
    ['CALL p()', free, 'outcome-unknown'],
    ['INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)', free, 'outcome-unknown'],
    ['COMMIT', readWrite, 'transaction-lost'],
    ['INSERT INTO t VALUES (1)', readWrite, 'transaction-lost'],
    ['CREATE TABLE x (i INT)', readWrite, 'transaction-lost'],
    ['SELECT 1', pinned, 'connection-lost'],
    ['SELECT LAST_INSERT_ID()', wrote, 'pass'],
  ] as const)('%s', (sql, state, expected) => {
    expect(remedy(sql, state, refused)).toBe(expected);
  });

  test('a commit that it could not spread is unknown', () => {
    const failed = server(1180, 'Error (provider status: Not connected to Primary Component)');
    expect(remedy('INSERT INTO t VALUES (1)', free, failed)).toBe('outcome-unknown');
    expect(remedy('COMMIT', readWrite, failed)).toBe('outcome-unknown');
  });

  test('a definition that it could not spread is unknown; anything else waited for a lock', () => {
    const timeout = server(1205, 'Lock wait timeout exceeded; try restarting transaction');
    const outcome = (sql: string, state: SessionState, inGalera: boolean): string => {
      const spreads = inGalera && spreadsByItself(classify(sql));
      return remedyFor(classify(sql), state, failureOf(timeout, connection, false, spreads));
    };
    expect(outcome('CREATE TABLE x (i INT)', free, true)).toBe('outcome-unknown');
    expect(outcome('CREATE TABLE x (i INT)', readWrite, true)).toBe('outcome-unknown');
    expect(outcome('GRANT SELECT ON *.* TO a', free, true)).toBe('outcome-unknown');
    expect(outcome('CREATE TABLE x (i INT)', free, false)).toBe('pass');
    expect(outcome('UPDATE t SET v = 1', free, true)).toBe('pass');
    expect(outcome('LOCK TABLES t WRITE', free, true)).toBe('pass');
  });
});

describe('a server that is read-only', () => {
  test.each([
    ['INSERT INTO t VALUES (1)', free, 'retry-on-primary'],
    ['INSERT INTO t VALUES (1)', wrote, 'retry-on-primary'],
    ['SELECT odd()', free, 'retry-on-primary'],
    ['CALL p()', free, 'partly-done'],
    ['INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)', free, 'partly-done'],
    ["EXECUTE IMMEDIATE 'CALL p()'", free, 'partly-done'],
    ['whatever this is', free, 'partly-done'],
    ["INSERT INTO t VALUES ('without an end", free, 'partly-done'],
    ['INSERT INTO t VALUES (1)\u00a0', free, 'partly-done'],
    // Outside of a transaction a part of it may be committed, whatever ties the session.
    ['CALL p()', pinned, 'partly-done'],
    ['CALL p()', readWrite, 'write-refused'],
    ['START TRANSACTION READ WRITE', free, 'retry-on-primary'],
    ['INSERT INTO t VALUES (1)', readWrite, 'write-refused'],
    ['COMMIT', readWrite, 'write-refused'],
    ['INSERT INTO t VALUES (1)', pinned, 'write-refused'],
    ['INSERT INTO t VALUES (1)', readOnly, 'pass'],
  ])('%s', (sql, state, expected) => {
    expect(remedy(sql, state, READ_ONLY)).toBe(expected);
  });

  test('other options that forbid a statement are the caller’s concern', () => {
    const error = server(1290, 'The server is running with the --secure-file-priv option');
    expect(remedy("SELECT 1 INTO OUTFILE 'x'", free, error)).toBe('pass');
  });
});

test.each([[1062], [1064], [1146], [1205], [1213], [1317], [1792], [3024]])(
  'error %i is an answer and goes to the caller',
  (errno) => {
    for (const state of [free, readWrite, pinned]) {
      expect(remedy('INSERT INTO t VALUES (1)', state, server(errno))).toBe('pass');
    }
  },
);

describe('what a replica that is behind a migration does not know', () => {
  test.each([[1044], [1049], [1054], [1142], [1146], [1176], [1191], [1305], [1735], [1747]])(
    'error %i to a read, or USE, that nothing ties is worth a question to the primary',
    (errno) => {
      for (const sql of ['SELECT a FROM t', 'USE t']) {
        expect(remedy(sql, free, server(errno))).toBe('ask-primary');
        for (const state of [readWrite, readOnly, pinned])
          expect(remedy(sql, state, server(errno))).toBe('pass');
      }
      for (const sql of [
        'INSERT INTO t VALUES (1)',
        'SELECT odd()',
        'SELECT a FROM t FOR UPDATE',
        'SET NAMES utf8mb4',
      ]) {
        expect(remedy(sql, free, server(errno))).toBe('pass');
      }
    },
  );

  test('no more once rows have reached the caller', () => {
    const failure = failureOf(server(1146), connection, true);
    expect(remedyFor(classify('SELECT a FROM t'), free, failure)).toBe('pass');
  });
});

test('a packet that is too large is an answer, although the server closes the connection after it', () => {
  const failure = failureOf(server(1153), connection, false);
  expect(failure.meaning.connection).toBe('lost');
  expect(remedy('INSERT INTO t VALUES (1)', free, server(1153))).toBe('pass');
});

describe('a call that its caller stopped', () => {
  const timeout = new StormlampError(ErrorCode.TIMEOUT, 'too long');
  const abort = new StormlampError(ErrorCode.ABORTED, 'no more', { cause: new Error('x') });

  test.each([[timeout], [abort]])('%s', (error) => {
    expect(remedy('SELECT 1', free, error)).toBe('pass');
    expect(remedy('INSERT INTO t VALUES (1)', free, error)).toBe('outcome-unknown');
    expect(remedy('UPDATE t SET a = 1', readWrite, error)).toBe('transaction-lost');
    expect(remedy('COMMIT', readWrite, error)).toBe('outcome-unknown');
    expect(failureOf(error, connection, false)).toMatchObject<Partial<Failure>>({ interrupted: true });
  });
});

test('what comes out of the driver’s own parsing makes the connection unusable', () => {
  const failure = failureOf(new TypeError('a conversion of a column failed'), connection, false);
  expect(failure.meaning.connection).toBe('lost');
});
