/** Which scheduled events a change moves, and what puts right what it has left. */
import { describe, expect, test } from 'vitest';
import type { FailoverPlan, PlanStep } from '../../../../src/failover/plan/failover-plan.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { isEventPlan, planEvents } from '../../../../src/failover/plan/plan-events.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planRejoin } from '../../../../src/failover/plan/plan-repair.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import type { ScheduledEvent } from '../../../../src/failover/survey/scheduled-events.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUpEvent } from '../made-up-event.js';
import { madeUp } from '../made-up-survey.js';

type Given = NonNullable<Parameters<typeof madeUp>[1]>;

const source = { host: 'db1', port: 3306 };
const scheduler = { event_scheduler: 'ON' };
const asReplica = (event: ScheduledEvent): ScheduledEvent => ({ ...event, status: 'replica-side-disabled' });
const node = (name: string, events: readonly ScheduledEvent[], more: Given = {}): NodeSurvey =>
  madeUp(name, { events, ...more, variables: { ...scheduler, ...more.variables } });
const trio = (events: readonly ScheduledEvent[], more: Given = {}): PlanContext =>
  madeUpContext([
    node('db1', events, more),
    node('db2', events.map(asReplica), { source, ...more }),
    node('db3', events.map(asReplica), { source, ...more }),
  ]);

const eventSteps = ({ steps }: Pick<FailoverPlan, 'steps'>, on: string): readonly PlanStep[] =>
  steps.filter((step) => step.node === on && step.id.startsWith('event-'));
const sqlOf = (plan: Pick<FailoverPlan, 'steps'>, on: string): readonly string[] =>
  eventSteps(plan, on).flatMap(({ sql = '' }) => (sql.startsWith('ALTER') ? [sql] : []));
const nightly = madeUpEvent('nightly');
const ENABLE = 'ALTER DEFINER=`root`@`localhost` EVENT `shop`.`nightly` ENABLE';
const DISABLE = 'ALTER DEFINER=`root`@`localhost` EVENT `shop`.`nightly` DISABLE ON SLAVE';

