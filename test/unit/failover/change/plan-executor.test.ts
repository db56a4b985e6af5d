/** What the executor takes back, and what it does not, when a statement fails; on servers that are made up. */
import { describe, expect, test } from 'vitest';
import type { ExecutionOutcome } from '../../../../src/failover/change/executor-options.js';
import { PlanExecutor } from '../../../../src/failover/change/plan-executor.js';
import type { LockTarget } from '../../../../src/failover/locks/lock-session.js';
import { eventSteps } from '../../../../src/failover/plan/event-steps.js';
import { type FailoverPlan, NO_LOSS, type PlanStep } from '../../../../src/failover/plan/failover-plan.js';
import type { PhysicalConnection } from '../../../../src/mysql/physical-connection.js';
import { madeUpEvent } from '../made-up-event.js';
import { madeUp } from '../made-up-survey.js';

/** What a server does with a statement: answer, with rows of its own or not, refuse it, or lose the session over it. */
type Behaviour = (sql: string) => 'ok' | 'refuse' | 'lose' | Promise<unknown> | readonly object[];

/** A server that takes every lock, and keeps what was sent to it besides. */
class Server implements LockTarget {
  readonly sent: string[] = [];
  /** How many statements it had got when nobody was kept from writing there any more. */
  freed: number | undefined;
  readonly voter: string;
  readonly #behaviour: Behaviour;

  constructor(voter: string, behaviour: Behaviour = () => 'ok') {
    this.voter = voter;
    this.#behaviour = behaviour;
  }

  async connect(): Promise<PhysicalConnection> {
    const listeners: ((error: Error) => void)[] = [];
    const lose = (error: Error): void => {
      for (const listener of listeners) listener(error);
    };
    const connection = {
      threadId: 1,
      onLost: (listener: (error: Error) => void) => listeners.push(listener),
      destroy: () => lose(new Error('destroyed')),
      ask: async (sql: string) => {
        if (!/LOCK|wait_timeout|@ha_until/.test(sql)) this.sent.push(sql);
        if (sql.includes('RELEASE_LOCK') && sql.includes('promote')) this.freed ??= this.sent.length;
        const what = this.#behaviour(sql);
        if (Array.isArray(what)) return what;
        if (typeof what !== 'string') await what;
        if (what === 'ok' || typeof what !== 'string') return [{ got: 1, held: 1 }];
        if (what === 'lose') lose(new Error('gone'));
        throw Object.assign(new Error(what), { errno: what === 'lose' ? undefined : 1205 });
      },
    };
    return connection as unknown as PhysicalConnection;
  }
}

const statement = (node: string, phase: string, sql: string, more: Partial<PlanStep> = {}): PlanStep => ({
  id: `${sql.toLowerCase()}@${node}`,
  phase,
  action: 'statement',
  node,
  sql,
  why: 'a test',
  ...more,
});

async function run(
  servers: readonly Server[],
  steps: readonly PlanStep[],
  onMajority: () => void = () => {},
  kind: FailoverPlan['kind'] = 'failover',
): Promise<{ readonly outcome: ExecutionOutcome; readonly told: readonly string[] }> {
  const plan: FailoverPlan = {
    opId: 'op',
    kind,
    cluster: 'c',
    epoch: 2,
    from: 'old',
    to: 'new',
    reason: null,
    evidence: [],
    steps: [
      { id: 'lock-change', phase: 'lock-change', action: 'lock-change', node: null, why: 'a test' },
      ...steps,
    ],
    loss: NO_LOSS,
    excluded: [],
    warnings: [],
  };
  const told: string[] = [];
  const outcome = await new PlanExecutor(plan, {
    targets: servers,
    rules: { voters: 3, leaseMs: 1, handoverMs: 1 },
    waitTimeoutS: 4,
    values: {},
    runHook: async () => {},
    lookAgain: async () => {},
    confirm: async (id) => void told.push(`confirmed by ${id}`),
    onStep: ({ id }, phase, detail) =>
      told.push(`${id} ${phase}${/session/.test(detail) ? `: ${detail}` : ''}`),
    onMajority,
    onStatement: () => {},
  }).run();
  return { outcome, told };
}

