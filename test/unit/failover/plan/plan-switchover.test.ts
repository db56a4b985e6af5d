/** A switchover is made only to a node for which a majority can vote afterwards, and that is known before anything is stopped. */
import { describe, expect, test } from 'vitest';
import { votersAmong } from '../../../../src/failover/change/assert-majority.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const behind = { source, executed: '0-1-50', received: '0-1-100' };
const well = [madeUp('db1'), madeUp('db2', { source })];
const contextOf = (surveys: readonly NodeSurvey[], voters: number) =>
  madeUpContext(surveys, { rules: { voters, leaseMs: 5_000, handoverMs: 200 } });
const rest = (given: Parameters<typeof madeUp>[1]): readonly NodeSurvey[] =>
  ['db3', 'db4', 'db5'].map((node) => madeUp(node, given));

describe('of five voters, of which three are', () => {
  test.each([
    [
      'delayed, and owe something',
      { ...behind, status: { SQL_Delay: 3_600 } },
      /Only 2 of 5.*db3 \(its replication is delayed/,
    ],
    [
      'stopped',
      { ...behind, status: { Slave_SQL_Running: 'No' } },
      /Only 2 of 5.*db4 \(its SQL thread is stopped/,
    ],
    ['diverged', { readOnly: true, executed: '0-3-60' }, /Only 2 of 5.*db5 \(it follows nobody, and has/],
  ])('%s, nothing is begun', (_, given, why) => {
    expect(() => planSwitchover(contextOf([...well, ...rest(given)], 5), 'db1')).toThrow(why);
    // One of three is not needed.
    const context = contextOf([...well, ...rest(given).slice(0, 1)], 3);
    expect(planSwitchover(context, 'db1').to).toBe('db2');
  });
  test.each([
    ['behind', behind],
    ['at other places, without GTIDs', { ...behind, status: { Using_Gtid: 'No', Read_Master_Log_Pos: 5 } }],
  ])('%s, they catch up before anybody waits, or nothing is done', (_, given) => {
    const { steps } = planSwitchover(contextOf([...well, ...rest(given)], 5), 'db1');
    const ids = steps.map(({ id }) => id);
    for (const node of ['db3', 'db4', 'db5']) {
      expect(steps.find(({ id }) => id === `drain@${node}`)).toMatchObject({
        phase: 'catch-up-candidate',
        spares: true,
      });
      expect(ids.indexOf('assert-votes')).toBeGreaterThan(ids.indexOf(`drain@${node}`));
    }
    expect(ids.indexOf('assert-votes')).toBeLessThan(ids.indexOf('lock-promote'));
    expect(ids.indexOf('assert-votes-again')).toBeGreaterThan(ids.indexOf('wait-handover'));
    expect(ids.indexOf('assert-votes-again')).toBeLessThan(ids.indexOf('forget-source@db2'));
  });
});

test('of three voters nobody waits for the third one, and the old primary is counted on', () => {
  const { steps } = planSwitchover(contextOf([...well, madeUp('db3', behind)], 3), 'db1');
  expect(steps.filter(({ id }) => id === 'drain@db3').map(({ phase }) => phase)).toEqual(['repoint']);
  expect(votersAmong(steps, ['db1'])).toEqual(['db1']);
});

test('a MySQL that becomes the primary empties its relay log while leases end, once it has executed it; with GTIDs only', () => {
  const gtids = { gtid_mode: 'ON', gtid_executed: '0f3f0e5c-0000-0000-0000-000000000001:1-100' };
  const idsOf = (version: string, variables: Readonly<Record<string, string>>): readonly string[] => {
    const server = (node: string, more: Parameters<typeof madeUp>[1] = {}): NodeSurvey =>
      madeUp(node, { version, executed: '', variables: { ...variables, server_uuid: node }, ...more });
    const channel = { Auto_Position: variables['gtid_mode'] === 'ON' ? '1' : '0', Retrieved_Gtid_Set: '' };
    const surveys = [
      server('db1'),
      ...['db2', 'db3'].map((node) => server(node, { source, status: channel })),
    ];
    return planSwitchover(contextOf(surveys, 3), 'db1').steps.map(({ id }) => id);
  };
  const ids = idsOf('9.7.0', gtids);
  expect(ids.indexOf('empty-relay-log@db2')).toBe(ids.indexOf('stop-replication@db2') + 1);
  expect(ids.indexOf('empty-relay-log@db2')).toBeLessThan(ids.indexOf('wait-handover'));
  expect(idsOf('9.7.0', {})).not.toContain('empty-relay-log@db2');
  expect(idsOf('5.7.44', gtids)).not.toContain('empty-relay-log@db2');
  expect(planSwitchover(contextOf(well, 3), 'db1').steps.map(({ id }) => id)).not.toContain(
    'empty-relay-log@db2',
  );
});

test('administrators of a MariaDB are held from before the last position until the old primary follows; those of a MySQL are refused', () => {
  const { steps } = planSwitchover(contextOf([...well, madeUp('db3', { source })], 3), 'db1');
  const ids = steps.map(({ id }) => id);
  expect(ids.indexOf('hold-writes@db1')).toBeGreaterThan(ids.indexOf('end-writers@db1'));
  expect(ids.indexOf('hold-writes@db1')).toBeLessThan(ids.indexOf('final-position@db1'));
  expect(ids.indexOf('end-held@db1')).toBeGreaterThan(ids.indexOf('verify-writes@db2'));
  expect(ids.indexOf('let-writes@db1')).toBe(ids.indexOf('end-held@db1') + 1);
  expect(ids.indexOf('let-writes@db1')).toBeLessThan(ids.indexOf('follow-0@db1'));
  const hold = steps.find(({ id }) => id === 'hold-writes@db1');
  expect(hold).toMatchObject({ sql: 'FLUSH TABLES WITH READ LOCK', undo: 'UNLOCK TABLES', optional: true });
  // What could not be ended before does not keep it from being held.
  expect(hold?.phase).not.toBe(steps.find(({ id }) => id === 'end-writers@db1')?.phase);
  const mysql = ['db1', 'db2'].map((node) =>
    madeUp(node, { version: '9.7.0', ...(node === 'db1' ? {} : { source }) }),
  );
  expect(planSwitchover(contextOf(mysql, 3), 'db1').steps.filter(({ id }) => /held|hold/.test(id))).toEqual(
    [],
  );
});

test('of two that have the same, the one in the zone of the primary is named', () => {
  const three = [...well, madeUp('db3', { source })];
  const zones = new Map([
    ['db1', 'north'],
    ['db3', 'north'],
  ]);
  expect(planSwitchover(contextOf(three, 3), 'db1').to).toBe('db2');
  expect(planSwitchover({ ...contextOf(three, 3), zones }, 'db1').to).toBe('db3');
});
