import { describe, expect, test } from 'vitest';
import { classify } from '../../../src/mysql/classifier/statement-classifier.js';
import { pinNames } from '../../../src/mysql/session-pins.js';
import {
  afterAnnouncement,
  afterInquiry,
  afterStatement,
  bindsToPrimary,
  type Ending,
  FRESH_SESSION,
  isAnnouncement,
  isTied,
  leavesDoubt,
  leavesReadOnlyTransaction,
  needOf,
  outlivesReset,
  type SessionState,
} from '../../../src/mysql/session-state.js';
import { readStatement } from '../../../src/mysql/statement.js';

const OK: Ending = { ok: true, status: undefined };
const refused = (errno: number): Ending => ({ ok: false, errno });

/** Status bits of OK packets, as both servers set them. */
const AUTOCOMMIT = 0x0002;
const IN_TRANSACTION = 0x0001 | AUTOCOMMIT;
const IN_READ_ONLY = IN_TRANSACTION | 0x2000;
const withStatus = (status: number): Ending => ({ ok: true, status });

function next(state: SessionState, sql: string, ending: Ending = OK): SessionState {
  return afterStatement(state, classify(sql), readStatement('query', sql, undefined), ending);
}

function following(...texts: string[]): SessionState {
  return texts.reduce((state, sql) => next(state, sql), FRESH_SESSION);
}

function placeOf(state: SessionState, sql: string, holds = true): string {
  return needOf(state, classify(sql), holds).place;
}

describe('where a statement has to run', () => {
  test.each([
    ['SELECT 1', 'read'],
    ['SELECT CONNECTION_ID()', 'read'],
    ['SELECT FOUND_ROWS()', 'primary'],
    ['INSERT INTO t VALUES (1)', 'primary'],
    ['SELECT * FROM t FOR UPDATE', 'primary'],
    ['CALL p()', 'primary'],
    ['SET @a = 1', 'primary'],
    ['CREATE TEMPORARY TABLE x (i INT)', 'primary'],
    ['START TRANSACTION', 'primary'],
    ['START TRANSACTION READ WRITE', 'primary'],
    ['START TRANSACTION READ ONLY', 'read'],
    ['SET autocommit = 0', 'primary'],
    ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'primary'],
    ['SET NAMES utf8mb4', 'any'],
    ['USE shop', 'read'],
    ['SHOW WARNINGS', 'primary'],
    ['something odd', 'primary'],
  ])('%s in a fresh session without a connection: %s', (sql, place) => {
    expect(placeOf(FRESH_SESSION, sql, false)).toBe(place);
  });

  test('what belongs to the statement before runs on the connection that is held', () => {
    expect(placeOf(FRESH_SESSION, 'SHOW WARNINGS', true)).toBe('held');
  });

  test('after a write everything needs the primary', () => {
    const state = following('UPDATE t SET a = 1');
    expect(state.wrote).toBe(true);
    expect(placeOf(state, 'SELECT 1')).toBe('primary');
    expect(placeOf(state, 'START TRANSACTION READ ONLY')).toBe('primary');
  });

  test.each([
    ['BEGIN'],
    ['START TRANSACTION READ ONLY'],
    ['SET autocommit = 0'],
    ['SET @a = 1'],
    ['CREATE TEMPORARY TABLE x (i INT)'],
    ['LOCK TABLES t WRITE'],
    ["SELECT GET_LOCK('a', 1)"],
    ["PREPARE s FROM 'SELECT 1'"],
    ['SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1'],
    ['HANDLER t OPEN'],
    ["XA START 'x'"],
    ['SET SESSION wait_timeout = 5'],
  ])('%s ties the session to its connection', (sql) => {
    const state = following(sql);
    expect(isTied(state)).toBe(true);
    expect(placeOf(state, 'SELECT 1')).toBe('held');
    expect(placeOf(state, 'INSERT INTO t VALUES (1)')).toBe('held');
  });
});