test('what was found of the replicas has a place in statements from the beginning on', async () => {
  const servers = [new Server('old'), new Server('new'), new Server('third')];
  const { outcome } = await run(servers, [statement('new', 'promote', "NOTE '{frozen}'")]);
  expect(outcome).toMatchObject({ ok: true });
  expect(servers[1]?.sent).toContain(`NOTE '{"replicas":{},"commitWaits":null}'`);
});

describe('a statement from which there is no way back', () => {
  const steps = [
    statement('old', 'close-old', 'CLOSE', { undo: 'OPEN' }),
    statement('new', 'promote', 'FORGET', { pointOfNoReturn: true }),
    statement('new', 'promote', 'EPOCH', { pointOfNoReturn: true }),
  ];
  const three = (behaviour: Behaviour): readonly Server[] => [
    new Server('old'),
    new Server('new', behaviour),
    new Server('third'),
  ];

  test('is tried again, and all is taken back when the server goes on refusing it', async () => {
    const servers = three((sql) => (sql === 'FORGET' ? 'refuse' : 'ok'));
    const { outcome } = await run(servers, steps);
    expect(outcome).toMatchObject({ ok: false, step: 'forget@new', clusterState: 'undone' });
    expect(servers[0]?.sent).toEqual(['CLOSE', 'OPEN']);
    expect(servers[1]?.sent).toEqual(['FORGET', 'FORGET', 'FORGET', 'FORGET', 'FORGET']);
  });

  test('all is taken back when it was never sent', async () => {
    const servers = three((sql) => (sql === 'FIRST' ? 'lose' : 'ok'));
    const [close, ...rest] = steps;
    const first = statement('new', 'prepare', 'FIRST', { optional: true });
    const { outcome } = await run(servers, close === undefined ? [] : [close, first, ...rest]);
    expect(outcome).toMatchObject({ ok: false, clusterState: 'undone' });
    expect(servers[0]?.sent).toEqual(['CLOSE', 'OPEN']);
    expect(servers[1]?.sent).toEqual(['FIRST']);
  });

  test('without an answer it may have been done: nothing is taken back', async () => {
    const servers = three((sql) => (sql === 'FORGET' ? 'lose' : 'ok'));
    const { outcome } = await run(servers, steps);
    expect(outcome).toMatchObject({ ok: false, step: 'forget@new', clusterState: 'unfinished' });
    expect(servers[0]?.sent).toEqual(['CLOSE']);
  });

  test('once one was done, a later one that is refused takes nothing back', async () => {
    const servers = three((sql) => (sql === 'EPOCH' ? 'refuse' : 'ok'));
    const { outcome } = await run(servers, steps);
    expect(outcome).toMatchObject({ ok: false, step: 'epoch@new', clusterState: 'unfinished' });
    expect(servers[0]?.sent).toEqual(['CLOSE']);
  });
});

describe('a step that may be left out', () => {
  const steps = [
    statement('old', 'close-old', 'UNLOGGED', { optional: true }),
    statement('old', 'close-old', 'NOTE', { optional: true, undo: 'NO NOTE' }),
    statement('old', 'close-old', 'CLOSE', { undo: 'OPEN' }),
    statement('new', 'then', 'THEN'),
  ];
  const old = (...refused: string[]): Server =>
    new Server('old', (sql) => (refused.includes(sql) ? 'refuse' : 'ok'));
  const rest = (): readonly Server[] => [new Server('new'), new Server('third')];

  test('is told as failed, and what comes after it is done', async () => {
    const server = old('NOTE');
    const { outcome, told } = await run([server, ...rest()], steps);
    expect(outcome).toMatchObject({ ok: true, left: [] });
    expect(server.sent).toEqual(['UNLOGGED', 'NOTE', 'CLOSE']);
    expect(told).toContain('note@old failed');
  });

  test('another one that comes after it, and may build on it, is left out, too', async () => {
    const server = old('UNLOGGED');
    expect((await run([server, ...rest()], steps)).outcome.ok).toBe(true);
    expect(server.sent).toEqual(['UNLOGGED', 'CLOSE']);
  });

  test('what was refused is not taken back when a later step fails', async () => {
    const server = old('NOTE', 'CLOSE');
    const { outcome } = await run([server, ...rest()], steps);
    expect(outcome).toMatchObject({ ok: false, step: 'close@old', clusterState: 'undone' });
    expect(server.sent).toEqual(['UNLOGGED', 'NOTE', 'CLOSE', 'OPEN']);
  });

  test('what was done is', async () => {
    const server = old('CLOSE');
    const { outcome } = await run([server, ...rest()], steps);
    expect(outcome).toMatchObject({ ok: false, clusterState: 'undone' });
    expect(server.sent).toEqual(['UNLOGGED', 'NOTE', 'CLOSE', 'OPEN', 'NO NOTE']);
  });
});

