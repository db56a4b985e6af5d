/** Old primaries that stand closed: which of them may take writes again, and which not. */
import { describe, expect, test } from 'vitest';
import { closeSteps } from '../../../../src/failover/plan/close-steps.js';
import { closedPrimary, restingPrimary } from '../../../../src/failover/plan/closed-primary.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const at = (host: string): { host: string; port: number } => ({ host, port: 3306 });
const closed = madeUp('db1', { readOnly: true });
const replicas = [madeUp('db2', { source: at('db1') }), madeUp('db3', { source: at('db1') })];
const votesOf = (votes: Record<string, string | null>): Map<string, string | null> =>
  new Map(Object.entries(votes));
const forOld = votesOf({ db1: null, db2: 'db1', db3: 'db1' });
const four = new Map([
  ['db1', 4],
  ['db2', 4],
  ['db3', 4],
]);
const note = { opId: 'op', epoch: 4, to: 'db2', ageS: 5 };

describe('an old primary that a failover has closed, and that nobody has gone on with', () => {
  const look = (more: Partial<typeof note> = {}, epochs = four, votes = forOld, first = closed): unknown =>
    closedPrimary(
      madeUpContext([first, ...replicas], { epochs, closed: new Map([['db1', { ...note, ...more }]]) }),
      votes,
    );
  test('is found by the note on it', () => {
    expect(look()).toEqual({ opId: 'op', kind: 'failover', from: 'db1', to: 'db2', isPassed: false });
  });
  test('while it still has a majority with one vote', () => {
    expect(look({}, four, votesOf({ db1: null, db2: 'db1' }))).toBeDefined();
  });
  test('the new primary has begun an epoch: it is gone on with', () => {
    expect(look({}, new Map([...four, ['db2', 5]]))).toMatchObject({ isPassed: true });
  });
  test.each([
    ['the process may still be at work', look({ ageS: 1 })],
    ['the note is of an earlier epoch', look({ epoch: 3 })],
    ['a majority votes for another node', look({}, four, votesOf({ db1: null, db2: 'db2', db3: 'db2' }))],
    ['too few voters answer', look({}, four, votesOf({ db1: null }))],
    ['it takes writes', look({}, four, forOld, madeUp('db1'))],
    ['it follows another node', look({}, four, forOld, madeUp('db1', { source: at('db2') }))],
  ])('not when %s', (_, found) => {
    expect(found).toBeUndefined();
  });
  test('it is opened again when it has everything, with more of its own, too', () => {
    const surveys = [madeUp('db1', { readOnly: true, executed: '0-1-105' }), ...replicas];
    const unfinished = { opId: 'op', from: 'db1', to: 'db2', isPassed: false };
    expect(planResume(madeUpContext(surveys), unfinished).to).toBe('db1');
    // One that was restored from an older copy has not: the failover is finished.
    const restored = [madeUp('db1', { readOnly: true, executed: '0-1-90' }), ...replicas];
    expect(planResume(madeUpContext(restored), unfinished).to).toBe('db2');
  });
  test('once the new primary has begun its epoch, what only the old one has keeps nobody from going on', () => {
    const half = madeUp('db2', { readOnly: true, executed: '0-1-100,0-2-101' });
    const surveys = [madeUp('db1', { readOnly: true, executed: '0-1-105' }), half, replicas[1] ?? half];
    const unfinished = { opId: 'op', from: 'db1', to: 'db2' };
    const plan = planResume(madeUpContext(surveys), { ...unfinished, isPassed: true });
    expect(plan.to).toBe('db2');
    expect(plan.steps.filter(({ node }) => node === 'db1')).toEqual([]);
    expect(() => planResume(madeUpContext(surveys), unfinished)).toThrow(/no node has everything/);
  });
});

describe('the primary of a site that was begun anew', () => {
  const look = (more: object = {}, votes = forOld, first = closed): unknown =>
    restingPrimary(madeUpContext([first, ...replicas], { epochs: four, ...more }), votes);
  test('is the one that a majority votes for', () => {
    expect(look()).toBe('db1');
    expect(look({ named: 'db1' })).toBe('db1');
    expect(look({}, votesOf({ db1: null, db3: 'db1' }))).toBe('db1');
  });
  test.each([
    ['somebody votes for another node', look({}, votesOf({ db1: null, db2: 'db1', db3: 'db2' }))],
    ['too few voters answer', look({}, votesOf({ db1: null }))],
    ['another node knows a later epoch', look({ epochs: new Map([...four, ['db3', 5]]) })],
    ['the memory of the cluster names another node', look({ named: 'db3' })],
    ['it follows another node', look({}, forOld, madeUp('db1', { source: at('db9') }))],
    [
      'it writes no binary log',
      look({}, forOld, madeUp('db1', { readOnly: true, variables: { log_bin: 'OFF' } })),
    ],
  ])('and nobody when %s', (_, found) => {
    expect(found).toBeUndefined();
  });
});

