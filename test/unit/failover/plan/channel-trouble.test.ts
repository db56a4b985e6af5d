/** A channel with a name is not reached by any statement of a change: such a replica is left alone, and nothing relies on it. */
import { describe, expect, test } from 'vitest';
import type { FailoverPlan } from '../../../../src/failover/plan/failover-plan.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planRejoin, planThaw, refusalOfRejoin } from '../../../../src/failover/plan/plan-repair.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import { nodeChecks } from '../../../../src/failover/preflight/server-checks.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const cause = { from: 'db1', reason: 'dead-primary' as const, lastSeen: undefined, silent: new Map() };
const names = { Connection_name: 'main', Channel_Name: 'main' };
const plain = (node: string): NodeSurvey => madeUp(node, { source });
const named = (node: string): NodeSurvey => madeUp(node, { source, status: names });
const why = "it replicates over the channel 'main', and a change reaches only the channel without a name";

function contextOf(surveys: readonly NodeSurvey[], more: Partial<PlanContext> = {}): PlanContext {
  return madeUpContext(surveys, { nodes: ['db1', 'db2', 'db3'], ...more });
}
const idsAt = ({ steps }: FailoverPlan, node: string): readonly string[] =>
  steps.filter((step) => step.node === node).map(({ id }) => id.split('@')[0] ?? '');

test.each([
  [
    '10.11.14-MariaDB',
    "`STOP SLAVE 'main'`, `RESET SLAVE 'main' ALL` there, and CHANGE MASTER TO … without a name",
  ],
  [
    '9.7.0',
    "`STOP REPLICA FOR CHANNEL 'main'`, `RESET REPLICA ALL FOR CHANNEL 'main'` there, and CHANGE REPLICATION SOURCE TO … without FOR CHANNEL",
  ],
])('%s: preflight fails, and says what to do', (version, remedy) => {
  const checks = nodeChecks(madeUp('db2', { version, source, status: names }), () => 'db1');
  const [check] = checks.filter(({ name }) => name === 'unnamed-channel');
  expect(check).toMatchObject({ result: 'fail', node: 'db2', detail: expect.stringContaining(remedy) });
  const others = nodeChecks(madeUp('db2', { version, source }), () => 'db1');
  expect(others.find(({ name }) => name === 'unnamed-channel')?.result).toBe('pass');
});

describe('a switchover', () => {
  test('takes another node, and leaves it where it is', () => {
    const context = contextOf([madeUp('db1'), named('db2'), plain('db3')]);
    const plan = planSwitchover(context, 'db1');
    expect([plan.to, idsAt(plan, 'db2')]).toEqual(['db3', []]);
    expect(plan.excluded).toEqual([{ node: 'db2', why }]);
    expect(plan.warnings).toEqual([`db2 is left on db1, for which it votes: ${why}`]);
    expect(() => planSwitchover(context, 'db1', 'db2')).toThrow(`db2: ${why}`);
  });
  test('is refused when too few could vote without it', () => {
    const context = contextOf([madeUp('db1'), plain('db2'), named('db3')], {
      rules: { voters: 5, leaseMs: 5_000, handoverMs: 200 },
      nodes: ['db1', 'db2', 'db3', 'db4', 'db5'],
    });
    expect(() => planSwitchover(context, 'db1')).toThrow(`Only 2 of 5 voters`);
    expect(() => planSwitchover(context, 'db1')).toThrow(`db3 (${why})`);
  });
  test.each(['9.7.0', '10.11.14-MariaDB'])('stops no replica of several sources (%s)', (version) => {
    const two = madeUp('db2', { version, source });
    const several = { ...two, channels: [...two.channels, ...two.channels], status: undefined };
    const plan = planSwitchover(
      contextOf([madeUp('db1', { version }), several, madeUp('db3', { version, source })]),
      'db1',
    );
    expect([plan.to, idsAt(plan, 'db2')]).toEqual(['db3', []]);
  });
});

describe('a failover', () => {
  test('is refused when too few could vote without it', () => {
    expect(() => planFailover(contextOf([plain('db2'), named('db3')]), cause)).toThrow(`db3 (${why})`);
    expect(() => planFailover(contextOf([named('db2'), named('db3')]), cause)).toThrow(`db2: ${why}`);
  });
  test.each([
    ['9.7.0', ['STOP REPLICA IO_THREAD']],
    ['10.11.14-MariaDB', [expect.stringContaining('KILL'), 'STOP ALL SLAVES IO_THREAD']],
  ])(
    '%s: keeps it from receiving more than the new primary has, and changes nothing else',
    (version, sql) => {
      const db3 = madeUp('db3', { version, source, status: names });
      const db2 = madeUp('db2', { version, source });
      const plan = planFailover(contextOf([db2, db3], { witnesses: ['w'] }), cause);
      expect(plan.to).toBe('db2');
      expect(plan.steps.filter(({ node }) => node === 'db3').map((step) => step.sql)).toEqual(sql);
      expect(plan.warnings).toEqual([
        `db3 is left on db1, for which it votes, and receives nothing until it is started again: ${why}`,
      ]);
    },
  );
  test('compares what it has', () => {
    const ahead = madeUp('db3', { source, executed: '0-1-110', status: names });
    expect(() => planFailover(contextOf([plain('db2'), ahead], { witnesses: ['w'] }), cause)).toThrow(
      /db2: .*db3 has/,
    );
  });
});

test('a change that was left unfinished is undone without it', () => {
  const closed = madeUp('db1', { readOnly: true });
  const plan = planResume(contextOf([closed, plain('db2'), named('db3')]), {
    opId: 'x',
    from: 'db1',
    to: 'db2',
  });
  expect(plan.to).toBe('db1');
  const sql = plan.steps.filter(({ node }) => node === 'db3').map((step) => step.sql);
  expect(sql.at(-1)).toBe('START ALL SLAVES IO_THREAD');
  expect(sql.join()).not.toMatch(/CHANGE|STOP SLAVE/);
});

describe('what is put right without a change of the primary', () => {
  test('it is not made to follow another node, and whoever asks is told', () => {
    const surveys = [madeUp('db2'), madeUp('db3', { source, status: names })];
    const repair = planRejoin(contextOf(surveys), 'db3', 'db2');
    if (repair.kind !== 'none') throw new Error(repair.kind);
    expect(refusalOfRejoin('db3', repair, surveys[1]).message).toContain(why);
  });
  test('it is started again where somebody has stopped it', () => {
    const stopped = madeUp('db3', { source, status: { ...names, Slave_IO_Running: 'No' } });
    const repair = planRejoin(contextOf([madeUp('db1'), stopped]), 'db3', 'db1');
    if (repair.kind !== 'plan') throw new Error(repair.kind);
    const sql = [repair.plan, planThaw(contextOf([stopped]))].map(
      (plan) => plan?.steps.find(({ action }) => action === 'statement')?.sql,
    );
    expect(sql).toEqual(['START ALL SLAVES IO_THREAD', 'START ALL SLAVES IO_THREAD']);
  });
});