describe('transactions', () => {
  test.each([
    [['BEGIN', 'COMMIT'], 'none'],
    [['BEGIN', 'ROLLBACK'], 'none'],
    [['BEGIN', 'SAVEPOINT a', 'ROLLBACK TO a', 'RELEASE SAVEPOINT a'], 'read-write'],
    [['BEGIN', 'COMMIT AND CHAIN'], 'read-write'],
    [['COMMIT AND CHAIN'], 'read-write'],
    [['START TRANSACTION READ ONLY', 'COMMIT AND CHAIN'], 'read-only'],
    [['START TRANSACTION READ ONLY', 'ROLLBACK AND CHAIN'], 'read-only'],
    [['START TRANSACTION READ ONLY', 'COMMIT AND CHAIN; SELECT 1'], 'read-only'],
    [['BEGIN', 'CREATE TABLE x (i INT)'], 'none'],
    [['START TRANSACTION READ ONLY'], 'read-only'],
    [['START TRANSACTION READ ONLY', 'START TRANSACTION'], 'read-write'],
    [['SET autocommit = 0', 'SET autocommit = 1'], 'none'],
  ])('%j leaves the phase %s', (texts, phase) => {
    expect(following(...texts).transaction).toBe(phase);
  });

  test('the status bits of the server are believed more than the text', () => {
    const open = next(FRESH_SESSION, 'CALL starts_one()', withStatus(IN_TRANSACTION));
    expect(open.transaction).toBe('read-write');
    expect(next(open, 'CALL ends_it()', withStatus(AUTOCOMMIT)).transaction).toBe('none');
    expect(next(FRESH_SESSION, 'START TRANSACTION READ ONLY', withStatus(IN_READ_ONLY)).transaction).toBe(
      'read-only',
    );
    expect(next(FRESH_SESSION, 'CALL p()', withStatus(0)).autocommit).toBe(false);
  });

  test.each([
    [1213, 'UPDATE t SET a = 1', 'none'],
    [1020, 'UPDATE t SET a = 1', 'none'],
    [3101, 'COMMIT', 'none'],
    [1290, 'COMMIT', 'none'],
    [1290, 'UPDATE t SET a = 1', 'read-write'],
    [1205, 'UPDATE t SET a = 1', 'read-write'],
    [1062, 'INSERT INTO t VALUES (1)', 'read-write'],
    // Only the server knows; until it was asked, the transaction is taken for open.
    [1050, 'CREATE TABLE x (i INT)', 'read-write'],
    [1064, 'CREATE TABLE x (i INTT)', 'read-write'],
    [1064, 'nonsense', 'read-write'],
  ])('after error %i of %s in a transaction: %s', (errno, sql, phase) => {
    expect(next(following('BEGIN'), sql, refused(errno)).transaction).toBe(phase);
  });

  test('a failed statement leaves doubt when it may have committed first', () => {
    const open = following('BEGIN');
    expect(leavesDoubt(open, classify('CREATE TABLE x (i INT)'), 1050)).toBe(true);
    expect(leavesDoubt(open, classify('CALL p()'), 1050)).toBe(true);
    expect(leavesDoubt(FRESH_SESSION, classify('CALL p()'), 1050)).toBe(true);
    expect(leavesDoubt(FRESH_SESSION, classify('CREATE TABLE x (i INT)'), 1050)).toBe(false);
    expect(leavesDoubt(open, classify('INSERT INTO t VALUES (1)'), 1062)).toBe(false);
    expect(leavesDoubt(open, classify('INSERT INTO t VALUES (1)'), 1205)).toBe(true);
    expect(leavesDoubt(FRESH_SESSION, classify('INSERT INTO t VALUES (1)'), 1205)).toBe(false);
    expect(leavesDoubt(FRESH_SESSION, classify('BEGIN; INSERT INTO t VALUES (1)'), 1062)).toBe(true);
    expect(leavesDoubt(open, classify('INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)'), 1062)).toBe(
      false,
    );
    expect(afterInquiry(open, AUTOCOMMIT)).toMatchObject({ transaction: 'none', autocommit: true });
    expect(afterInquiry(open, IN_TRANSACTION)).toMatchObject({ transaction: 'read-write' });
    expect(afterInquiry(FRESH_SESSION, IN_TRANSACTION)).toMatchObject({ transaction: 'read-write' });
    expect(afterInquiry(FRESH_SESSION, IN_READ_ONLY)).toMatchObject({ transaction: 'read-only' });
    expect(afterInquiry(open, 0)).toMatchObject({ transaction: 'none', autocommit: false });
    expect(afterInquiry(open, undefined)).toBe(open);
  });

  test('a read-only transaction is left for what begins something else, unless the session is tied', () => {
    const state = following('START TRANSACTION READ ONLY');
    expect(leavesReadOnlyTransaction(state, classify('BEGIN'))).toBe(true);
    expect(leavesReadOnlyTransaction(state, classify('CREATE TABLE x (i INT)'))).toBe(true);
    expect(leavesReadOnlyTransaction(state, classify('COMMIT'))).toBe(false);
    expect(leavesReadOnlyTransaction(state, classify('SELECT 1'))).toBe(false);
    expect(leavesReadOnlyTransaction(next(state, 'SET @a = 1'), classify('BEGIN'))).toBe(false);
    expect(leavesReadOnlyTransaction(following('BEGIN'), classify('BEGIN'))).toBe(false);
  });

  test('a write that a read-only transaction refuses keeps nobody on the primary', () => {
    const state = next(following('START TRANSACTION READ ONLY'), 'UPDATE t SET a = 1', refused(1792));
    expect(state).toMatchObject({ transaction: 'read-only', wrote: false });
  });

  test('a BEGIN that was refused began nothing', () => {
    expect(next(FRESH_SESSION, 'BEGIN', refused(1290)).transaction).toBe('none');
  });
});