describe('a switchover', () => {
  const plan = (context: PlanContext): FailoverPlan => planSwitchover(context, 'db1', 'db2');

  test('makes the old primary cease before writers wait, and takes that back with the rest', () => {
    const made = plan(trio([nightly]));
    const own = eventSteps(made, 'db1');
    expect(own.map(({ sql }) => sql)).toEqual([
      'SET SESSION sql_log_bin=0',
      'SET @ha_charset=@@SESSION.character_set_client, @ha_collation=@@SESSION.collation_connection',
      'SET SESSION character_set_client=utf8mb4, collation_connection=utf8mb4_general_ci',
      DISABLE,
      'SET SESSION character_set_client=COALESCE(@ha_charset, @@SESSION.character_set_client), ' +
        'collation_connection=COALESCE(@ha_collation, @@SESSION.collation_connection)',
    ]);
    expect(own[3]).toMatchObject({
      optional: 'alone',
      undo: `SET SESSION character_set_client=utf8mb4, collation_connection=utf8mb4_general_ci; ${ENABLE}`,
    });
    const ids = made.steps.map(({ id }) => id);
    expect(ids.indexOf('event-0@db1')).toBeGreaterThan(ids.indexOf('wait-leases'));
    expect(ids.indexOf('event-0@db1')).toBeLessThan(ids.indexOf('lock-promote'));
  });

  test('has the new primary execute them beside what else is done then, and without the log', () => {
    const { steps } = plan(trio([nightly]));
    const own = eventSteps({ steps }, 'db2');
    expect(own[0]).toMatchObject({ action: 'wait-votes' });
    expect(own.slice(1).map(({ sql }) => sql)).toEqual([
      'SET SESSION sql_log_bin=0',
      'SET SESSION character_set_client=utf8mb4, collation_connection=utf8mb4_general_ci',
      ENABLE,
    ]);
    expect(new Set(own.map(({ phase }) => phase))).toEqual(new Set(['repoint']));
    expect(own.every(({ optional, spares }) => optional !== undefined && spares === undefined)).toBe(true);
    expect(steps.findIndex(({ id }) => id === 'event-0@db2')).toBeGreaterThan(
      steps.findIndex(({ id }) => id === 'verify-writes@db2'),
    );
  });

  test('never closes the new primary, which was closed for everybody when the change was planned', () => {
    const shut = { version: '9.7.0', executed: '', variables: { gtid_mode: 'ON', super_read_only: 'ON' } };
    const open = { version: '9.7.0', executed: '', variables: { gtid_mode: 'ON' } };
    const context = madeUpContext([
      node('db1', [nightly], open),
      node('db2', [asReplica(nightly)], { source, ...shut }),
      node('db3', [asReplica(nightly)], { source, ...shut }),
    ]);
    const own = eventSteps(plan(context), 'db2').map(({ sql }) => sql);
    expect(own.at(-1)).toBe(ENABLE);
    expect(own.join()).not.toContain('super_read_only');
  });

  test('leaves those alone that do not run on the old primary, or that only one of the two has', () => {
    const off = madeUpEvent('off', { status: 'disabled' });
    const local = madeUpEvent('local');
    const context = madeUpContext([
      node('db1', [nightly, off, local]),
      node('db2', [asReplica(nightly), asReplica(off), madeUpEvent('report')], { source }),
      node('db3', [], { source }),
    ]);
    expect([sqlOf(plan(context), 'db1'), sqlOf(plan(context), 'db2'), sqlOf(plan(context), 'db3')]).toEqual([
      [DISABLE],
      [ENABLE],
      [],
    ]);
  });

  test('keeps the character set of each, which the server takes from the session', () => {
    const old = madeUpEvent('old', { charset: 'latin1', collation: 'latin1_swedish_ci' });
    const own = eventSteps(plan(trio([nightly, old, madeUpEvent('weekly')])), 'db2');
    expect(own.slice(1).map(({ sql = '' }) => sql.replace(/ALTER .* EVENT/, ''))).toEqual([
      'SET SESSION sql_log_bin=0',
      'SET SESSION character_set_client=latin1, collation_connection=latin1_swedish_ci',
      ' `shop`.`old` ENABLE',
      'SET SESSION character_set_client=utf8mb4, collation_connection=utf8mb4_general_ci',
      ' `shop`.`nightly` ENABLE',
      ' `shop`.`weekly` ENABLE',
    ]);
  });

  test('touches none, and says so, where the account lacks a privilege on either node', () => {
    const context = madeUpContext([
      node('db1', [nightly]),
      node('db2', [asReplica(nightly)], { source, eventsLacking: ['SET USER'] }),
      node('db3', [], { source }),
    ]);
    const made = plan(context);
    expect([eventSteps(made, 'db1'), eventSteps(made, 'db2')]).toEqual([[], []]);
    expect(made.warnings.join()).toContain(
      'Scheduled events (shop.nightly) will not run on db2: the account of failover.credentials lacks SET USER on db2',
    );
  });

  test.each([
    ['a place of a plan', { name: 'a{b}' }],
    ['the end of a statement', { name: 'a; b' }],
    ['letters that its own character set has otherwise', { name: 'café', charset: 'latin1' }],
  ])('leaves one alone, and says so, whose name has %s', (_, more) => {
    const made = plan(trio([madeUpEvent('x', more), nightly]));
    expect(sqlOf(made, 'db2')).toEqual([ENABLE]);
    expect(made.warnings.join()).toContain('no statement of a plan can name');
  });

  test('quotes names, and knows a role', () => {
    const odd = madeUpEvent("it's `a`", { database: 'café', definer: "o'x@y@%" });
    const role = madeUpEvent('z', { definer: 'jobs@' });
    expect(sqlOf(plan(trio([odd, role])), 'db2')).toEqual([
      "ALTER DEFINER=`o'x@y`@`%` EVENT `café`.`it's ``a``` ENABLE",
      'ALTER DEFINER=`jobs` EVENT `shop`.`z` ENABLE',
    ]);
  });

  test('says it where the new primary executes no events at all', () => {
    const context = madeUpContext([
      node('db1', [nightly]),
      node('db2', [asReplica(nightly)], { source, variables: { event_scheduler: 'OFF' } }),
      node('db3', [], { source }),
    ]);
    expect(plan(context).warnings).toEqual(['event_scheduler is OFF on db2: no event runs there']);
  });

  test('is as it was without events', () => {
    expect(plan(trio([])).steps.some(({ id }) => id.startsWith('event-'))).toBe(false);
    expect(plan(trio([])).warnings).toEqual([]);
  });
});

