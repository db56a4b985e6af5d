/** A server that was made by a copy does not name former primaries; preflight says how it is taught. */
import { expect, test } from 'vitest';
import { historyChecks } from '../../../../src/failover/preflight/history-checks.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const named = { gtid_current_pos: '0-1-120', gtid_binlog_state: '0-2-90,0-1-120' };
const primary = madeUp('db1', { executed: '0-1-120', variables: named });

test('of a copy it is told, with the statements for it', () => {
  const copy = madeUp('db3', { source, executed: '0-1-120' });
  const checks = historyChecks([
    primary,
    madeUp('db2', { source, executed: '0-1-120', variables: named }),
    copy,
  ]);
  expect(checks.map(({ node, result }) => [node, result])).toEqual([
    ['db1', 'pass'],
    ['db2', 'pass'],
    ['db3', 'warn'],
  ]);
  expect(checks[2]?.detail).toMatch(
    /\(0-2-90\).*STOP SLAVE; SET @history.*RESET MASTER; SET GLOBAL gtid_binlog_state=CONCAT\('0-2-90,', @history\); START SLAVE/,
  );
});
test('what a replica merely lacks is no matter of its log, nor is what another one has of its own', () => {
  const behind = madeUp('db3', { source, executed: '0-2-80' });
  const errant = madeUp('db2', {
    source,
    executed: '0-1-120',
    variables: { gtid_binlog_state: '0-2-90,0-1-120' },
  });
  const clean = madeUp('db4', { source, executed: '0-1-120' });
  const fresh = madeUp('db1', { executed: '0-1-120' });
  expect(historyChecks([primary, behind]).map(({ result }) => result)).toEqual(['pass', 'pass']);
  expect(historyChecks([fresh, errant, clean]).map(({ result }) => result)).toEqual(['pass', 'pass', 'pass']);
});
test('MySQL names all that it has', () => {
  expect(historyChecks([madeUp('db1', { version: '9.7.4' })])).toEqual([]);
});