describe('what is announced for the next transaction', () => {
  const announcement = readStatement('query', 'SET TRANSACTION ISOLATION LEVEL READ COMMITTED', undefined);
  const announced = afterAnnouncement(FRESH_SESSION, announcement, classify(announcement.sql));

  test('is not sent before that begins, and is refused by the server inside one', () => {
    expect(isAnnouncement(FRESH_SESSION, classify(announcement.sql))).toBe(true);
    expect(isAnnouncement(following('BEGIN'), classify(announcement.sql))).toBe(false);
    expect(isAnnouncement(FRESH_SESSION, classify('SET SESSION TRANSACTION READ ONLY'))).toBe(false);
  });

  test.each([
    ['BEGIN', 0],
    ['START TRANSACTION READ ONLY', 0],
    ['SELECT 1', 0],
    ['INSERT INTO t VALUES (1)', 0],
    ['SET NAMES latin1', 1],
    ['ROLLBACK', 1],
  ])('after %s, %i are left', (sql, left) => {
    expect(next(announced, sql).announced).toHaveLength(left);
    expect(next(announced, sql, refused(1064)).announced).toHaveLength(1);
  });

  test('is kept within bounds', () => {
    let state = FRESH_SESSION;
    for (let index = 0; index < 100; index += 1)
      state = afterAnnouncement(state, announcement, classify(announcement.sql));
    expect(state.announced.length).toBeLessThan(10);
  });

  test.each([
    [['SET TRANSACTION READ ONLY'], 'read'],
    [['SET TRANSACTION READ ONLY', 'SET TRANSACTION ISOLATION LEVEL READ COMMITTED'], 'read'],
    [['SET TRANSACTION READ ONLY', 'SET TRANSACTION READ WRITE'], 'primary'],
    [['SET TRANSACTION ISOLATION LEVEL READ COMMITTED'], 'primary'],
    // What is no longer sent is no longer believed.
    [
      ['SET TRANSACTION READ ONLY', ...Array(20).fill('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')],
      'primary',
    ],
  ])('after %j, BEGIN runs where %s does', (texts: readonly string[], place) => {
    const state = texts.reduce(
      (before, sql) => afterAnnouncement(before, readStatement('query', sql, undefined), classify(sql)),
      FRESH_SESSION,
    );
    expect(needOf(state, classify('BEGIN'), false).place).toBe(place);
    expect(needOf(state, classify('START TRANSACTION READ WRITE'), false).place).toBe('primary');
  });
});

describe('pins', () => {
  test('are let go one by one where they have names', () => {
    let state = following('CREATE TEMPORARY TABLE a (i INT)', 'CREATE TEMPORARY TABLE b (i INT)');
    state = next(state, 'DROP TABLE a');
    expect(isTied(state)).toBe(true);
    state = next(state, 'DROP TEMPORARY TABLE b');
    expect(isTied(state)).toBe(false);
    expect(state.wrote).toBe(true);
  });

  test('stay when the statement that would let go failed', () => {
    const state = next(following("SELECT GET_LOCK('a', 1)"), "SELECT RELEASE_LOCK('a')", refused(1317));
    expect(pinNames(state.pins)).toEqual(['named-lock']);
  });

  test('hold also when the statement that pins failed', () => {
    const state = next(FRESH_SESSION, 'SELECT SQL_CALC_FOUND_ROWS * FROM t', refused(1146));
    expect(pinNames(state.pins)).toEqual(['found-rows']);
  });

  test('a session with very many named things is tied by their kind, within bounds', () => {
    let state = FRESH_SESSION;
    for (let index = 0; index < 1000; index += 1)
      state = next(state, `CREATE TEMPORARY TABLE t${index} (i INT)`);
    expect(state.pins.length).toBeLessThanOrEqual(257);
    expect(isTied(next(state, 'DROP TEMPORARY TABLE t999'))).toBe(true);
  });
});

