/** A primary that does not log all writes: what it does not log is on no replica. */
import { expect, test } from 'vitest';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import { nodeChecks } from '../../../../src/failover/preflight/server-checks.js';
import { surveyNode } from '../../../../src/failover/survey/node-survey.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const primary = madeUp('db1', { logFilters: 'binlog_do_db: shop' });
const surveys = [primary, madeUp('db2', { source: { host: 'db1', port: 3306 } })];
const context = madeUpContext(surveys);

test('a switchover that nobody insists on is refused, and says what would be lost', () => {
  expect(() => planSwitchover(context, 'db1')).toThrow(
    /db1 does not log all writes \(binlog_do_db: shop\).*lost.*name the new primary/,
  );
});
test('whoever names the new primary is warned', () => {
  const { to, warnings } = planSwitchover(context, 'db1', 'db2');
  expect([to, warnings]).toEqual(['db2', [expect.stringContaining('binlog_do_db: shop')]]);
});
test('preflight warns', () => {
  const [check] = nodeChecks(primary, () => undefined).filter(({ name }) => name === 'logs-everything');
  expect(check).toMatchObject({ result: 'warn', detail: expect.stringContaining('binlog_do_db: shop') });
});
test('it is read from what the server says of its log', async () => {
  const { logFilters, binlog } = await surveyNode(
    'db1',
    parseServerVersion('10.11.6-MariaDB'),
    async (sql) => {
      if (sql.startsWith('SHOW MASTER'))
        return [{ File: 'log.000002', Position: 7, Binlog_Do_DB: 'shop', Binlog_Ignore_DB: 'tmp,old' }];
      return sql.includes('VARIABLES') ? [{ Variable_name: 'log_bin', Value: 'ON' }] : [];
    },
  );
  expect(logFilters).toBe('binlog_do_db: shop, binlog_ignore_db: tmp,old');
  expect(binlog).toEqual({ file: 'log.000002', position: 7 });
});
