import { describe, expect, test } from 'vitest';
import { readCausalToken } from '../../../src/mysql/causal-state.js';
import { createClassifier } from '../../../src/mysql/classifier/statement-classifier.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { ActiveScope } from '../../../src/mysql/scope.js';
import type { CallContext, SessionPorts } from '../../../src/mysql/session-ports.js';
import { afterStatement, FRESH_SESSION, type SessionState } from '../../../src/mysql/session-state.js';
import { readStatement } from '../../../src/mysql/statement.js';
import { UnreadTransaction } from '../../../src/mysql/unread-transaction.js';

const classify = createClassifier();
const held = { node: 'b' } as PhysicalConnection;
const BEGIN = 'START TRANSACTION READ ONLY';
const READ = 'SELECT v FROM t';

/** A session that has done these statements on the replica `b`; those with `!` in front have failed. */
function sessionAfter(
  texts: readonly string[],
  scope?: ActiveScope,
): {
  isLate(sql: string, router?: Readonly<Record<string, unknown>>, on?: PhysicalConnection): boolean;
  movesWhenLate(): boolean;
  readonly unread: UnreadTransaction;
} {
  const unread = new UnreadTransaction();
  let state: SessionState = FRESH_SESSION;
  for (const text of texts) {
    const sql = text.replace('!', '');
    const [before, ok] = [state, sql === text];
    const [statement, classification] = [readStatement('query', sql, undefined), classify(sql)];
    const ending = ok ? ({ ok, status: undefined } as const) : ({ ok, errno: 1054 } as const);
    state = afterStatement(before, classification, statement, ending);
    unread.note(held, statement, classification, [before, state], scope, ok);
  }
  const portsOf = (router: object): SessionPorts =>
    ({ router: { writer: 'a', mayStillRead: () => false, ...router } }) as unknown as SessionPorts;
  return {
    unread,
    isLate: (sql, router = {}, on = held) =>
      unread.isLate(portsOf(router), on, state, classify(sql), { nodes: undefined }),
    movesWhenLate: () =>
      unread.isLate(portsOf({}), held, state, classify('SAVEPOINT a'), { nodes: undefined }),
  };
}

describe('the first read of a read-only transaction', () => {
  test('is late where its node is not fit any more', () => {
    const { isLate, unread } = sessionAfter([BEGIN]);
    expect(isLate(READ)).toBe(true);
    expect(isLate(READ, { mayStillRead: () => true })).toBe(false);
    // What is the primary now has everything.
    expect(isLate(READ, { writer: 'b' })).toBe(false);
    expect(isLate(READ, {}, { node: 'b' } as PhysicalConnection)).toBe(false);
    unread.clear();
    expect(isLate(READ)).toBe(false);
  });

  test.each<[boolean, string]>([
    [true, READ],
    [true, 'SET @n = (SELECT COUNT(*) FROM t)'],
    [true, 'SAVEPOINT a'],
    [true, 'SELECT v, FOUND_ROWS() FROM t'],
    [true, 'SELECT @a, FOUND_ROWS() FROM t'],
    [true, 'SELECT v, ROW_COUNT() FROM t'],
    [true, 'SELECT v, @@warning_count FROM t'],
    [true, 'SELECT v, LAST_INSERT_ID() FROM t'],
    [true, 'SELECT v, CONNECTION_ID() FROM t'],
    [true, 'SELECT ROW_COUNT(); SELECT v FROM t'],
    [false, 'SELECT FOUND_ROWS()'],
    [false, 'SELECT FOUND_ROWS() FROM DUAL'],
    [false, 'SELECT ROW_COUNT(); SHOW WARNINGS'],
    [true, 'SET @a = 1'],
    [false, 'SET NAMES utf8mb4'],
    [false, 'SHOW WARNINGS'],
    [false, 'COMMIT'],
    [false, 'ROLLBACK'],
    [false, 'COMMIT AND CHAIN'],
  ])('%s: the node is looked at again before %s', (isLate, sql) => {
    expect(sessionAfter([BEGIN]).isLate(sql)).toBe(isLate);
  });

  test.each<[boolean, readonly string[]]>([
    [true, ['SET TRANSACTION READ ONLY', BEGIN]],
    [true, [BEGIN, 'SET NAMES utf8mb4', 'SAVEPOINT a', 'SET @a = 1', 'SELECT CONNECTION_ID()']],
    [true, [BEGIN, `!${READ}`]],
    [true, [BEGIN, READ, BEGIN]],
    [true, [BEGIN, READ, 'COMMIT AND CHAIN']],
    [true, [BEGIN, 'SELECT 1 FROM DUAL', 'SHOW TABLES FROM shop', "SELECT 'from' /* from t */"]],
    [false, [BEGIN, READ]],
    [false, [BEGIN, 'SELECT f()']],
    [false, [BEGIN, 'SET @n = (SELECT COUNT(*) FROM t)']],
    [false, [`${BEGIN}, WITH CONSISTENT SNAPSHOT`]],
    [false, [BEGIN, 'COMMIT']],
    [false, [BEGIN, 'ROLLBACK']],
    [false, ['START TRANSACTION']],
  ])('%s: it is still to come after %j', (isUnread, texts) => {
    expect(sessionAfter(texts).isLate(READ)).toBe(isUnread);
  });

  test.each<[boolean, readonly string[]]>([
    [true, [BEGIN]],
    [true, [BEGIN, 'SET NAMES utf8mb4', "SET time_zone = '+02:00'"]],
    [false, [BEGIN, 'SAVEPOINT b']],
    [false, [BEGIN, 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED']],
    [false, [BEGIN, 'SET SESSION TRANSACTION READ WRITE']],
    [false, [BEGIN, 'SELECT 1 FROM DUAL']],
    [false, [BEGIN, 'SET @a = 1']],
    [false, [BEGIN, 'SELECT CONNECTION_ID()']],
    [false, [BEGIN, `!${READ}`]],
    [false, [BEGIN, 'COMMIT AND CHAIN']],
  ])('%s: the transaction can be begun anew after %j', (moves, texts) => {
    expect(sessionAfter(texts).movesWhenLate()).toBe(moves);
  });

  test('must see what its scope wrote since it began, and what its beginning asked for', () => {
    const scope = new ActiveScope({ after: '0-1-5' }, undefined, { consistency: 'session', waitMs: 20 });
    const { isLate, unread } = sessionAfter([BEGIN], scope);
    const lacks = { mayStillRead: () => true, mayLack: () => true, hasBarrier: () => false };
    expect(isLate(READ, lacks)).toBe(false);
    const other = { scope: undefined } as CallContext;
    expect(unread.contextOn(held, other).scope).toBe(scope);
    expect(unread.contextOn({ node: 'b' } as PhysicalConnection, other)).toBe(other);
    const later = readCausalToken('0-1-6');
    if (later !== undefined) scope.causal.include(later);
    expect(isLate(READ, lacks)).toBe(true);
    expect(isLate(READ, { ...lacks, mayLack: () => false })).toBe(false);
  });
});