describe('settings', () => {
  test('are remembered in order for the next connection, and do not tie', () => {
    const state = following('SET NAMES latin1', "SET time_zone = '+01:00'", 'USE other');
    expect(isTied(state)).toBe(false);
    expect(state.settings.map(({ sql }) => sql)).toEqual([
      'SET NAMES latin1',
      "SET time_zone = '+01:00'",
      'USE other',
    ]);
  });

  test('that were refused are not remembered', () => {
    expect(next(FRESH_SESSION, 'USE nowhere', refused(1049))).toBe(FRESH_SESSION);
  });

  test('together with something else in one text they tie', () => {
    const state = following('SET NAMES latin1; INSERT INTO t VALUES (1)');
    expect(state.settings).toEqual([]);
    expect(isTied(state)).toBe(true);
  });
});

test.each<[string, Ending, boolean]>([
  ['CALL p()', OK, true],
  ['CALL p()', refused(1644), true],
  ['EXECUTE s', OK, true],
  ['SELECT odd()', OK, true],
  ['INSERT INTO t VALUES (odd())', OK, true],
  ['INSERT INTO t VALUES (odd())', refused(1062), true],
  ['INSERT INTO t VALUES (1)', { ok: true, status: AUTOCOMMIT, tellsChange: true }, true],
  ['CREATE TEMPORARY TABLE x (i INT)', { ok: true, status: AUTOCOMMIT, tellsChange: true }, false],
  ['INSERT INTO t VALUES (1)', OK, false],
  ['INSERT INTO t VALUES (1)', refused(1062), false],
  ['SET NAMES latin1', OK, false],
])('%s (%j) may have left what no text shows: %s', (sql, ending, unseen) => {
  const state = next(FRESH_SESSION, sql, ending);
  expect(state.unseen).toBe(unseen);
  if (!unseen) return;
  expect(needOf(state, classify('SELECT 1'), true)).toEqual({
    place: 'held',
    because: 'a procedure, function or trigger may have left something on this connection',
  });
  const free = following('START TRANSACTION READ ONLY');
  expect(leavesReadOnlyTransaction(free, classify('BEGIN'))).toBe(true);
  expect(leavesReadOnlyTransaction({ ...free, unseen }, classify('BEGIN'))).toBe(false);
});

test('what no text shows keeps the session on the primary, also when it came inside a read-only transaction there', () => {
  const state = following('START TRANSACTION READ ONLY', 'CALL p()', 'COMMIT');
  expect(state).toMatchObject({ transaction: 'none', unseen: true, wrote: true });
});

test('a read leaves the state as it is, the very same object', () => {
  expect(next(FRESH_SESSION, 'SELECT 1')).toBe(FRESH_SESSION);
});

test('what writes, pins or is not understood keeps the session on the primary', () => {
  expect(bindsToPrimary(classify('SELECT 1'))).toBe(false);
  expect(bindsToPrimary(classify('SET NAMES latin1'))).toBe(false);
  expect(bindsToPrimary(classify('DELETE FROM t'))).toBe(true);
  expect(bindsToPrimary(classify('SET @a = 1'))).toBe(true);
  expect(bindsToPrimary(classify('something odd'))).toBe(true);
});

