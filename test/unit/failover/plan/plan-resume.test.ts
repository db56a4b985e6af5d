/** What was left unfinished never ends with two nodes that take writes. */
import { describe, expect, test } from 'vitest';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const at = (node: string) => ({ host: node, port: 3306 });
const all = '0-1-100,0-2-101';
const switchover = { opId: 'o', kind: 'switchover', from: 'db1', to: 'db2' };
const open = madeUp('db2', { readOnly: false, executed: all });
const follower = madeUp('db1', { source: at('db2'), executed: all });
const behind = (node: string, status: Readonly<Record<string, unknown>> = {}): NodeSurvey =>
  madeUp(node, { source: at('db1'), executed: '0-1-50', received: '0-1-100', status });
const three = ['db3', 'db4', 'db5'];

/** Five voters, and the epoch of the change on the first two. */
function contextOf(surveys: readonly NodeSurvey[], more: Partial<PlanContext> = {}): PlanContext {
  const epochs = new Map([['db1', 5], ['db2', 5], ...three.map((node) => [node, 4] as const)] as const);
  const rules = { voters: 5, leaseMs: 5_000, handoverMs: 200 };
  return madeUpContext(surveys, { rules, epoch: 5, epochs, named: 'db2', ...more });
}

describe('a switchover whose new primary takes writes already', () => {
  test('is finished where a majority can follow that one', () => {
    const context = contextOf([follower, open, ...three.map((node) => behind(node))]);
    const { to, steps } = planResume(context, switchover);
    expect(to).toBe('db2');
    expect(steps.filter(({ id }) => /^(refuse-writes|forget-source)/.test(id))).toEqual([]);
  });
  test('is undone where only the old one can have a majority, once the new one is closed and compared', () => {
    const delayed = three.map((node) => behind(node, { SQL_Delay: 3_600 }));
    const { to, steps } = planResume(contextOf([follower, open, ...delayed]), switchover);
    expect(to).toBe('db1');
    const ids = steps.map(({ id }) => id);
    expect(steps.find(({ id }) => id === 'refuse-writes@db2')).toMatchObject({
      phase: 'freeze',
      undo: 'SET GLOBAL read_only=0',
    });
    expect(ids.indexOf('assert-complete')).toBeGreaterThan(ids.indexOf('refuse-writes@db2'));
    expect(ids.indexOf('forget-source@db1')).toBeGreaterThan(ids.indexOf('assert-complete'));
    // What it took meanwhile is nowhere else.
    const more = madeUp('db2', { readOnly: false, executed: '0-1-100,0-2-102' });
    expect(() => planResume(contextOf([follower, more, ...delayed]), switchover)).toThrow(
      /only 2 of 5 voters could vote for db2/,
    );
  });
  test('is closed before the old one is opened where no epoch names it', () => {
    const made = madeUp('db2', { readOnly: false });
    const old = madeUp('db1', { readOnly: true });
    const context = contextOf([old, made, ...three.map((node) => behind(node))], {
      epoch: 4,
      named: 'db1',
      epochs: new Map(['db1', 'db2', ...three].map((node) => [node, 4])),
    });
    const { to, steps } = planResume(context, switchover);
    expect(to).toBe('db1');
    const ids = steps.map(({ id }) => id);
    expect(ids).toContain('refuse-writes@db2');
    expect(ids.indexOf('take-writes@db1')).toBeGreaterThan(ids.indexOf('refuse-writes@db2'));
  });
});

test('a replica that takes writes is closed, and holds nothing up where it cannot be', () => {
  const leaky = madeUp('db3', { source: at('db1'), readOnly: false });
  const context = madeUpContext([madeUp('db1', { readOnly: true }), leaky]);
  const { steps } = planResume(context, { opId: 'restart', from: 'db1', to: 'db1' });
  const ids = steps.map(({ id }) => id);
  expect(ids.indexOf('freeze@db3')).toBeGreaterThan(ids.indexOf('refuse-writes@db3'));
  expect(steps.find(({ id }) => id === 'refuse-writes@db3')).toMatchObject({ optional: true });
});

describe('a replica with transactions of its own', () => {
  const replica = (node: string, own = ''): NodeSurvey =>
    madeUp(node, { source: at('db1'), variables: { gtid_binlog_state: `0-1-100${own}` } });
  const old = madeUp('db1', { readOnly: true });
  const stray = replica('db3', ',0-3-91');
  const planned = (
    more: Partial<PlanContext> = {},
    unfinished: Parameters<typeof planResume>[1] = switchover,
  ) => planResume(madeUpContext([old, replica('db2'), stray], more), unfinished);

  test.each([
    ['a switchover that was left is undone', switchover, {}],
    ['… also where it is never taken', switchover, { wishes: { prefer: [], avoid: [], never: ['db3'] } }],
    ['a primary that was started again is opened', { opId: 'restart', from: 'db1', to: 'db1' }, {}],
    ['… also by its epoch', { opId: 'restart', from: 'db1', to: 'db1' }, { named: 'db1' }],
  ])('%s', (_, unfinished, more) => {
    const { to, steps, warnings } = planned(more, unfinished);
    expect(to).toBe('db1');
    expect(steps.find(({ action }) => action === 'assert-complete')?.mayLack).toMatch(/^0-3-\d+$/);
    expect(warnings).toContainEqual(
      expect.stringMatching(/^db3 has transactions \(0-3-1\.\.91\) of its own/),
    );
  });
  test('that was the primary itself may have acknowledged them: nothing is decided', () => {
    expect(() => planned({ primaries: new Set(['db1', 'db3']) })).toThrow(/db1: db3 has .*nobody can tell/);
  });
  test('is no matter of what it has received from the primary', () => {
    const ahead = madeUp('db3', { source: at('db1'), executed: '0-1-100', received: '0-1-105' });
    const { to } = planResume(madeUpContext([old, replica('db2'), ahead]), switchover);
    expect(to).toBe('db3');
  });
});

describe('without GTIDs', () => {
  const status = { Using_Gtid: 'No', Master_Log_File: 'b.000003', Read_Master_Log_Pos: 700 };
  const done = { Relay_Master_Log_File: 'b.000003', Exec_Master_Log_Pos: 700 };
  const replica = (node: string): NodeSurvey =>
    madeUp(node, { source: at('db1'), executed: '', received: '', status: { ...status, ...done } });
  const surveys = [
    madeUp('db1', { executed: '', readOnly: true }),
    madeUp('db2', { executed: '', readOnly: false }),
    replica('db3'),
    replica('db4'),
  ];
  test.each([
    ['the epoch names', 5, /db2 was made the primary already.*rebuild/],
    ['somebody has opened', 4, /db2 takes writes, and db1 would take them beside it; close db2 first/],
  ])('nobody is opened beside a new primary that %s', (_, epoch, why) => {
    const epochs = new Map([['db2', 5]]);
    const context = contextOf(surveys, { epoch, epochs, named: epoch === 5 ? 'db2' : 'db1' });
    expect(() => planResume(context, switchover)).toThrow(why);
  });
});
