import { describe, expect, test } from 'vitest';
import { META_TABLES } from '../../../../src/failover/meta/meta-tables.js';
import { isRestartedPrimary } from '../../../../src/failover/plan/closed-primary.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planClose, planRejoin, planThaw, planVote } from '../../../../src/failover/plan/plan-repair.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const rules = { voters: 3, leaseMs: 5_000, handoverMs: 200 };
const at = (node: string) => ({ host: node, port: 3306 });

const sqlOf = (steps: readonly { readonly sql?: string | undefined }[]): string[] =>
  steps.flatMap(({ sql }) => (sql === undefined ? [] : [sql]));

test('a witness that votes for a former primary is made to vote for the present one, when no lease counts on it', () => {
  const { kind, to, steps } = planVote(madeUpContext([madeUp('db2')]), 'w:1', 'db2');
  expect([kind, to]).toEqual(['rejoin', 'w:1']);
  expect(steps.map(({ id }) => id)).toEqual([
    'lock-change',
    'look-again',
    'wait-handover',
    'vote@w:1',
    'release',
  ]);
  expect(steps[3]).toMatchObject({ node: 'w:1', spares: false, sql: expect.stringContaining("'db2', 'op'") });
});

describe('a node that came back', () => {
  test('that takes writes and has nothing of its own is closed first, then follows', () => {
    const repair = planRejoin(
      madeUpContext([madeUp('db1'), madeUp('db2', { executed: '0-1-200' })]),
      'db1',
      'db2',
    );
    if (repair.kind !== 'plan') throw new Error(repair.kind);
    const sql = sqlOf(repair.plan.steps);
    expect(sql[0]).toBe('SET GLOBAL read_only=1');
    expect(sql.some((each) => each.includes('MASTER_DEMOTE_TO_SLAVE=1'))).toBe(true);
    expect(sql.join()).not.toContain('STOP SLAVE');
  });
  test('with transactions of its own is left alone', () => {
    const surveys = [madeUp('db1', { executed: '0-1-100,0-9-101' }), madeUp('db2', { executed: '0-1-200' })];
    expect(planRejoin(madeUpContext(surveys), 'db1', 'db2')).toMatchObject({
      kind: 'diverged',
      transactions: 1,
    });
  });
  test.each([
    [false, ['lock-change', 'look-again', 'refuse-writes@db1', 'release']],
    [true, ['lock-change', 'look-again', 'release']],
  ])('with transactions of its own refuses writes under its lock (read-only: %s)', (readOnly, ids) => {
    const surveys = [
      madeUp('db1', { executed: '0-9-101', readOnly }),
      madeUp('db2', { executed: '0-1-200' }),
    ];
    const { steps, kind } = planClose(madeUpContext(surveys), 'db1', 'db2');
    expect(kind).toBe('rejoin');
    expect(steps.map(({ id }) => id)).toEqual(ids);
  });
  test('that follows another node has executed everything before it is repointed', () => {
    const surveys = [madeUp('db2'), madeUp('db3', { source: at('db1') })];
    const repair = planRejoin(madeUpContext(surveys), 'db3', 'db2');
    if (repair.kind !== 'plan') throw new Error(repair.kind);
    const ids = repair.plan.steps.map(({ id }) => id.split('@')[0]);
    expect(ids.indexOf('assert-applied')).toBeGreaterThan(ids.indexOf('stop-receiving'));
    expect(ids.indexOf('stop-replication')).toBeGreaterThan(ids.indexOf('assert-applied'));
  });
  test('whose receiver somebody stopped is started again, without its relay log being touched', () => {
    const surveys = [
      madeUp('db1'),
      madeUp('db2', { source: at('db1'), received: '0-1-120', status: { Slave_IO_Running: 'No' } }),
    ];
    const repair = planRejoin(madeUpContext(surveys), 'db2', 'db1');
    if (repair.kind !== 'plan') throw new Error(repair.kind);
    expect(sqlOf(repair.plan.steps)).toEqual(['START SLAVE IO_THREAD']);
  });
  const halted = (status: Readonly<Record<string, unknown>>): NodeSurvey =>
    madeUp('db2', {
      source: at('db1'),
      status: { Slave_IO_Running: 'No', Slave_SQL_Running: 'No', ...status },
    });
  test('that was told to follow and not to start is started, whatever its last source had answered', () => {
    // Its last source was dead: that error stays until it is started.
    const errors = { Last_IO_Errno: 2003, Last_IO_Error: "error reconnecting to master 'repl@db9:3306'" };
    const repair = planRejoin(madeUpContext([madeUp('db1'), halted(errors)]), 'db2', 'db1');
    if (repair.kind !== 'plan') throw new Error(repair.kind);
    expect(sqlOf(repair.plan.steps)).toEqual(['START SLAVE']);
  });
  test.each([
    ['that cannot apply', { Last_SQL_Errno: 1062, Last_SQL_Error: 'Duplicate entry' }],
    ['whose receiver failed otherwise', { Last_IO_Errno: 1593, Last_IO_Error: 'equal server ids' }],
  ])('%s is left as it is', (_, status) => {
    expect(planRejoin(madeUpContext([madeUp('db1'), halted(status)]), 'db2', 'db1').kind).toBe('none');
  });
  test.each([1236, 13_114])('whose source has no such logs (%i) has to be made anew', (errno) => {
    const says = 'Got fatal error 1236 from master when reading data from binary log';
    const lost = halted({ Last_IO_Errno: errno, Last_IO_Error: says });
    expect(planRejoin(madeUpContext([madeUp('db1'), lost]), 'db2', 'db1')).toEqual({ kind: 'purged', says });
  });
  test('whose source has no such logs because it has others of its own has diverged', () => {
    const errant = madeUp('db2', {
      source: at('db1'),
      executed: '0-1-100,0-2-101',
      received: '0-1-100',
      status: { Slave_IO_Running: 'No', Last_IO_Errno: 1236, Last_IO_Error: 'not in the binlog' },
    });
    expect(planRejoin(madeUpContext([madeUp('db1'), errant]), 'db2', 'db1')).toMatchObject({
      kind: 'diverged',
    });
  });
  test('whose applier somebody stopped is started again while it receives', () => {
    const stopped = madeUp('db2', {
      source: at('db1'),
      received: '0-1-120',
      status: { Slave_SQL_Running: 'No' },
    });
    const repair = planRejoin(madeUpContext([madeUp('db1'), stopped]), 'db2', 'db1');
    if (repair.kind !== 'plan') throw new Error(repair.kind);
    expect(sqlOf(repair.plan.steps)).toEqual(['START SLAVE']);
  });
  test('that follows as it should needs nothing', () => {
    expect(
      planRejoin(madeUpContext([madeUp('db1'), madeUp('db2', { source: at('db1') })]), 'db2', 'db1').kind,
    ).toBe('none');
  });
});

