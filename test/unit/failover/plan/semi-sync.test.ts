/** Commits on a new primary wait for replicas only where there are some that acknowledge; else that is remembered, and done later. */
import { describe, expect, test } from 'vitest';
import { rejoinWords } from '../../../../src/failover/change/done-words.js';
import type { LastSeen } from '../../../../src/failover/plan/expected-loss.js';
import type { FailoverPlan } from '../../../../src/failover/plan/failover-plan.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import { planSemiSync } from '../../../../src/failover/plan/plan-semi-sync.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const MARIADB = {
  rpl_semi_sync_master_enabled: 'OFF',
  rpl_semi_sync_slave_enabled: 'ON',
  rpl_semi_sync_master_timeout: '60000',
  rpl_semi_sync_master_wait_no_slave: 'ON',
};
const MYSQL = {
  gtid_mode: 'ON',
  rpl_semi_sync_source_enabled: 'OFF',
  rpl_semi_sync_replica_enabled: 'ON',
  rpl_semi_sync_source_timeout: '60000',
  rpl_semi_sync_source_wait_no_replica: 'ON',
  rpl_semi_sync_source_wait_for_replica_count: '1',
};
type Given = NonNullable<Parameters<typeof madeUp>[1]>;
const replica = (node: string, more: Readonly<Record<string, string>> = {}, given: Given = {}): NodeSurvey =>
  madeUp(node, { source, ...given, variables: { ...MARIADB, ...more } });
const mysqlReplica = (node: string, more: Readonly<Record<string, string>> = {}): NodeSurvey =>
  madeUp(node, {
    source,
    version: '9.7.0',
    executed: '',
    status: { Source_Host: 'db1', Source_Port: 3306, Replica_IO_Running: 'Yes', Replica_SQL_Running: 'Yes' },
    variables: { ...MYSQL, ...more },
  });
const lastSeen: LastSeen = {
  flavor: 'mariadb',
  gtids: '0-1-100',
  seenAt: 0,
  agoMs: 3_000,
  unseenMs: 3_500,
  isDead: true,
  rate: 1,
  semiSync: true,
};
const contextOf = (surveys: readonly NodeSurvey[], more: Partial<PlanContext> = {}): PlanContext =>
  madeUpContext(surveys, { nodes: ['db1', 'db2', 'db3'], witnesses: ['w:1'], ...more });
const failover = (surveys: readonly NodeSurvey[], seen: LastSeen | undefined = lastSeen): FailoverPlan =>
  planFailover(contextOf(surveys), {
    from: 'db1',
    reason: 'dead-primary',
    lastSeen: seen,
    silent: new Map([['db1', 'refused']]),
  });
/** What a plan does about it on `node`, in order, beside the first write and the last step of a promotion. */
const doneOn = (node: string, { steps }: FailoverPlan): readonly string[] =>
  steps.flatMap(({ id, sql = '' }) => {
    if (!id.endsWith(`@${node}`)) return [];
    if (id.startsWith('semi-sync')) return [sql.replace('SET GLOBAL rpl_semi_sync_', '')];
    return /^(epoch|owe-semi-sync|take-writes)@/.test(id) ? [id.split('@')[0] ?? ''] : [];
  });
const ON = ['epoch', 'master_enabled=1', 'take-writes'];
const OWED = ['epoch', 'owe-semi-sync', 'take-writes'];
const LEFT_OFF = /left off on db2, where .*: every commit would wait 60000 ms/;

describe('a failover', () => {
  test.each<[string, readonly NodeSurvey[], readonly string[]]>([
    ['with a replica that acknowledges', [replica('db2'), replica('db3')], ON],
    ['without any other replica', [replica('db2')], OWED],
    [
      'with one that does not acknowledge',
      [replica('db2'), replica('db3', { rpl_semi_sync_slave_enabled: 'OFF' })],
      OWED,
    ],
    [
      'with one that cannot follow',
      [replica('db2'), replica('db3', {}, { status: { Last_SQL_Errno: 1062, Last_SQL_Error: 'Duplicate' } })],
      OWED,
    ],
    [
      'alone, where commits wait for connected replicas only',
      [replica('db2', { rpl_semi_sync_master_wait_no_slave: 'OFF' })],
      ON,
    ],
    [
      'alone, where the new primary is configured to wait: not before its first write, which would wait',
      [replica('db2', { rpl_semi_sync_master_enabled: 'ON' })],
      ['master_enabled=0', ...OWED],
    ],
    [
      'with two of which both have to acknowledge, and one is left',
      [mysqlReplica('db2', { rpl_semi_sync_source_wait_for_replica_count: '2' }), mysqlReplica('db3')],
      OWED,
    ],
    ['of MySQL', [mysqlReplica('db2'), mysqlReplica('db3')], ['epoch', 'source_enabled=1', 'take-writes']],
  ])('%s', (_, surveys, expected) => {
    const plan = failover(
      surveys,
      surveys[0]?.version.flavor === 'mysql' ? { ...lastSeen, flavor: 'mysql', gtids: '' } : lastSeen,
    );
    expect(plan.to).toBe('db2');
    expect(doneOn('db2', plan)).toEqual(expected);
    const warned = plan.warnings.filter((warning) => LEFT_OFF.test(warning));
    expect(warned.length).toBe(expected.includes('owe-semi-sync') ? 1 : 0);
  });
  test('whose primary was never seen goes by what the new one is set to', () => {
    expect(doneOn('db2', failover([replica('db2')], undefined))).toEqual(OWED);
    const plain = madeUp('db2', { source });
    expect(doneOn('db2', failover([plain], { ...lastSeen, semiSync: false }))).toEqual([
      'epoch',
      'take-writes',
    ]);
  });
  test('is not stopped where that cannot be remembered', () => {
    const noted = failover([replica('db2')]).steps.filter(({ id }) => /^owe/.test(id));
    expect(noted.map(({ id, optional }) => [id, optional])).toEqual([
      ['owed-table@db2', 'alone'],
      ['owe-semi-sync@db2', 'alone'],
    ]);
  });
});

