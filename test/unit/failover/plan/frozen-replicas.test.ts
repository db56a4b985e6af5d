/** What a failover notes of its replicas: enough to tell later what was never acknowledged, and no more than is known. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type FailoverPlan, NO_LOSS } from '../../../../src/failover/plan/failover-plan.js';
import { frozenIn, frozenText } from '../../../../src/failover/plan/frozen-replicas.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const acknowledging = { rpl_semi_sync_slave_enabled: 'ON' };
const waits = {
  acknowledgers: 2,
  waitFor: 1,
  timeoutMs: 600_000,
  waitedMs: 0,
  afterSync: true,
  waitsAlone: true,
};
const seenAt = 1_700_000_000_000;
const plan = {
  opId: 'op',
  kind: 'failover',
  from: 'db1',
  to: 'db2',
  loss: { ...NO_LOSS, seenAt },
  commitWaits: waits,
} as unknown as FailoverPlan;

test('what each has received, and whether it still has all that it acknowledged', () => {
  const surveys = [
    madeUp('db2', { source, executed: '0-1-98', received: '0-1-100', variables: acknowledging }),
    madeUp('db3', { source, executed: '0-1-97', variables: acknowledging, uptimeS: 4 }),
    madeUp('db4', { source, executed: '0-1-96' }),
    // The old primary itself, which answers and was closed.
    madeUp('db1', { executed: '0-1-101', variables: acknowledging }),
  ];
  expect(frozenIn(frozenText(plan, surveys, seenAt + 5_000))).toEqual({
    replicas: {
      db2: { received: '0-1-100', acknowledges: true },
      db3: { received: '0-1-97', acknowledges: false },
      db4: { received: '0-1-96', acknowledges: false },
    },
    commitWaits: waits,
  });
});

test('of MySQL in its notation, and without GTIDs the place in the log', () => {
  const uuid = '11111111-1111-1111-1111-111111111111';
  const mysql = madeUp('db2', {
    version: '9.7.4',
    source,
    variables: { gtid_executed: `${uuid}:1-98`, gtid_mode: 'ON', server_uuid: uuid },
    status: { Retrieved_Gtid_Set: `${uuid}:50-100`, Auto_Position: '1' },
  });
  const place = madeUp('db3', {
    source,
    status: { Using_Gtid: 'No', Master_Log_File: 'binlog.000007', Read_Master_Log_Pos: 1_234 },
  });
  const { commitWaits, ...rest } = plan;
  const frozen = frozenIn(frozenText(rest, [mysql, place], seenAt));
  expect(commitWaits).toBeDefined();
  expect(frozen).toMatchObject({
    replicas: { db2: { received: `${uuid}:1-100` }, db3: { received: 'binlog.000007:1234' } },
    commitWaits: null,
  });
});

test('docs/failover.md shows one as it is', () => {
  const page = readFileSync(new URL('../../../../docs/failover.md', import.meta.url), 'utf8');
  const shown = /```json\n(.*?)```/s.exec(page)?.[1] ?? '';
  const surveys = ['db2:3306', 'db3:3306'].map((node, index) =>
    madeUp(node, { source, executed: ['0-1-5946', '0-1-5940'][index] ?? '', variables: acknowledging }),
  );
  expect(frozenIn(shown)).toEqual(frozenIn(frozenText(plan, surveys, seenAt)));
});

test('nothing is said where nothing was noted, or by something else', () => {
  for (const text of [
    '',
    'ended by another process',
    'null',
    '{}',
    '{"kind":"switchover"}',
    frozenText(plan),
  ])
    expect(frozenIn(text)).toBeUndefined();
});

test('a failover writes it down with what it is, before anybody can write', () => {
  const made = planFailover(madeUpContext([madeUp('db2', { source })], { nodes: ['db1', 'db2'] }), {
    from: 'db1',
    reason: 'dead-primary',
    lastSeen: {
      flavor: 'mariadb',
      gtids: '0-1-100',
      seenAt,
      agoMs: 1_000,
      unseenMs: 500,
      isDead: true,
      rate: 1,
      semiSync: true,
      waits,
    },
    silent: new Map(),
  });
  expect(made.commitWaits).toEqual(waits);
  const ids = made.steps.map(({ id }) => id);
  expect(made.steps.find(({ id }) => id === 'begin@db2')?.sql).toMatch(
    /, details\) VALUES .*, '\{frozen\}'\)$/,
  );
  expect(ids.indexOf('begin@db2')).toBeGreaterThan(ids.indexOf('assert-complete'));
  expect(ids.indexOf('begin@db2')).toBeLessThan(ids.indexOf('take-writes@db2'));
});