describe('a change that nobody finished', () => {
  const unfinished = { opId: 'x', from: 'db1', to: 'db2' };
  test('is undone when the old primary has everything', () => {
    const surveys = [
      madeUp('db1', { readOnly: true }),
      madeUp('db2', { readOnly: true }),
      madeUp('db3', { source: at('db1') }),
    ];
    expect(planResume(madeUpContext(surveys), unfinished)).toMatchObject({
      to: 'db1',
      epoch: 5,
      kind: 'resume',
    });
  });
  test('is finished when the new one has more', () => {
    const surveys = [
      madeUp('db1', { readOnly: true }),
      madeUp('db2', { executed: '0-1-100,0-2-101' }),
      madeUp('db3', { source: at('db1') }),
    ];
    expect(planResume(madeUpContext(surveys), unfinished).to).toBe('db2');
  });
  test('loses its self-fence event in the same change when nobody wishes it any more', () => {
    const surveys = [madeUp('db1', { readOnly: true }), madeUp('db2', { source: at('db1') })];
    const fence = {
      hasHome: true,
      exists: true,
      comment: 'stormlamp',
      runs: true,
      fenced: true,
      scheduler: 'ON',
    };
    const dropped = (selfFenceMs: number, exists: boolean): readonly string[] => {
      const fences = new Map([['db1', { ...fence, exists }]]);
      const { steps } = planResume({ ...madeUpContext(surveys), fences, selfFenceMs }, unfinished);
      return steps
        .map(({ id }) => id)
        .filter((id) => /^(take-writes|unlogged|drop-self-fence|release)/.test(id));
    };
    expect(dropped(0, true)).toEqual(['take-writes@db1', 'unlogged@db1', 'drop-self-fence@db1', 'release']);
    expect(dropped(4_000, true)).toEqual(['take-writes@db1', 'release']);
    expect(dropped(0, false)).toEqual(['take-writes@db1', 'release']);
  });
  test('is refused when no node has everything', () => {
    const surveys = [
      madeUp('db1', { executed: '0-1-105', readOnly: true }),
      madeUp('db2', { executed: '0-1-100,0-2-101' }),
    ];
    expect(() => planResume(madeUpContext(surveys), unfinished)).toThrow(/no node has everything/);
  });
});