describe('a new primary', () => {
  const lock = (action: 'assert-votes' | 'release'): PlanStep => ({
    id: action,
    phase: action,
    action,
    node: null,
    why: 'a test',
  });
  const follow = statement('third', 'repoint', 'FOLLOW', { spares: true });
  const held: PlanStep = { ...follow, id: 'keeps-vote@third', action: 'assert-held', sql: undefined };
  const steps = (freeze: readonly PlanStep[], repoint: PlanStep): readonly PlanStep[] => [
    ...freeze,
    lock('assert-votes'),
    statement('new', 'promote', 'FORGET', { pointOfNoReturn: true }),
    repoint,
    lock('release'),
  ];
  const freeze = statement('third', 'freeze', 'FREEZE', { spares: true });
  const two = (refuses: string): readonly Server[] => [
    new Server('new'),
    new Server('third', (sql) => (sql === refuses ? 'refuse' : 'ok')),
  ];

  test('is not made where those that could vote are left out before', async () => {
    const servers = two('FREEZE');
    const { outcome } = await run(servers, steps([freeze], follow));
    expect(outcome).toMatchObject({ ok: false, step: 'assert-votes', clusterState: 'unchanged' });
    expect(String((outcome as { error: Error }).error.message)).toMatch(/only 1 of 3/);
    expect(servers[0]?.sent).toEqual([]);
  });
  test('that no majority votes for is told as what it is: nobody can write', async () => {
    const { outcome, told } = await run(two('FOLLOW'), steps([freeze], follow));
    expect(outcome).toMatchObject({
      ok: false,
      step: 'release',
      clusterState: 'unfinished',
      error: { code: 'ERR_NO_MAJORITY' },
    });
    expect(told.filter((each) => each.startsWith('release'))).toEqual(['release started', 'release failed']);
  });
  test.each([
    ['is made to', follow],
    ['does already', held],
  ])('is one when a majority %s', async (_, repoint) => {
    expect((await run(two(''), steps([freeze], repoint))).outcome).toMatchObject({ ok: true, left: [] });
  });
});

describe('a step that may be left out alone', () => {
  const old = (...refused: string[]): Server =>
    new Server('old', (sql) => (refused.includes(sql) ? 'refuse' : 'ok'));
  const rest = (): readonly Server[] => [new Server('new'), new Server('third')];
  const many = [
    statement('old', 'close-old', 'UNLOGGED', { optional: true }),
    statement('old', 'close-old', 'ONE', { optional: 'alone', undo: 'NOT ONE' }),
    statement('old', 'close-old', 'TWO', { optional: 'alone', undo: 'NOT TWO' }),
    statement('old', 'close-old', 'CLOSE', { undo: 'OPEN' }),
  ];
  test('takes no other one with it, and only what was done is taken back', async () => {
    const server = old('ONE', 'CLOSE');
    await run([server, ...rest()], many);
    expect(server.sent).toEqual(['UNLOGGED', 'ONE', 'TWO', 'CLOSE', 'OPEN', 'NOT TWO']);
  });
  test('is left out when what it builds on was refused', async () => {
    const server = old('UNLOGGED');
    await run([server, ...rest()], many);
    expect(server.sent).toEqual(['UNLOGGED', 'CLOSE']);
  });
  test('ends no plan that changes events where the session cannot be kept from logging', async () => {
    const NULLED = /character_set_client=@ha_charset/;
    const server = new Server('old', (sql) =>
      /sql_log_bin/.test(sql) || NULLED.test(sql) ? 'refuse' : 'ok',
    );
    const ceases = eventSteps(
      madeUp('old'),
      [{ event: madeUpEvent('nightly'), to: 'replica-side-disabled' }],
      { phase: 'events', why: 'a test', undo: true },
    );
    const close = statement('old', 'close-old', 'CLOSE');
    const { outcome } = await run([server, ...rest()], [...ceases, close]);
    expect(outcome).toMatchObject({ ok: true });
    expect(server.sent.filter((sql) => /EVENT/.test(sql))).toEqual([]);
    expect(server.sent.at(-1)).toBe('CLOSE');
  });
  test('is tried once when there is no way back any more, and nothing ends for it', async () => {
    const server = new Server('new', (sql) => (sql === 'ONE' ? 'refuse' : 'ok'));
    const { outcome } = await run(
      [new Server('old'), server, new Server('third')],
      [
        statement('new', 'promote', 'FORGET', { pointOfNoReturn: true }),
        statement('new', 'repoint', 'ONE', { optional: 'alone' }),
        statement('new', 'repoint', 'TWO', { optional: 'alone' }),
      ],
    );
    expect(outcome.ok).toBe(true);
    expect(server.sent).toEqual(['FORGET', 'ONE', 'TWO']);
  });
});