describe('what ties a session', () => {
  const pinsAfter = (...texts: readonly string[]): readonly unknown[] =>
    following(...texts).pins.map(({ pin, name }) => `${pin} ${name}`);

  test('a user variable that is only read ties a session that may have set it, and none in a read-only transaction', () => {
    const begin = 'START TRANSACTION READ ONLY';
    const tied = ['user-variable undefined'];
    expect(pinsAfter(begin, 'SELECT @b', 'SHOW TABLES LIKE @b', 'SELECT 1; SELECT @b', 'COMMIT')).toEqual([]);
    for (const setter of ['SELECT @b := 1', 'SET @b = 1', 'SELECT 1 INTO @b', 'SELECT @a; SELECT @b := @a']) {
      expect(pinsAfter(begin, setter, 'COMMIT'), setter).toEqual(tied);
      expect(pinsAfter(setter, begin, 'SELECT @b', 'COMMIT'), setter).toEqual(tied);
    }
    // A trigger or a procedure may have set it.
    expect(pinsAfter('INSERT INTO t VALUES (1)', 'SELECT @b')).toEqual(tied);
  });

  test('a lock is held until it was released as often as it was taken', () => {
    const take = "SELECT GET_LOCK('a', 1)";
    const free = "SELECT RELEASE_LOCK('a')";
    expect(pinsAfter(take, take, free)).toEqual(['named-lock a']);
    expect(pinsAfter(take, take, free, free)).toEqual([]);
    expect(pinsAfter(take, take, 'SELECT RELEASE_ALL_LOCKS()')).toEqual([]);
  });

  test.each([['ALTER TABLE a RENAME TO b'], ['RENAME TABLE a TO b'], ['USE other'], ['CALL p()']])(
    'after %s the name of a temporary table is not what lets go of it',
    (text) => {
      expect(pinsAfter('CREATE TEMPORARY TABLE a (i INT)', 'DROP TABLE a')).toEqual([]);
      const pins = pinsAfter('CREATE TEMPORARY TABLE a (i INT)', text, 'DROP TABLE a');
      expect(pins).toContain('temp-table undefined');
    },
  );
});

describe('settings that another connection is given', () => {
  const textsOf = (state: SessionState): unknown[] => state.settings.map(({ form }) => form);

  test.each([
    [
      ['USE a', "SET time_zone = '+01:00'", 'use `b`'],
      ["SET time_zone = '+01:00'", 'use `b`'],
    ],
    [
      ['SET NAMES latin1', 'SET NAMES utf8mb4 COLLATE utf8mb4_bin'],
      ['SET NAMES utf8mb4 COLLATE utf8mb4_bin'],
    ],
    [["SET time_zone = '+01:00'", "SET SESSION time_zone='+02:00';"], ["SET SESSION time_zone='+02:00';"]],
    [
      ["SET @@time_zone = '+01:00'", 'USE a', 'SET time_zone = DEFAULT'],
      ['USE a', 'SET time_zone = DEFAULT'],
    ],
    [
      [
        'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
        'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
      ],
      ['SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ'],
    ],
  ])('%j: a later one takes the place of the one before', (texts, kept) => {
    expect(textsOf(following(...texts))).toEqual(kept);
  });

  test.each([
    [['SET sql_mode = 1', "SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "SET sql_mode = 'ANSI'"]],
    [["SET sql_mode = ''", 'SET time_zone = "+01:00"', "SET sql_mode = 'ANSI_QUOTES'"]],
    [['SET NAMES latin1', "SET NAMES 'utf8mb4' COLLATE DEFAULT, time_zone = '+01:00'", 'SET NAMES latin1']],
    [['USE a', 'USE "b"']],
    [['SET NAMES latin1', 'USE \u00e4', 'SET NAMES utf8mb4']],
  ])('%j: nothing is left out that may count', (texts) => {
    expect(textsOf(following(...texts))).toEqual(texts);
  });

  test('a session that makes more of them goes to the primary, and stays there', () => {
    const many = Array.from(
      { length: 16 },
      (_, index) => `SET NAMES utf8mb4, time_zone = '+0${index % 10}:00'`,
    );
    const full = following(...many);
    expect(full.settings).toHaveLength(16);
    expect([isTied(full), placeOf(full, 'SELECT 1'), placeOf(full, 'USE a')]).toEqual([
      false,
      'read',
      'primary',
    ]);
    const over = next(full, 'USE a');
    expect([isTied(over), over.wrote, placeOf(over, 'SELECT 1'), placeOf(over, 'SELECT 1', false)]).toEqual([
      true,
      true,
      'held',
      'primary',
    ]);
    let state = FRESH_SESSION;
    for (let turn = 0; turn < 100; turn += 1) state = next(state, `USE tenant_${turn}`);
    expect(textsOf(state)).toEqual(['USE tenant_99']);
  });
});

test.each([
  ['COMMIT', false],
  ['COMMIT NO RELEASE', false],
  ['COMMIT RELEASE', true],
  ['ROLLBACK AND NO CHAIN RELEASE', true],
  ['COMMIT; COMMIT RELEASE', true],
  ['USE other', true],
  ["XA START 'a'", true],
])('%s leaves what no reset takes away: %s', (sql, outlives) => {
  expect(outlivesReset(classify(sql))).toBe(outlives);
});
