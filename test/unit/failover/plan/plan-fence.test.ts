import { describe, expect, test } from 'vitest';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { fencedPrimary, planFence } from '../../../../src/failover/plan/plan-fence.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import { fenceComment, fencedAfterMs } from '../../../../src/failover/self-fence/fence-event.js';
import type { FenceState } from '../../../../src/failover/self-fence/fence-state.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const good: FenceState = {
  hasHome: true,
  exists: true,
  comment: fenceComment('c', 5_000),
  runs: true,
  fenced: false,
  scheduler: 'ON',
};
const missing = { ...good, exists: false, comment: undefined, runs: false };
const trio = [madeUp('db1'), madeUp('db2', { source }), madeUp('db3', { source })];
const any = (_: string): boolean => true;

function context(
  surveys: readonly NodeSurvey[],
  states: Readonly<Record<string, FenceState>>,
  more: Partial<PlanContext> = {},
): PlanContext {
  return madeUpContext(surveys, {
    fences: new Map(Object.entries(states)),
    selfFenceMs: 5_000,
    nodes: ['db1', 'db2', 'db3'],
    sources: new Map([
      ['db2', 'db1'],
      ['db3', 'db1'],
    ]),
    ...more,
  });
}

describe('the event comes to a node', () => {
  const sqlOf = (given: PlanContext, mayBe = any): string[] =>
    (planFence(given, 'db1', mayBe)?.steps ?? []).flatMap(({ sql }) => (sql === undefined ? [] : [sql]));
  test('that lacks it, without being logged, under the lock of that node', () => {
    const given = context(trio, { db1: good, db2: missing, db3: good });
    expect(planFence(given, 'db1', any)).toMatchObject({ kind: 'rejoin', from: 'db1', to: 'db2' });
    expect(sqlOf(given)).toEqual([
      'SET SESSION sql_log_bin=0',
      'DROP EVENT IF EXISTS ha_meta.self_fence',
      expect.stringMatching(/^CREATE EVENT ha_meta\.self_fence .*SET GLOBAL read_only=1/),
    ]);
    expect(sqlOf(given, (node) => node !== 'db2')).toEqual([]);
  });
  test('that refuses the writes of everybody is closed again, whatever happens', () => {
    const variables = { super_read_only: 'ON' };
    const shut = madeUp('db2', { source, version: '9.7.0', variables });
    const steps = planFence(context([shut], { db2: missing }), 'db1', any)?.steps ?? [];
    const own = steps.filter(({ phase }) => phase === 'self-fence');
    expect(own[0]).toMatchObject({
      sql: 'SET GLOBAL super_read_only=0',
      undo: 'SET GLOBAL super_read_only=1',
    });
    expect(own.at(-1)?.sql).toBe('SET GLOBAL super_read_only=1');
    expect(own.at(-2)?.sql).toContain('SET GLOBAL super_read_only=1;');
  });
  test('that has one of other numbers', () => {
    expect(sqlOf(context(trio, { db3: { ...good, comment: fenceComment('c', 9_000) } }))).toHaveLength(3);
  });
  test('that has one which came by replication, and which no replica executes', () => {
    expect(sqlOf(context(trio, { db3: { ...good, comment: undefined } }))).toHaveLength(3);
  });
  test('not before there is a place for it, nor where it is as it should be', () => {
    expect(sqlOf(context(trio, { db1: good, db2: { ...missing, hasHome: false } }))).toEqual([]);
  });
  test('no more when nobody wishes it: it is taken away', () => {
    expect(sqlOf(context(trio, { db1: missing, db3: good }, { selfFenceMs: 0 }))).toEqual([
      'SET SESSION sql_log_bin=0',
      'DROP EVENT IF EXISTS ha_meta.self_fence',
    ]);
  });
});

test('from a primary that nobody guards any more it is taken first, and not while it closes it: that would stay so', () => {
  const plan = planFence(
    context([...trio].reverse(), { db1: good, db3: good }, { selfFenceMs: 0 }),
    'db1',
    any,
  );
  const statements = (plan?.steps ?? []).filter(({ action }) => action === 'statement');
  expect(plan?.to).toBe('db1');
  expect(statements.map(({ sql, expect: wanted }) => [sql, wanted])).toEqual([
    ["DO GET_LOCK('ha1:c:guard', 0)", undefined],
    ['DO SLEEP(0.5)', undefined],
    ['SELECT @@GLOBAL.read_only AS read_only', '0'],
    ['SET SESSION sql_log_bin=0', undefined],
    ['DROP EVENT IF EXISTS ha_meta.self_fence', undefined],
  ]);
});