describe('a switchover', () => {
  const primary = (more: Readonly<Record<string, string>> = {}): NodeSurvey =>
    madeUp('db1', { variables: { ...MARIADB, rpl_semi_sync_master_enabled: 'ON', ...more } });
  test.each<[string, NodeSurvey, Partial<PlanContext>, readonly string[]]>([
    ['of two nodes, the old primary acknowledges', primary(), {}, ON],
    ['of two nodes, it does not', primary({ rpl_semi_sync_slave_enabled: 'OFF' }), {}, OWED],
    [
      'from a primary where it is off',
      primary({ rpl_semi_sync_master_enabled: 'OFF' }),
      {},
      ['epoch', 'take-writes'],
    ],
    [
      'from a primary where it was left off',
      primary({ rpl_semi_sync_master_enabled: 'OFF' }),
      { owesSemiSync: new Set(['db1']) },
      ON,
    ],
  ])('%s', (_, old, more, expected) => {
    const plan = planSwitchover(contextOf([old, replica('db2')], more), 'db1');
    expect(doneOn('db2', plan)).toEqual(expected);
    expect(plan.warnings.some((warning) => LEFT_OFF.test(warning))).toBe(expected === OWED);
  });
});

test('a failover that is finished by another process leaves it off as well; the way back leaves it as it was', () => {
  const made = madeUp('db2', { readOnly: true, variables: MARIADB });
  const change = { opId: 'o', kind: 'failover', from: 'db1', to: 'db2', isPassed: true };
  expect(doneOn('db2', planResume(contextOf([made]), change))).toEqual(OWED);
  const old = madeUp('db1', {
    readOnly: true,
    variables: { ...MARIADB, rpl_semi_sync_master_enabled: 'ON' },
  });
  const back = planResume(contextOf([old]), { opId: 'o', kind: 'switchover', from: 'db1', to: 'db2' });
  expect([back.to, doneOn('db1', back)]).toEqual(['db1', ['epoch', 'take-writes']]);
});

describe('it is switched on again', () => {
  const primary = (given: Given = {}): NodeSurvey =>
    madeUp('db2', { executed: '0-2-200', acknowledgers: 1, variables: MARIADB, ...given });
  const follower = (given: Given = {}): NodeSurvey =>
    madeUp('db1', { source: { host: 'db2', port: 3306 }, executed: '0-2-200', variables: MARIADB, ...given });
  const owesSemiSync = new Set(['db2']);
  const planned = (surveys: readonly NodeSurvey[], before = surveys[0], more: Partial<PlanContext> = {}) =>
    planSemiSync(contextOf(surveys, { owesSemiSync, ...more }), 'db2', before);
  test('when a replica that acknowledges has caught up, under the lock of the primary', () => {
    // The primary has gone on since.
    const plan = planned([primary({ executed: '0-2-300' }), follower()], primary());
    expect(plan).toMatchObject({ kind: 'rejoin', from: 'db2', to: 'db2' });
    expect(plan?.steps.map(({ id, sql }) => sql ?? id)).toEqual([
      'lock-change',
      'look-again',
      'SET GLOBAL rpl_semi_sync_master_enabled=1',
      'release',
    ]);
    expect(plan === undefined ? '' : rejoinWords(plan, false)).toBe(
      'Commits on db2 wait for a replica again (semi-synchronous replication)',
    );
  });
  const stopped = { status: { Slave_IO_Running: 'No' } };
  const two = { ...MYSQL, rpl_semi_sync_source_wait_for_replica_count: '2' };
  test.each<[string, ReturnType<typeof planSemiSync>]>([
    ['nobody has left it off', planned([primary(), follower()], primary(), { owesSemiSync: new Set() })],
    [
      'it is on',
      planned([primary({ variables: { ...MARIADB, rpl_semi_sync_master_enabled: 'ON' } }), follower()]),
    ],
    ['no replica follows', planned([primary()])],
    ['it does not acknowledge', planned([primary(), follower({ variables: {} })])],
    ['it is not connected as one that does', planned([primary({ acknowledgers: 0 }), follower()])],
    ['it does not receive', planned([primary(), follower(stopped)])],
    ['it is still catching up', planned([primary(), follower({ executed: '0-2-150' })])],
    ['the primary was another one a look ago', planned([primary(), follower()], madeUp('db3'))],
    [
      'one is there, and two have to acknowledge',
      planned([primary({ variables: two, acknowledgers: 1 }), follower()]),
    ],
  ])('not while %s', (_, plan) => {
    expect(plan).toBeUndefined();
  });
});