describe('a failover', () => {
  const cause = { from: 'db1', reason: 'dead-primary' as const, lastSeen: undefined };
  const off = madeUpEvent('off');
  const replicas = (more: Given = {}): readonly NodeSurvey[] =>
    ['db2', 'db3'].map((name) => node(name, [nightly, off].map(asReplica), { source, ...more }));
  const plan = (context: PlanContext): FailoverPlan =>
    planFailover(context, { ...cause, silent: new Map([['db1', 'no answer']]), wanted: 'db2' });
  const nodes = ['db1', 'db2', 'db3'];

  test('has the new primary execute what the old one did when it was last seen, and what came since', () => {
    const ran = new Map([['db1', [{ ...off, status: 'disabled' as const }]]]);
    const made = plan(madeUpContext(replicas(), { nodes, ran }));
    expect(sqlOf(made, 'db2')).toEqual([ENABLE]);
    expect(made.warnings.join()).not.toContain('cannot be known');
  });

  test('has it execute all that no replica was told of, and says so, when nobody has seen the old one', () => {
    const made = plan(madeUpContext(replicas(), { nodes }));
    expect(sqlOf(made, 'db2')).toHaveLength(2);
    expect(made.warnings.join()).toContain(
      'Scheduled events (shop.nightly, shop.off) will run on db2; whether somebody had disabled one of them on db1 cannot be known',
    );
    const told = [nightly, { ...off, status: 'disabled' as const }];
    const known = madeUpContext(
      ['db2', 'db3'].map((name) => node(name, [asReplica(told[0] ?? nightly), told[1] ?? off], { source })),
      { nodes },
    );
    expect(sqlOf(plan(known), 'db2')).toEqual([ENABLE]);
  });
});

describe('a former primary', () => {
  const repair = (old: Given = {}): FailoverPlan | undefined => {
    const context = madeUpContext([
      node('db2', [nightly], { readOnly: false }),
      node('db1', [nightly, madeUpEvent('local')], { readOnly: false, ...old }),
    ]);
    const found = planRejoin(context, 'db1', 'db2');
    return found.kind === 'plan' ? found.plan : undefined;
  };
  test('ceases before it refuses writes and follows, without the log', () => {
    const ids = (repair()?.steps ?? []).map(({ id }) => id);
    expect(ids.indexOf('event-0@db1')).toBeGreaterThan(ids.indexOf('event-unlogged@db1'));
    expect(ids.indexOf('event-0@db1')).toBeLessThan(ids.indexOf('refuse-writes@db1'));
    expect(sqlOf(repair() ?? { steps: [] }, 'db1')).toEqual([DISABLE]);
  });
  test('of MySQL that refuses the writes of everybody is opened for it, and closed whatever fails', () => {
    const own = eventSteps(
      repair({
        version: '9.7.0',
        executed: '',
        variables: { super_read_only: 'ON', gtid_mode: 'ON' },
        readOnly: true,
      }) ?? {
        steps: [],
      },
      'db1',
    );
    expect(own[0]).toMatchObject({
      sql: 'SET GLOBAL super_read_only=0',
      undo: 'SET GLOBAL super_read_only=1',
    });
    expect(own.at(-1)).toMatchObject({ sql: 'SET GLOBAL super_read_only=1' });
    expect(own.at(-1)?.optional).toBeUndefined();
    expect(own.some(({ sql }) => sql === DISABLE.replace('SLAVE', 'REPLICA'))).toBe(true);
  });
  test('is made to follow without that where the account may not', () => {
    expect(sqlOf(repair({ eventsLacking: ['EVENT'] }) ?? { steps: [] }, 'db1')).toEqual([]);
  });
});