describe('a failover from a primary that answers', () => {
  const cause = { from: 'db1', reason: null, lastSeen: undefined, silent: new Map<string, string>() };
  const old = madeUp('db1');
  const isSpared = (hooks: string[]): unknown[] =>
    closeSteps(madeUpContext([old, ...replicas], { hooks: new Set(hooks) }), 'db1', 'db2').flatMap(
      ({ spares, optional }) => (optional === true ? [] : [spares]),
    );
  test('is not carried out when it cannot be closed, unless the hook `fence` proves that it is stopped', () => {
    expect(isSpared([])).toEqual([false]);
    expect(isSpared(['fence'])).toEqual([true]);
  });
  test('notes what it does before it closes it, and logs nothing of that', () => {
    const { steps } = planFailover(madeUpContext([old, ...replicas]), cause);
    const about = steps.filter(({ node }) => node === 'db1').map(({ id }) => id.split('@')[0]);
    expect(about).toEqual(['unlogged', 'note', 'refuse-writes', 'end-writers']);
  });
  test('makes a place for the note only where there is none: a server that is locked, or full, makes no table', () => {
    const about = (noteless: string[]): unknown[] =>
      closeSteps(madeUpContext([old, ...replicas], { noteless: new Set(noteless) }), 'db1', 'db2').map(
        ({ id, optional = false }) => `${id.split('@')[0]}${optional ? ', or not' : ''}`,
      );
    const end = 'end-writers, or not';
    expect(about(['db2'])).toEqual(['unlogged, or not', 'note, or not', 'refuse-writes', end]);
    expect(about(['db1'])).toEqual([
      'unlogged, or not',
      'home, or not',
      'table, or not',
      'note, or not',
      'refuse-writes',
      end,
    ]);
  });
  test('makes sure that one that refuses writes still does', () => {
    const { steps } = planFailover(madeUpContext([closed, ...replicas]), cause);
    expect(steps.filter(({ node }) => node === 'db1').map(({ action }) => action)).toEqual(['assert-closed']);
  });
});

describe('the new primary waits for acknowledgements', () => {
  const cause = { from: 'db1', reason: 'dead-primary' as const, lastSeen: undefined, silent: new Map() };
  const lastSeen = {
    flavor: 'mariadb' as const,
    gtids: '0-1-100',
    seenAt: 0,
    unseenMs: 0,
    isDead: true,
    rate: 0,
    semiSync: false,
  };
  const variables = { rpl_semi_sync_master_enabled: 'OFF', rpl_semi_sync_slave_enabled: 'ON' };
  const silent = { ...variables, rpl_semi_sync_slave_enabled: 'OFF' };
  const turnsOn = (mine: object, others: object, more: object = {}): boolean => {
    const surveys = [
      madeUp('db2', { source: at('db1'), variables: { ...mine } }),
      madeUp('db3', { source: at('db1'), variables: { ...others } }),
    ];
    const { steps } = planFailover(madeUpContext(surveys), { ...cause, ...more });
    return steps.some(({ sql }) => sql === 'SET GLOBAL rpl_semi_sync_master_enabled=1');
  };
  test('when a replica is set to give them, although the dead one was last seen without any, or never', () => {
    expect(turnsOn(variables, variables)).toBe(true);
    expect(turnsOn(variables, variables, { lastSeen })).toBe(true);
    expect(turnsOn(silent, variables, { lastSeen: { ...lastSeen, semiSync: true } })).toBe(true);
  });
  test('and not when nobody would give one', () => {
    expect(turnsOn(silent, silent)).toBe(false);
    expect(turnsOn(variables, silent)).toBe(false);
    expect(turnsOn(silent, silent, { lastSeen: { ...lastSeen, semiSync: true } })).toBe(false);
  });
});
