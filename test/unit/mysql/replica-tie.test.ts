import { describe, expect, test } from 'vitest';
import { createClassifier } from '../../../src/mysql/classifier/statement-classifier.js';
import { stateToLeaveWith } from '../../../src/mysql/leave-replica.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { ReplicaTie, showsData } from '../../../src/mysql/replica-tie.js';
import { afterStatement, FRESH_SESSION, type SessionState } from '../../../src/mysql/session-state.js';
import { readStatement } from '../../../src/mysql/statement.js';

const classify = createClassifier();
const held = { node: 'b' } as PhysicalConnection;
const other = { node: 'b' } as PhysicalConnection;

/** The state of a session after these statements. */
function sessionAfter(...texts: readonly string[]): SessionState {
  const step = (state: SessionState, sql: string): SessionState =>
    afterStatement(state, classify(sql), readStatement('query', sql, undefined), {
      ok: true,
      status: undefined,
    });
  return texts.reduce(step, FRESH_SESSION);
}

const LEFT = ['START TRANSACTION READ ONLY', 'SET @a = 7', 'COMMIT'];

describe('what a read-only transaction left on a replica', () => {
  test('ties the session there for reads, and refuses what needs the primary', () => {
    const tie = new ReplicaTie();
    const left = sessionAfter(...LEFT);
    expect(tie.primaryAfter(held, left, 'a')).toBeUndefined();
    expect(tie.isOn(held, left, 'a')).toBe(true);
    expect(() => stateToLeaveWith(left, classify('INSERT INTO t VALUES (@a)'), held, true, 'a')).toThrow(
      /user-variable.* is on the replica b/,
    );
    expect(stateToLeaveWith(left, classify('SELECT 1'), held, true, 'a')).toBeUndefined();
    // To read the variable is to be tied by it once more, and no write.
    const read = sessionAfter(...LEFT, 'SELECT @a');
    expect(read.wrote).toBe(true);
    expect([tie.primaryAfter(held, read, 'a'), tie.isOn(held, read, 'a')]).toEqual([undefined, true]);
  });

  test('is noticed also while there is no primary', () => {
    const tie = new ReplicaTie();
    expect(tie.primaryAfter(held, sessionAfter(...LEFT), undefined)).toBeUndefined();
    const read = sessionAfter(...LEFT, 'SELECT @a');
    expect([tie.primaryAfter(held, read, 'a'), tie.isOn(held, read, 'a')]).toEqual([undefined, true]);
  });

  test('is no tie to a replica any more once that was promoted: the session may write there', () => {
    const tie = new ReplicaTie();
    const read = sessionAfter(...LEFT, 'SELECT @a');
    tie.primaryAfter(held, sessionAfter(...LEFT), 'a');
    expect(tie.isOn(held, read, 'a')).toBe(true);
    expect(tie.primaryAfter(held, read, 'b')).toBeUndefined();
    expect(tie.isOn(held, read, 'b')).toBe(false);
    expect(stateToLeaveWith(read, classify('INSERT INTO t VALUES (@a)'), held, false, 'b')).toBeUndefined();
    // What it did there, it did on a primary, which is not the primary any more.
    const wrote = sessionAfter(...LEFT, 'SELECT @a', 'INSERT INTO t VALUES (@a)');
    expect(tie.primaryAfter(held, wrote, 'c')).toBe('c');
    expect(tie.isOn(held, wrote, 'c')).toBe(false);
  });

  test('is not what ties a session to a primary that was replaced', () => {
    const tie = new ReplicaTie();
    const wrote = sessionAfter('SET @a = 7', 'INSERT INTO t VALUES (@a)');
    expect(tie.primaryAfter(held, wrote, 'b')).toBeUndefined();
    expect(tie.primaryAfter(held, wrote, undefined)).toBeUndefined();
    expect(tie.primaryAfter(held, wrote, 'c')).toBe('c');
    tie.primaryAfter(other, sessionAfter(...LEFT), 'c');
    expect(tie.primaryAfter(held, wrote, 'c')).toBe('c');
    expect(tie.primaryAfter(held, sessionAfter('BEGIN'), 'c')).toBe('c');
    expect(tie.primaryAfter(held, sessionAfter('START TRANSACTION READ ONLY'), 'c')).toBeUndefined();
  });

  test('that is only about the statement before is left with the next read, which may be a fresh one then', () => {
    const counted = sessionAfter('START TRANSACTION READ ONLY', 'SELECT SQL_CALC_FOUND_ROWS 1', 'COMMIT');
    expect(counted.pins).toEqual([{ pin: 'found-rows' }]);
    for (const sql of ['SELECT 1', 'INSERT INTO t VALUES (1)'])
      expect(stateToLeaveWith(counted, classify(sql), held, true, 'a'), sql).toMatchObject({ pins: [] });
    for (const sql of ['SELECT FOUND_ROWS()', 'SELECT v, FOUND_ROWS() FROM t'])
      expect(stateToLeaveWith(counted, classify(sql), held, true, 'a'), sql).toBeUndefined();
  });
});

test.each([
  [true, 'SELECT 1'],
  [true, 'SELECT @a'],
  [true, 'SET @n = (SELECT COUNT(*) FROM t)'],
  [true, 'START TRANSACTION READ ONLY'],
  [false, 'SELECT FOUND_ROWS()'],
  [false, 'SHOW WARNINGS'],
  [false, 'SET NAMES utf8mb4'],
  [false, 'COMMIT'],
])('%s: data may be shown by %s', (shown, sql) => {
  expect(showsData(sessionAfter(...LEFT), classify(sql))).toBe(shown);
});

test('what an open transaction shows was decided when it began', () => {
  const open = sessionAfter('START TRANSACTION READ ONLY', 'SET @a = 1');
  expect(showsData(open, classify('SELECT 1'))).toBe(false);
  expect(showsData(open, classify('START TRANSACTION READ ONLY'))).toBe(true);
});