describe('what an unfinished switchover has taken from the old primary', () => {
  const ceased = { ...asReplica(nightly), originator: 1 };
  const left = { opId: 'x', kind: 'switchover', from: 'db1', to: 'db2' };
  test('it gets back when that is undone, and the new one gets when it is finished', () => {
    const undone = planResume(
      madeUpContext([
        node('db1', [ceased], { readOnly: true }),
        node('db2', [asReplica(nightly)], { source }),
        node('db3', [asReplica(nightly)], { source }),
      ]),
      left,
    );
    expect([undone.to, sqlOf(undone, 'db1')]).toEqual(['db1', [ENABLE]]);
    const finished = planResume(
      madeUpContext(
        [
          node('db1', [ceased], { readOnly: true }),
          node('db2', [asReplica(nightly)], { readOnly: false }),
          node('db3', [asReplica(nightly)], { source }),
        ],
        { epoch: 4, named: 'db2', epochs: new Map([['db2', 4]]) },
      ),
      left,
    );
    expect([finished.to, sqlOf(finished, 'db2')]).toEqual(['db2', [ENABLE]]);
  });
  test('is left alone where a primary was merely started again', () => {
    const context = madeUpContext([
      node('db1', [ceased], { readOnly: true }),
      node('db2', [], { source }),
      node('db3', [], { source }),
    ]);
    expect(sqlOf(planResume(context, { opId: 'restart', from: 'db1', to: 'db1' }), 'db1')).toEqual([]);
  });
  test('it gets back while it goes on as the primary, if the switchover has no end', () => {
    const context = madeUpContext([node('db1', [ceased]), node('db2', [asReplica(nightly)], { source })]);
    expect(planEvents(context, 'db1', () => true)).toBeUndefined();
    expect(sqlOf(planEvents(context, 'db1', () => true, true) ?? { steps: [] }, 'db1')).toEqual([ENABLE]);
  });
});

describe('events that could not be read', () => {
  const unread = (name: string, more: Given = {}): NodeSurvey => ({
    ...node(name, [], more),
    events: undefined,
  });
  const cause = { from: 'db1', reason: 'dead-primary' as const, lastSeen: undefined, wanted: 'db2' };
  const silent = new Map([['db1', 'no answer']]);
  const other = node('db3', [asReplica(nightly)], { source });
  const nodes = ['db1', 'db2', 'db3'];

  test('on the old primary are those that ran there before, and the plan says that they do not cease', () => {
    const replica = node('db2', [asReplica(nightly), asReplica(madeUpEvent('off'))], { source });
    const ran = new Map([['db1', [nightly, madeUpEvent('off', { status: 'disabled' })]]]);
    const made = planSwitchover(madeUpContext([unread('db1'), replica, other], { ran }), 'db1', 'db2');
    expect([sqlOf(made, 'db1'), sqlOf(made, 'db2')]).toEqual([[], [ENABLE]]);
    expect(made.warnings).toEqual([
      expect.stringMatching(/^Which scheduled events db1 executes could not be read: .* elected process/),
    ]);
    const guessed = planSwitchover(madeUpContext([unread('db1'), replica, other]), 'db1', 'db2');
    expect(sqlOf(guessed, 'db2')).toHaveLength(2);
    expect(guessed.warnings.join()).toContain('cannot be known');
  });
  test('on the new primary are told by the plan, with what is left to do', () => {
    const context = madeUpContext([node('db1', [nightly]), unread('db2', { source }), other]);
    const made = planSwitchover(context, 'db1', 'db2');
    expect([eventSteps(made, 'db1'), eventSteps(made, 'db2')]).toEqual([[], []]);
    expect(made.warnings).toEqual([
      expect.stringMatching(/^Which scheduled events db2 has could not be read: .* elected process/),
    ]);
    const dead = planFailover(madeUpContext([unread('db2', { source }), other], { nodes }), {
      ...cause,
      silent,
    });
    expect(dead.warnings.join()).toMatch(/events db2 has could not be read: .*ALTER EVENT … ENABLE/);
  });
  test('on either of them are no matter where the other one is known to have none', () => {
    const none = [node('db1', []), unread('db2', { source }), other];
    expect(planSwitchover(madeUpContext(none), 'db1', 'db2').warnings).toEqual([]);
    const empty = [unread('db1'), node('db2', [], { source }), other];
    expect(planSwitchover(madeUpContext(empty), 'db1', 'db2').warnings).toEqual([]);
  });
  test('on a former primary, or on the one that it is to follow, are told by its plan', () => {
    const rejoin = (old: NodeSurvey, primary: NodeSurvey): readonly string[] => {
      const found = planRejoin(madeUpContext([primary, old]), 'db1', 'db2');
      return found.kind === 'plan' ? found.plan.warnings : ['no plan'];
    };
    const said = [expect.stringMatching(/could not be read: db1 is made to follow as it is/)];
    expect(rejoin(unread('db1'), node('db2', [nightly]))).toEqual(said);
    expect(rejoin(node('db1', [nightly]), unread('db2', { readOnly: false }))).toEqual(said);
    expect(rejoin(node('db1', [nightly]), node('db2', [nightly]))).toEqual([]);
    expect(rejoin(unread('db1'), node('db2', []))).toEqual([]);
  });
  test('are no reason to alter any', () => {
    const [primary, replica] = [node('db1', [nightly]), node('db2', [nightly], { source })];
    for (const pair of [
      [unread('db1'), replica],
      [primary, unread('db2', { source })],
    ])
      expect(planEvents(madeUpContext(pair), 'db1', () => true)).toBeUndefined();
  });
});