test('the new primary is held until its own part is done, also when a majority follows it before that', async () => {
  let go = (): void => {};
  const followed = new Promise<void>((resolve) => {
    go = resolve;
  });
  const server = new Server('new', (sql) => (sql === 'SLOW' ? followed : 'ok'));
  const { outcome } = await run(
    [new Server('old'), server, new Server('third')],
    [
      statement('new', 'promote', 'FORGET', { pointOfNoReturn: true }),
      statement('new', 'repoint', 'SLOW', { optional: 'alone' }),
      statement('new', 'repoint', 'LAST', { optional: 'alone' }),
      statement('old', 'repoint', 'FOLLOW'),
      statement('third', 'repoint', 'FOLLOW'),
    ],
    () => setImmediate(go),
  );
  expect(outcome.ok).toBe(true);
  expect(server.sent).toEqual(['FORGET', 'SLOW', 'LAST']);
});

describe('what may wait for long on the new primary', () => {
  const wait: PlanStep = {
    ...statement('new', 'repoint', 'x'),
    id: 'wait',
    action: 'wait-votes',
    sql: undefined,
  };
  const steps = (...others: readonly PlanStep[]): readonly PlanStep[] => [
    statement('new', 'promote', 'FORGET', { pointOfNoReturn: true }),
    { ...wait, optional: true },
    statement('new', 'repoint', 'SLOW', { optional: 'alone' }),
    ...others,
  ];
  const follow = (node: string): readonly PlanStep[] => [
    statement(node, 'repoint', 'FOLLOW', { spares: true }),
    { ...statement(node, 'repoint', 'START', { spares: true }), id: `start-replication@${node}` },
  ];

  test.each([
    ['replicas', [...follow('old'), ...follow('third')]],
    ['a witness', [statement('third', 'repoint', 'VOTE', { spares: true })]],
  ])('comes when a majority, of %s, votes for it and may write there', async (_, others) => {
    const server = new Server('new');
    const { outcome } = await run([new Server('old'), server, new Server('third')], steps(...others));
    expect(outcome.ok).toBe(true);
    expect([server.sent, server.freed]).toEqual([['FORGET', 'SLOW'], 1]);
  });
  test('comes all the same when nobody is made to vote for it any more', async () => {
    const server = new Server('new');
    const refuses = (node: string): Server => new Server(node, (sql) => (sql === 'FOLLOW' ? 'refuse' : 'ok'));
    const others = [...follow('old'), ...follow('third')];
    await run([refuses('old'), server, refuses('third')], steps(...others));
    expect(server.sent).toEqual(['FORGET', 'SLOW']);
  });
});

test('events of a node are altered while others write', async () => {
  const server = new Server('new');
  const taken: string[] = [];
  const connect = server.connect.bind(server);
  server.connect = async () => {
    const connection = await connect();
    const ask = connection.ask.bind(connection) as (sql: string) => Promise<never>;
    return Object.assign(connection, {
      ask: async (sql: string) => {
        taken.push(...(/GET_LOCK\('([^']+)/.exec(sql)?.slice(1) ?? []));
        return await ask(sql);
      },
    });
  };
  const alter = { ...statement('new', 'events', 'ALTER EVENT'), id: 'event-0@new' };
  expect((await run([server], [alter], () => {}, 'rejoin')).outcome.ok).toBe(true);
  expect(taken).toEqual(['ha1:c:change']);
  await run([server], [statement('new', 'rejoin', 'FOLLOW')], () => {}, 'rejoin');
  expect(taken).toEqual(['ha1:c:change', 'ha1:c:change', 'ha1:c:promote']);
});

