/** What marks a connection as touched. */
import { expect, test } from 'vitest';
import { classify } from '../../../src/index.js';
import { leavesTrace, mayLeaveTrace } from '../../../src/mysql/session-changes.js';

class ResultSetHeader {
  readonly affectedRows = 1;
  readonly stateChanges: unknown;

  constructor(stateChanges?: unknown) {
    this.stateChanges = stateChanges;
  }
}

const quiet = new ResultSetHeader();
const wrote = new ResultSetHeader({
  systemVariables: { last_gtid: '0-1-2' },
  gtids: ['0-1-2'],
  trackStateChange: null,
});
const changed = new ResultSetHeader({ systemVariables: {}, gtids: [], trackStateChange: '' });

test.each([
  ['SELECT 1', [{ 1: 1 }], false],
  ['SELECT 1', undefined, false],
  ['INSERT INTO t (a) VALUES (NOW())', quiet, false],
  ['INSERT INTO t (a) VALUES (1)', wrote, false],
  ['UPDATE t SET a = 1; UPDATE t SET b = 1', [quiet, wrote], false],
  ['INSERT INTO t (a) VALUES (1)', changed, true],
  ['UPDATE t SET a = 1; UPDATE t SET b = 1', [quiet, changed], true],
  ['INSERT INTO t (a) VALUES (1)', undefined, true],
  ['INSERT INTO t (a) VALUES (1) RETURNING a', [{ a: 1 }], true],
  ['INSERT INTO t (a) VALUES (mine())', quiet, true],
  ['CREATE TABLE a AS SELECT mine()', quiet, true],
  ['CALL mine()', quiet, true],
  ['BEGIN', quiet, false],
  ['COMMIT', quiet, false],
  ['COMMIT', wrote, false],
  ['COMMIT', undefined, true],
  ['ROLLBACK', undefined, true],
  ['SET @a = 1', changed, true],
] as const)('%s, answered %j: %s', (sql, answer, leaves) => {
  expect(mayLeaveTrace(classify(sql, { flavor: 'mariadb', sqlMode: [] }), answer)).toBe(leaves);
});

test.each([
  ['SELECT 1', false],
  ['INSERT INTO t VALUES (1)', false],
  ['CALL p()', true],
  ['SET @a = 1', true],
  ['SET NAMES latin1', true],
  ['BEGIN', false],
  ['START TRANSACTION READ ONLY', false],
  ['START TRANSACTION WITH CONSISTENT SNAPSHOT', false],
  ['SAVEPOINT a', false],
  ['COMMIT', false],
  ['COMMIT AND CHAIN', false],
  ['ROLLBACK', false],
  ['SET autocommit = 0', true],
  ['SET autocommit = 1', true],
  ['SET TRANSACTION READ ONLY', true],
  ['BEGIN; SET @a = 1; COMMIT', true],
  ['SET autocommit = 0; COMMIT', true],
  ["XA START 'a'", true],
  ["SELECT GET_LOCK('a', 1)", true],
])('%s leaves a trace on its connection when its transaction is over: %s', (sql, trace) => {
  expect(leavesTrace(classify(sql))).toBe(trace);
});