describe('a failover', () => {
  const cause = { from: 'db1', reason: 'dead-primary' as const, lastSeen: undefined, silent: new Map() };
  const replica = madeUp('db2', { source: at('db1') });
  test('never takes a former primary that has transactions of its own, however many it has', () => {
    const diverged = madeUp('db4', { executed: '0-1-100,0-4-900', readOnly: true });
    const third = madeUp('db3', { source: at('db1') });
    expect(planFailover(madeUpContext([replica, third, diverged]), cause).to).toBe('db2');
  });
  test('takes the node that an unfinished change has made the newest', () => {
    const half = madeUp('db4', { executed: '0-1-100,0-4-101', readOnly: true });
    const surveys = {
      ...madeUpContext([replica, half]),
      epochs: new Map([
        ['db2', 4],
        ['db4', 5],
      ]),
    };
    expect(planFailover(surveys, cause).to).toBe('db4');
  });
  test('from a primary that nobody here has seen is refused where the memory of the cluster names another replica', () => {
    const third = madeUp('db3', { source: at('db1') });
    const concluded = { ...cause, concluded: true };
    const plan = (named: string | undefined, more = cause): string =>
      planFailover(madeUpContext([replica, third], { named }), more).to;
    expect(plan(undefined, concluded)).toBe('db2');
    expect(plan('db1', concluded)).toBe('db2');
    expect(() => plan('db3', concluded)).toThrow(/votes for db1, and ha_meta\.topology names db3/);
    // Who has seen it, or answers for it, knows better.
    expect(plan('db3')).toBe('db2');
    const half = madeUp('db4', { executed: '0-1-100,0-4-101', readOnly: true });
    const epochs = new Map([
      ['db2', 4],
      ['db4', 5],
    ]);
    expect(planFailover(madeUpContext([replica, half], { named: 'db4', epochs }), concluded).to).toBe('db4');
  });
  test('is refused when a replica that stopped with an error would keep its vote, and with it the majority', () => {
    const stuck = madeUp('db3', {
      source: at('db1'),
      status: { Slave_SQL_Running: 'No', Last_SQL_Errno: 1062, Last_SQL_Error: 'Duplicate entry' },
    });
    expect(() => planFailover(madeUpContext([replica, stuck]), cause)).toThrow(
      /Only 1 of 3 voters.*db3.*stopped with error 1062/,
    );
    const named = { ...cause, wanted: 'db2' };
    expect(() => planFailover(madeUpContext([replica, stuck]), named)).toThrow(/Only 1 of 3 voters/);
    expect(planFailover(madeUpContext([replica, stuck]), { ...named, insists: true }).to).toBe('db2');
    expect(() => planSwitchover(madeUpContext([madeUp('db1'), replica, stuck]), 'db1', 'db3')).toThrow(
      /^db3 cannot become the primary\. .*db3: its SQL thread stopped with error 1062/,
    );
    const witnessed = {
      ...madeUpContext([replica, stuck]),
      witnesses: ['w1'],
      rules: { ...rules, voters: 4 },
    };
    expect(() => planFailover(witnessed, cause)).toThrow(/Only 2 of 4/);
    const more = madeUpContext([replica, stuck, madeUp('db4', { source: at('db1') })]);
    expect(planFailover(more, cause).to).toBe('db2');
  });
  test('goes on with a node that was promoted already and takes writes, instead of making a second primary', () => {
    const promoted = madeUp('db4', { executed: '0-1-100,0-4-101' });
    const surveys = {
      ...madeUpContext([replica, promoted]),
      epochs: new Map([
        ['db2', 4],
        ['db4', 5],
      ]),
    };
    expect(planFailover(surveys, cause).to).toBe('db4');
  });
  test('stops receiving before it looks who has the most, and waits for every lease before it promotes', () => {
    const { steps } = planFailover(madeUpContext([replica, madeUp('db3', { source: at('db1') })]), cause);
    const phases = [...new Set(steps.map(({ phase }) => phase))];
    expect(phases).toEqual([
      'lock-change',
      'look-again',
      'freeze',
      'confirm',
      'assert-complete',
      'wait-handover',
      'drain',
      'assert-votes',
      'confirm-again',
      'renew',
      'promote',
      'repoint',
      'release',
    ]);
    expect(sqlOf(steps).filter((sql) => sql === 'STOP SLAVE IO_THREAD').length).toBeGreaterThanOrEqual(2);
    // An attempt to connect to a silent source is ended first.
    const own = steps.filter(({ phase, node }) => phase === 'freeze' && node === 'db3').map(({ id }) => id);
    expect(own).toEqual(['end-attempt@db3', 'freeze@db3']);
  });
});

