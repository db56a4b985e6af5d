/** Nobody is made the primary for whom no majority can vote, and what would change nothing is not done again and again. */
import { describe, expect, test } from 'vitest';
import { unfinishedChange } from '../../../../src/failover/overseer/unfinished-change.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planResume, type Unfinished } from '../../../../src/failover/plan/plan-resume.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const at = (node: string) => ({ host: node, port: 3306 });
const source = at('db1');
const cause = { from: 'db1', reason: 'dead-primary' as const, lastSeen: undefined, silent: new Map() };
const lost = { Slave_IO_Running: 'Connecting' };
const behind = { source, executed: '0-1-90', received: '0-1-100' };
const place = (position: number): Readonly<Record<string, unknown>> => ({
  ...lost,
  Using_Gtid: 'No',
  Master_Log_File: 'b.000003',
  Read_Master_Log_Pos: position,
  Relay_Master_Log_File: 'b.000003',
  Exec_Master_Log_Pos: position,
  Gtid_IO_Pos: '',
});

function contextOf(surveys: readonly NodeSurvey[], more: Partial<PlanContext> = {}): PlanContext {
  return madeUpContext(surveys, { nodes: ['db1', 'db2', 'db3'], ...more });
}

describe('a failover is refused when a voter that answers could not vote, and no majority is left without it', () => {
  const whole = madeUp('db2', { source, status: lost });
  const placed = madeUp('db2', { source, status: place(1_000) });
  const third = (given: Parameters<typeof madeUp>[1]): NodeSurvey => madeUp('db3', given);
  const table: readonly (readonly [string, NodeSurvey, NodeSurvey, RegExp])[] = [
    [
      'a diverged former primary',
      madeUp('db2', { source, status: lost, executed: '0-1-100,0-3-50' }),
      third({ readOnly: true, executed: '0-3-60' }),
      /db3 \(it follows nobody, and has \d+ transactions that db2 lacks/,
    ],
    [
      'a delayed replica',
      whole,
      third({ ...behind, status: { ...lost, SQL_Delay: 3_600 } }),
      /db3 \(its replication is delayed by 3600000 ms, and it has received what it has not executed/,
    ],
    [
      'a replica whose SQL thread somebody stopped',
      whole,
      third({ ...behind, status: { ...lost, Slave_SQL_Running: 'No' } }),
      /db3 \(its SQL thread is stopped, and it has received/,
    ],
    [
      'a replica at another place, without GTIDs',
      placed,
      third({ source, status: place(500) }),
      /db3 \(it stands at another place than db2.*made anew/,
    ],
    [
      'a replica on which the account may not change the source',
      whole,
      third({ source, status: lost, lacking: ['REPLICATION SLAVE ADMIN'] }),
      /db3 \(the account of .* lacks REPLICATION SLAVE ADMIN/,
    ],
    [
      'a replica of another server',
      whole,
      third({ source: at('elsewhere'), status: lost }),
      /db3 \(it follows elsewhere\)/,
    ],
  ];
  test.each(table)('%s', (_, second, other, why) => {
    const context = contextOf([second, other], { epochs: new Map([['db2', 4]]) });
    expect(() => planFailover(context, { ...cause, wanted: 'db2' })).toThrow(/Only 1 of 3 voters/);
    expect(() => planFailover(context, { ...cause, wanted: 'db2' })).toThrow(why);
    // Who names it and insists has been told.
    expect(planFailover(context, { ...cause, wanted: 'db2', insists: true }).to).toBe('db2');
    // With one more, nobody needs that one.
    const more = contextOf([second, other, madeUp('db4', { source, status: second.status ?? {} })], {
      epochs: new Map([['db2', 4]]),
    });
    expect(planFailover(more, cause).to).toBe('db2');
  });
  test.each([
    ['delayed, and with nothing left to execute', { source, status: { ...lost, SQL_Delay: 3_600 } }],
    ['stopped, and with nothing left to execute', { source, status: { ...lost, Slave_SQL_Running: 'No' } }],
    ['behind, and at work', { ...behind, status: lost }],
    ['where only what a primary needs is lacking', { source, status: lost, lacking: ['RELOAD'] }],
  ])('and not for a replica that is %s', (_, given) => {
    expect(planFailover(contextOf([whole, third(given)]), cause).to).toBe('db2');
  });
  test('whose silent voters are the matter of the locks', () => {
    expect(planFailover(contextOf([whole]), cause).to).toBe('db2');
  });
});

test('a replica whose SQL thread somebody stopped is not taken by its name, and named where its vote is needed', () => {
  const stopped = madeUp('db2', { ...behind, status: { ...lost, Slave_SQL_Running: 'No' } });
  const rest = ['db3', 'db4'].map((node) => madeUp(node, { source, status: lost }));
  expect(planFailover(contextOf([stopped, ...rest]), cause).to).toBe('db3');
  expect(() => planFailover(contextOf([stopped, ...rest.slice(0, 1)]), cause)).toThrow(
    /Only 1 of 3 voters could vote for db3.*db2 \(its SQL thread is stopped/,
  );
});

describe('a chain of replicas', () => {
  const stuck = madeUp('db5', {
    source,
    executed: '0-1-90',
    received: '0-1-100',
    status: { Last_SQL_Errno: 1062, Last_SQL_Error: 'Duplicate entry', Slave_SQL_Running: 'No' },
  });
  const rules = { voters: 5, leaseMs: 5_000, handoverMs: 200 };
  test('whose end follows the new primary already votes for it, and is left as it is', () => {
    const chain = ['db3', 'db4'].map((node) => madeUp(node, { source: at('db2') }));
    const { to, steps } = planFailover(
      contextOf([madeUp('db2', { source }), ...chain, stuck], { rules }),
      cause,
    );
    expect(to).toBe('db2');
    expect(steps.filter(({ node }) => node === 'db3').map(({ id }) => id)).toEqual(['keeps-vote@db3']);
  });
  test('whose end follows another replica is made to follow the new primary, unless it has more', () => {
    const rest = [madeUp('db2', { source }), madeUp('db3', { source }), stuck];
    const plan = (executed: string) =>
      planFailover(contextOf([...rest, madeUp('db4', { source: at('db3'), executed })], { rules }), cause);
    expect(plan('0-1-100').steps.map(({ id }) => id)).toContain('follow-0@db4');
    expect(() => plan('0-1-101')).toThrow(/Only 2 of 5.*db4 \(it follows db3\)/);
  });
});

describe('a failover from a primary that answers', () => {
  const lives = madeUp('db1');
  test('is refused before that one is closed, where another voter is needed that does not answer', () => {
    const context = contextOf([lives, madeUp('db2', { source })]);
    expect(() => planFailover(context, cause)).toThrow(
      /Only 1 of 3 voters.*db1 answers and is not counted, and the others do not answer; start one/,
    );
    expect(planFailover(context, { ...cause, wanted: 'db2', insists: true }).to).toBe('db2');
  });
  test('makes sure that the others are held before it closes that one', () => {
    const context = contextOf([lives, madeUp('db2', { source })], { witnesses: ['w'] });
    const ids = planFailover(context, cause).steps.map(({ id }) => id);
    expect(ids.indexOf('assert-votes-first')).toBeGreaterThan(ids.indexOf('look-again'));
    expect(ids.indexOf('assert-votes-first')).toBeLessThan(ids.indexOf('refuse-writes@db1'));
  });
});

test('without GTIDs a replica that has read as much, and has not executed it all yet, can follow', () => {
  const late = { ...place(1_000), Exec_Master_Log_Pos: 500 };
  const replica = (node: string, executed: string, status: Readonly<Record<string, unknown>>) =>
    madeUp(node, { source, executed, received: '', status });
  const planned = (status: Readonly<Record<string, unknown>>) =>
    planFailover(
      contextOf([replica('db2', '0-1-100', place(1_000)), replica('db3', '0-1-90', status)]),
      cause,
    );
  expect(planned(late)).toMatchObject({ to: 'db2' });
  expect(planned(late).steps.map(({ id }) => id)).toContain('assert-same@db3');
  expect(() => planned({ ...late, Read_Master_Log_Pos: 700 })).toThrow(/db3 \(it stands at another place/);
});

describe('a majority is made sure of once more before the promotion', () => {
  test('unless somebody insists', () => {
    const context = contextOf([madeUp('db2', { source }), madeUp('db3', { source })]);
    const ids = planFailover(context, cause).steps.map(({ id }) => id);
    expect(ids.indexOf('assert-votes')).toBeGreaterThan(ids.indexOf('drain@db2'));
    expect(ids.indexOf('assert-votes')).toBeLessThan(ids.indexOf('forget-source@db2'));
    const insisted = planFailover(context, { ...cause, wanted: 'db2', insists: true });
    expect(insisted.steps.map(({ id }) => id)).not.toContain('assert-votes');
  });
});

test('without GTIDs a former primary that follows nobody is not made to follow: nobody can compare it', () => {
  const variables = { gtid_mode: 'OFF', gtid_executed: '' };
  const version = '8.0.36';
  const status = {
    ...Object.fromEntries(Object.entries(place(500)).map(([name, value]) => [name, value])),
    Auto_Position: '0',
  };
  const replicas = ['db2', 'db3'].map((node) => madeUp(node, { version, variables, source, status }));
  const former = madeUp('db4', { version, variables, readOnly: true });
  const { steps } = planFailover(contextOf([...replicas, former]), cause);
  expect(steps.filter(({ node }) => node === 'db4')).toEqual([]);
});

describe('a primary that was made, and that no majority votes for', () => {
  const made = madeUp('db2', { readOnly: false, executed: '0-1-100,0-2-101' });
  const diverged = madeUp('db3', { readOnly: true, executed: '0-3-60' });
  const back = (readOnly: boolean, executed = '0-1-100') => madeUp('db1', { readOnly, executed });
  const epochs = new Map([
    ['db1', 4],
    ['db2', 5],
    ['db3', 3],
  ]);
  async function resumed(
    surveys: readonly NodeSurvey[],
    more: Partial<PlanContext> = {},
    mayJoin?: (node: string) => boolean,
  ) {
    const context = contextOf(surveys, { epoch: 5, named: 'db2', epochs, ...more });
    const parts = {
      meta: { open: async () => [] },
      voters: ['db1', 'db2', 'db3'].map((id) => ({ id, kind: 'data' })),
      voteOf: (voter: string) => (voter === 'db2' ? 'db2' : null),
      last: () => ({ node: 'db1', seenAgoS: 60 }),
    };
    const unfinished = await unfinishedChange(parts as never, context);
    if (unfinished === undefined) throw new Error('nothing is unfinished');
    return planResume(context, unfinished as Unfinished, undefined, mayJoin);
  }
  test('is not made so again and again while nobody else can vote', async () => {
    await expect(resumed([made, diverged])).rejects.toThrow(
      /db2 is the primary, and only 1 of 3 voters could vote.*db3 \(it follows nobody, and has \d+ transactions/,
    );
  });
  test('is followed by the old one that is back with nothing of its own', async () => {
    const { to, steps } = await resumed([made, diverged, back(true)]);
    expect(to).toBe('db2');
    const ids = steps.map(({ id }) => id);
    expect(ids).toContain('follow-0@db1');
    expect(ids.some((id) => id.endsWith('@db3'))).toBe(false);
  });
  test('is followed by the old one that takes writes, once that one is closed and compared', async () => {
    const { to, steps } = await resumed([made, diverged, back(false)]);
    expect(to).toBe('db2');
    const ids = steps.map(({ id }) => id);
    expect(ids.indexOf('refuse-writes@db1')).toBeGreaterThan(0);
    expect(ids.indexOf('assert-complete')).toBeGreaterThan(ids.indexOf('refuse-writes@db1'));
    expect(ids.indexOf('follow-0@db1')).toBeGreaterThan(ids.indexOf('assert-complete'));
    expect(steps.find(({ id }) => id === 'refuse-writes@db1')?.phase).toBe('freeze');
  });
  test('is not followed by an old one with transactions of its own', async () => {
    await expect(resumed([made, diverged, back(true, '0-1-120')])).rejects.toThrow(
      /db1 \(it follows nobody, and has 19 transactions/,
    );
  });
  test('is not followed by one that is left alone, or that is being made anew', async () => {
    const left = resumed([made, diverged, back(true)], {}, (node) => node !== 'db1');
    await expect(left).rejects.toThrow(/only 1 of 3 voters could vote.*db1 \(it follows nobody/);
  });
  test('has nobody follow whose vote is not needed', async () => {
    const follower = madeUp('db3', { source: at('db2'), executed: '0-1-100,0-2-101' });
    const { steps } = await resumed([made, follower, back(true)]);
    expect(steps.filter(({ node }) => node === 'db1').map(({ id }) => id)).toEqual([]);
  });
  test('takes nothing from one that somebody has brought back by hand: others follow it, or it knows of the change', async () => {
    const follower = madeUp('db3', { source });
    await expect(resumed([made, follower, back(false)])).rejects.toThrow('nothing is unfinished');
    const knows = new Map([...epochs, ['db1', 5] as const]);
    await expect(resumed([made, diverged, back(false)], { epochs: knows })).rejects.toThrow(
      'nothing is unfinished',
    );
  });
});