describe('a primary that has fenced itself', () => {
  const closed = [madeUp('db1', { readOnly: true }), ...trio.slice(1)];
  const fenced = { db1: { ...good, fenced: true } };
  const votes = new Map([
    ['db1', null],
    ['db2', 'db1'],
    ['db3', 'db1'],
  ]);
  test('is the one that everybody votes for', () => {
    expect(fencedPrimary(context(closed, fenced), votes)).toBe('db1');
    expect(fencedPrimary(context(closed, fenced), new Map([['db2', 'db1']]))).toBe('db1');
  });
  test('is it also beside a former one that has fenced itself and is left as it is', () => {
    const former = madeUp('db3', { readOnly: true });
    const states = { ...fenced, db3: { ...good, fenced: true } };
    const beside = new Map([...votes, ['db3', null]]);
    expect(fencedPrimary(context([former, ...closed.slice(0, 2)], states), beside)).toBe('db1');
  });
  test('is not one that an operator has made read-only', () => {
    expect(fencedPrimary(context(closed, { db1: good }), votes)).toBeUndefined();
  });
  test('is not one whose mark is left over while it takes writes', () => {
    expect(fencedPrimary(context(trio, fenced), votes)).toBeUndefined();
  });
  test('is not one that was replaced: another node is voted for, or has a later epoch', () => {
    expect(fencedPrimary(context(closed, fenced), new Map([...votes, ['db3', 'db2']]))).toBeUndefined();
    const epochs = new Map([
      ['db1', 4],
      ['db3', 5],
    ]);
    expect(fencedPrimary(context(closed, fenced, { epochs }), votes)).toBeUndefined();
  });
  test('is not one that no majority votes for', () => {
    expect(fencedPrimary(context(closed, fenced), new Map([['db1', null]]))).toBeUndefined();
  });
});

describe('a failover', () => {
  const cause = {
    from: 'db1',
    reason: 'dead-primary' as const,
    lastSeen: undefined,
    silent: new Map([['db1', 'silent']]),
  };
  const waits = (given: PlanContext): number[] =>
    planFailover(given, cause)
      .steps.filter(({ action }) => action === 'wait-fence')
      .map(({ timeoutMs = 0 }) => timeoutMs);
  const [, ...replicas] = trio;
  const states = { db2: good, db3: good };
  test('waits until the old primary has fenced itself, before anything is promoted', () => {
    const given = context(replicas, states);
    expect(waits(given)).toEqual([fencedAfterMs(5_000, 5_000)]);
    const actions = planFailover(given, cause).steps.map(({ id }) => id);
    expect(actions.indexOf('wait-fence')).toBeLessThan(
      actions.findIndex((id) => id.startsWith('forget-source')),
    );
    // Half a lease in which its guard may have renewed, the time of the event, and some more.
    expect(fencedAfterMs(5_000, 5_000)).toBeGreaterThan(7_500);
  });
  test('does not where that is not wished, where a hook proves it, or where the old primary answers and is closed', () => {
    expect(waits(context(replicas, states, { selfFenceMs: 0 }))).toEqual([]);
    expect(waits(context(replicas, states, { hooks: new Set(['fence']) }))).toEqual([]);
    expect(waits(context(trio, states))).toEqual([]);
  });
  test('takes a replica that would not fence itself, and warns', () => {
    const off = { ...missing, scheduler: 'OFF' };
    const plan = planFailover(context(replicas, { db2: off, db3: off }), cause);
    expect(plan.warnings).toContainEqual(expect.stringMatching(/^db2: .*event_scheduler is OFF/));
  });
});

test('that of a replica which refuses the writes of everybody cannot run yet, and will', () => {
  const shut = madeUp('db2', { source, variables: { super_read_only: 'ON' } });
  const idle = { ...good, runs: false };
  const given = [madeUp('db1'), shut, madeUp('db3', { source })];
  expect(planSwitchover(context(given, { db1: good, db2: idle, db3: idle }), 'db1')).toMatchObject({
    to: 'db2',
    excluded: [{ node: 'db3', why: expect.stringContaining('does not run') }],
  });
});
test('a switchover takes no replica that would not fence itself', () => {
  const states = { db1: good, db2: { ...missing, scheduler: 'OFF' }, db3: good };
  expect(planSwitchover(context(trio, states), 'db1')).toMatchObject({
    to: 'db3',
    excluded: [{ node: 'db2', why: expect.stringContaining('event_scheduler is OFF') }],
  });
  expect(planSwitchover(context(trio, states, { selfFenceMs: 0 }), 'db1').to).toBe('db2');
});