describe('beside the primary db1', () => {
  const plan = (
    primary: readonly ScheduledEvent[],
    replica: readonly ScheduledEvent[],
    more: Given = {},
  ): readonly string[] => {
    const context = madeUpContext([node('db1', primary), node('db2', replica, { source, ...more })]);
    const found = planEvents(context, 'db1', () => true);
    if (found !== undefined) expect(isEventPlan(found)).toBe(true);
    return found === undefined ? [] : [found.to, ...sqlOf(found, found.to)];
  };
  test('a replica that was made anew ceases to execute its events', () => {
    expect(plan([nightly], [nightly])).toEqual(['db2', DISABLE]);
  });
  test('a replica keeps those that it alone executes', () => {
    expect(plan([{ ...nightly, status: 'disabled' }], [{ ...nightly, originator: 2 }])).toEqual([]);
    expect(plan([], [madeUpEvent('report')])).toEqual([]);
  });
  test('a replica is told what somebody has disabled there', () => {
    const disabled = { ...nightly, status: 'disabled' as const };
    expect(plan([disabled], [asReplica(nightly)])).toEqual(['db2', DISABLE.replace(' ON SLAVE', '')]);
    expect(plan([disabled], [disabled])).toEqual([]);
  });
  test('what a change has taken from a former one and not given it yet, it gets', () => {
    const handed = { ...asReplica(nightly), originator: 2 };
    expect(plan([handed], [{ ...nightly, originator: 2 }])).toEqual(['db2', DISABLE]);
    expect(plan([handed], [handed])).toEqual(['db1', ENABLE]);
    // It had it itself before, and the change back could not give it.
    const before = { ...handed, originator: 1 };
    expect(plan([before], [handed])).toEqual(['db1', ENABLE]);
    expect(plan([before], [{ ...nightly, originator: 2 }])).toEqual([]);
    // What came by replication from elsewhere, and nobody who answers has ceased to execute.
    expect(plan([{ ...handed, originator: 3 }], [{ ...handed, originator: 3 }])).toEqual([]);
  });
  test('what a failover could not give it, it gets while the old one is away, as far as that was seen', () => {
    const context = (ran: readonly ScheduledEvent[], third: readonly ScheduledEvent[]): PlanContext =>
      madeUpContext([node('db1', [asReplica(nightly)]), node('db2', third, { source })], {
        nodes: ['db1', 'db2', 'db3'],
        ran: new Map([['db3', ran]]),
      });
    const given = (...of: Parameters<typeof context>): readonly string[] =>
      sqlOf(planEvents(context(...of), 'db1', () => true) ?? { steps: [] }, 'db1');
    expect(given([nightly], [asReplica(nightly)])).toEqual([ENABLE]);
    expect(given([{ ...nightly, status: 'disabled' }], [asReplica(nightly)])).toEqual([]);
    expect(given([], [asReplica(nightly)])).toEqual([]);
    expect(given([nightly], [{ ...nightly, originator: 2 }])).toEqual([]);
  });
  test('nothing is done where all is well, the account may not, or the replica follows another node', () => {
    expect(plan([nightly], [asReplica(nightly)])).toEqual([]);
    expect(plan([nightly], [nightly], { eventsLacking: ['EVENT'] })).toEqual([]);
    expect(plan([nightly], [nightly], { source: { host: 'db9', port: 3306 } })).toEqual([]);
  });
});
