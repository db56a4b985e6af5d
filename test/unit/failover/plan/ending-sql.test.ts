import { expect, test } from 'vitest';
import { closeSteps } from '../../../../src/failover/plan/close-steps.js';
import { pastReadOnlySql, waitersSql } from '../../../../src/failover/plan/ending-sql.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const replicas = [madeUp('db2', { source }), madeUp('db3', { source })];

test('both ways to close a primary end the commits that wait for a replica, and whoever would commit past read_only', () => {
  const context = madeUpContext([madeUp('db1'), ...replicas]);
  for (const steps of [closeSteps(context, 'db1', 'db2'), planSwitchover(context, 'db1').steps]) {
    const close = steps.find(({ id }) => id === 'refuse-writes@db1');
    expect(close?.inTheWay).toMatch(/Waiting for semi-sync ACK/);
    expect(close?.why).toMatch(/are ended/);
    const end = steps.find(({ id }) => id === 'end-writers@db1');
    expect(end).toMatchObject({ phase: close?.phase, ends: true, optional: true });
    expect(end?.why).toMatch(/sessions that it lists are ended/);
    const ids = steps.map(({ id }) => id);
    expect(ids.indexOf('end-writers@db1')).toBe(ids.indexOf('refuse-writes@db1') + 1);
  }
});

test('nobody is ended on a MySQL: whoever waits for a replica goes on waiting', () => {
  expect(waitersSql(parseServerVersion('9.7.0'))).toBeUndefined();
  expect(waitersSql(parseServerVersion('11.8.2-MariaDB'))).toMatch(/AS waits/);
});

test('MySQL refuses its administrators, too; SUPER writes past read_only of a MariaDB before 10.11 only', () => {
  const sql = (version: string): string | undefined => pastReadOnlySql(parseServerVersion(version));
  expect(sql('9.7.0')).toBeUndefined();
  expect(sql('10.6.16-MariaDB')).toContain("'READ_ONLY ADMIN', 'READ ONLY ADMIN', 'SUPER'");
  expect(sql('10.11.6-MariaDB')).not.toContain('SUPER');
});