test('what confirms a change knows which step asks', async () => {
  const step = (id: string): PlanStep => ({ id, phase: id, action: 'confirm', node: null, why: 'a test' });
  const servers = ['old', 'new', 'third'].map((name) => new Server(name));
  const { told } = await run(servers, [step('confirm'), step('confirm-again')]);
  expect(told.filter((each) => each.startsWith('confirmed'))).toEqual([
    'confirmed by confirm',
    'confirmed by confirm-again',
  ]);
});

describe('a step that closes a primary', () => {
  const waiter = { id: 7, user: 'app', host: '10.0.0.1:4711', waits: 1 };
  const close = statement('old', 'close-old', 'CLOSE', { undo: 'OPEN', inTheWay: 'WAITERS' });
  const others = [new Server('new'), new Server('third')];

  test('is tried once more when the sessions that it waited for are ended, and says which', async () => {
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    let closes = 0;
    const old = new Server('old', (sql) => {
      if (sql === 'WAITERS') return [waiter];
      if (sql.startsWith('KILL')) end();
      if (sql !== 'CLOSE') return 'ok';
      closes += 1;
      return closes === 1 ? 'refuse' : ended;
    });
    const { outcome, told } = await run([old, ...others], [close]);
    expect(outcome).toMatchObject({ ok: true });
    // Not before it has been seen twice, by another connection.
    expect(old.sent.slice(0, 6)).toEqual(['CLOSE', 'WAITERS', 'CLOSE', 'WAITERS', 'WAITERS', 'KILL 7']);
    expect(told).toContain('close@old finished: ended the sessions 7 (app@10.0.0.1:4711)');
  });

  test('is given up, and undone, when it waits for something else, or in vain once more', async () => {
    const table = { ...waiter, waits: 0 };
    const old = new Server('old', (sql) => (sql === 'WAITERS' ? [table] : sql === 'CLOSE' ? 'refuse' : 'ok'));
    const { outcome } = await run([old, ...others], [close]);
    expect(outcome).toMatchObject({ ok: false, step: 'close@old', clusterState: 'undone' });
    expect(old.sent).toEqual(['CLOSE', 'WAITERS', 'OPEN']);
    let closes = 0;
    const stubborn = new Server('old', (sql) => {
      if (sql === 'WAITERS') return [waiter];
      if (sql === 'CLOSE') closes += 1;
      if (sql === 'CLOSE' && closes === 2)
        return new Promise((_, reject) =>
          setTimeout(reject, 300, Object.assign(new Error('refuse'), { errno: 1205 })),
        );
      return sql === 'CLOSE' ? 'refuse' : 'ok';
    });
    const failed = await run([stubborn, ...others], [close]);
    expect(failed.outcome).toMatchObject({ ok: false, step: 'close@old', clusterState: 'undone' });
    expect(failed.told.join('\n')).toMatch(/close@old failed: .*; ended the sessions 7 /);
    expect(stubborn.sent.filter((sql) => sql === 'CLOSE')).toHaveLength(2);
    expect(stubborn.sent.filter((sql) => sql === 'KILL 7')).toHaveLength(1);
  });

  test('ends the sessions that it lists, and waits until they are gone', async () => {
    const lists = [[waiter, { id: 8, user: 'root', host: 'localhost' }], [waiter], []];
    const old = new Server('old', (sql) => (sql === 'LIST' ? (lists.shift() ?? []) : 'ok'));
    const list = statement('old', 'close-old', 'LIST', { ends: true, optional: true });
    const { outcome, told } = await run([old, ...others], [list]);
    expect(outcome).toMatchObject({ ok: true });
    expect(old.sent).toEqual(['LIST', 'KILL 7', 'KILL 8', 'LIST', 'LIST']);
    expect(told).toContain('list@old finished: ended the sessions 7 (app@10.0.0.1:4711), 8 (root@localhost)');
  });
});
