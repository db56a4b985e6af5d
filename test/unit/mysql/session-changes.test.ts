/** What marks a connection as touched. */
import { expect, test } from 'vitest';
import { classify } from '../../../src/index.js';
import { mayLeaveTrace } from '../../../src/mysql/session-changes.js';

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
  ['SET @a = 1', changed, true],
] as const)('%s, answered %j: %s', (sql, answer, leaves) => {
  expect(mayLeaveTrace(classify(sql, { flavor: 'mariadb', sqlMode: [] }), answer)).toBe(leaves);
});