test('a primary that was restarted read-only is told from one that an operator made so, and from one that was replaced', () => {
  const is = (uptimeS: number, more: Partial<PlanContext> = {}, source?: string): boolean => {
    const db1 = madeUp('db1', { readOnly: true, uptimeS });
    const rest = source === undefined ? [] : [madeUp('db3', { source: at(source) })];
    return isRestartedPrimary(madeUpContext([db1, ...rest], more), db1, 10);
  };
  expect(is(3)).toBe(true);
  expect(is(3, { named: 'db1' }, 'db1')).toBe(true);
  expect(is(9_000)).toBe(false);
  expect(is(3, { named: 'db2' })).toBe(false);
  expect(is(3, {}, 'db2')).toBe(false);
});

test('what a dead process left is not finished by a plan that its end has overtaken', () => {
  const half = [
    madeUp('db1', { readOnly: true }),
    madeUp('db2', { readOnly: true }),
    madeUp('db3', { source: at('db1') }),
  ];
  const { steps } = planResume(madeUpContext(half), { opId: 'op', from: 'db1', to: 'db2' });
  const ids = steps.map(({ id }) => id);
  for (const node of ['db1', 'db2', 'db3']) {
    expect(ids.indexOf(`assert-closed@${node}`)).toBeGreaterThan(ids.indexOf('lock-change'));
    expect(ids.indexOf(`assert-closed@${node}`)).toBeLessThan(ids.indexOf('freeze@db3'));
  }
  // A primary that was promoted, and that nobody follows yet, takes writes and may.
  const promoted = planResume(madeUpContext([madeUp('db1'), madeUp('db3', { source: at('db2') })]), {
    opId: 'op',
    from: 'db1',
    to: 'db1',
  });
  expect(promoted.steps.map(({ id }) => id)).not.toContain('assert-closed@db1');
});

describe('without a primary, a replica', () => {
  const stopped = (status: Readonly<Record<string, unknown>>): NodeSurvey =>
    madeUp('db2', { source: at('db1'), status: { Slave_IO_Running: 'No', ...status } });

  test('that a change left stopped receives again, so that it can tell whether its source is dead', () => {
    const plan = planThaw(madeUpContext([madeUp('db3', { source: at('db1') }), stopped({})]));
    expect(plan).toMatchObject({ kind: 'rejoin', from: 'db1', to: 'db2' });
    expect(sqlOf(plan?.steps ?? [])).toEqual(['START SLAVE IO_THREAD']);
    expect(plan?.steps.map(({ id }) => id)).toEqual([
      'lock-change',
      'look-again',
      'start-receiving@db2',
      'release',
    ]);
  });

  test.each([
    ['that receives', { Slave_IO_Running: 'Yes' }],
    ['that tries to', { Slave_IO_Running: 'Connecting' }],
    ['whose relay log would be thrown away', { Slave_SQL_Running: 'No' }],
    ['that cannot apply', { Last_SQL_Errno: 1062, Last_SQL_Error: 'Duplicate entry' }],
    ['whose source refused it', { Last_IO_Errno: 1236, Last_IO_Error: 'no such logs' }],
  ])('%s is left as it is', (_, status) => {
    expect(planThaw(madeUpContext([stopped(status)]))).toBeUndefined();
  });
});

test('a primary that was merely started again is opened with an account that could not make another one', () => {
  const lacking = ['RELOAD'];
  const surveys = [
    madeUp('db1', { readOnly: true, uptimeS: 2, lacking }),
    madeUp('db2', { source: at('db1') }),
    madeUp('db3', { source: at('db1') }),
  ];
  expect(planResume(madeUpContext(surveys), { opId: 'restart', from: 'db1', to: 'db1' }).to).toBe('db1');
});

test('where nobody ever made the tables they are made before the epoch is written', () => {
  const surveys = [madeUp('db2', { source: at('db1') }), madeUp('db3', { source: at('db1') })];
  const cause = { from: 'db1', reason: 'dead-primary', lastSeen: undefined, silent: new Map() } as const;
  const idsOf = (epochs: PlanContext['epochs']): string[] =>
    planFailover(madeUpContext(surveys, { epochs }), cause).steps.map(({ id }) => id);
  const ids = idsOf(new Map());
  expect(ids.indexOf('make-tables-0@db2')).toBeGreaterThan(ids.indexOf('forget-source@db2'));
  expect(ids.indexOf(`make-tables-${META_TABLES.length - 1}@db2`)).toBe(ids.indexOf('epoch@db2') - 1);
  expect(idsOf(new Map([['db2', 3]]))).not.toContain('make-tables-0@db2');
});
