import { expect, test } from 'vitest';
import { closeSteps } from '../../../../src/failover/plan/close-steps.js';
import { endWaitsSql, pastReadOnlySql, waitersSql } from '../../../../src/failover/plan/ending-sql.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
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

test('a MySQL ends the waits, too, by the name that its plugin has there, and only while the session that closes it waits', () => {
  const mysql = (variables: Readonly<Record<string, string>>): NodeSurvey =>
    madeUp('db1', { version: '9.7.0', variables });
  const ends = endWaitsSql(mysql({ rpl_semi_sync_source_enabled: 'ON' }));
  expect(ends).toMatch(
    /^SET GLOBAL rpl_semi_sync_source_enabled=\(SELECT COUNT\(\*\)=0 .* ID=\{session\} AND STATE IN/,
  );
  expect(ends).toMatch(/, GLOBAL rpl_semi_sync_source_enabled=1$/);
  expect(endWaitsSql(mysql({ rpl_semi_sync_master_enabled: 'ON' }))).toContain(
    'rpl_semi_sync_master_enabled=1',
  );
  expect(endWaitsSql(mysql({}))).toBeUndefined();
  expect(endWaitsSql(madeUp('db1', { variables: { rpl_semi_sync_master_enabled: 'ON' } }))).toBeUndefined();
  const context = madeUpContext([
    madeUp('db1', { version: '9.7.0', variables: { rpl_semi_sync_source_enabled: 'ON' } }),
    ...replicas,
  ]);
  expect(closeSteps(context, 'db1', 'db2').find(({ id }) => id === 'refuse-writes@db1')?.endsWaits).toBe(
    ends,
  );
});

test('what waits for a replica is listed on both families', () => {
  for (const version of ['9.7.0', '5.7.44', '11.8.2-MariaDB'])
    expect(waitersSql(parseServerVersion(version))).toMatch(/AS waits/);
});

test('MySQL refuses its administrators, too; SUPER writes past read_only of a MariaDB before 10.11 only', () => {
  const sql = (version: string): string | undefined => pastReadOnlySql(parseServerVersion(version));
  expect(sql('9.7.0')).toBeUndefined();
  expect(sql('10.6.16-MariaDB')).toContain("'READ_ONLY ADMIN', 'READ ONLY ADMIN', 'SUPER'");
  expect(sql('10.11.6-MariaDB')).not.toContain('SUPER');
});
