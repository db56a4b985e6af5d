/** Replicas that follow by file and position: who may become the primary, and who may follow it. */
import { expect, test } from 'vitest';
import { chooseCandidate } from '../../../../src/failover/plan/candidate-choice.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planRejoin } from '../../../../src/failover/plan/plan-repair.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const at = (file: string, read: number, done = read): Readonly<Record<string, unknown>> => ({
  Using_Gtid: 'No',
  Master_Log_File: file,
  Read_Master_Log_Pos: read,
  Relay_Master_Log_File: file,
  Exec_Master_Log_Pos: done,
});
const replica = (node: string, status: Readonly<Record<string, unknown>>): NodeSurvey =>
  madeUp(node, { source, status, executed: '', received: '' });

const cause = { from: 'db1', reason: 'dead-primary', lastSeen: undefined, silent: new Map() } as const;

test('the one that has read the most of the log is taken, a later file before any place in an earlier one', () => {
  const surveys = [replica('db2', at('binlog.000009', 9_000)), replica('db3', at('binlog.000010', 500))];
  const wishes = { prefer: [], avoid: [], never: [] };
  expect(chooseCandidate({ surveys, wishes, isolated: new Set() }).to).toBe('db3');
});

test('in a failover a replica follows only when it stands where the new primary stands', () => {
  const [there, elsewhere] = [at('binlog.000010', 700), at('binlog.000010', 500)];
  const surveys = [replica('db2', there), replica('db3', elsewhere), replica('db4', there)];
  const { to, steps } = planFailover(madeUpContext(surveys), cause);
  expect(to).toBe('db2');
  const ids = steps.map(({ id }) => id);
  expect(ids.indexOf('assert-same@db3')).toBeGreaterThan(ids.indexOf('drain@db2'));
  expect(ids.indexOf('new-position@db2')).toBeGreaterThan(ids.indexOf('assert-same@db3'));
  expect(ids.indexOf('follow-0@db3')).toBeGreaterThan(ids.indexOf('forget-source@db2'));
  expect(steps.find(({ id }) => id === 'assert-same@db3')).toMatchObject({ spares: true });
});

test('with GTIDs nobody has to stand at the same place', () => {
  const surveys = [madeUp('db2', { source }), madeUp('db3', { source, executed: '0-1-90' })];
  const { steps } = planFailover(madeUpContext(surveys), cause);
  expect(steps.filter(({ action }) => action === 'assert-same')).toEqual([]);
});

test('in a switchover the place is told in the words that the candidate counts by, file and place', () => {
  const surveys = [madeUp('db1', { executed: '' }), replica('db2', at('binlog.000010', 700))];
  const { steps } = planSwitchover(madeUpContext(surveys), 'db1');
  expect(steps.find(({ id }) => id === 'final-position@db1')).toMatchObject({
    sql: 'SHOW MASTER STATUS',
    keep: 'file offset',
  });
  expect(steps.find(({ id }) => id === 'same-position@db1')).toMatchObject({ expect: '{file} {offset}' });
  expect(steps.find(({ id }) => id === 'follow-0@db1')?.sql).toContain('MASTER_DEMOTE_TO_SLAVE=1');
});

test('one that was left behind is told to be made anew, and not pointed anywhere', () => {
  const surveys = [madeUp('db2', { executed: '' }), replica('db3', at('binlog.000010', 500))];
  expect(planRejoin(madeUpContext(surveys), 'db3', 'db2')).toMatchObject({ kind: 'purged' });
});

test('one whose source does not have the logs that it needs any more is told to be made anew, in its own words', () => {
  const says = 'Could not find first log file name in binary log index file';
  const gone = replica('db2', {
    ...at('binlog.000003', 500),
    Slave_IO_Running: 'No',
    Last_IO_Errno: 1236,
    Last_IO_Error: says,
  });
  const context = madeUpContext([madeUp('db1'), gone]);
  expect(planRejoin(context, 'db2', 'db1')).toEqual({ kind: 'purged', says });
});

test.each(['that follows it', 'that was left behind'])(
  'what only a replica has %s is named, to be saved',
  (which) => {
    const status = { ...at('binlog.000003', 500), Slave_IO_Running: 'No', Last_IO_Errno: 1236 };
    const own = madeUp('db3', { source, status, executed: '0-1-90,0-3-91', received: '' });
    const primary = which === 'that follows it' ? 'db1' : 'db2';
    expect(planRejoin(madeUpContext([madeUp(primary), own]), 'db3', primary)).toMatchObject({
      kind: 'diverged',
      gtids: '0-3-1..91',
    });
  },
);

test('one source has one log, however its name is written', () => {
  const one = replica('db2', at('binlog.000010', 700));
  const two = madeUp('db3', {
    source: { host: 'DB1', port: 3306 },
    status: at('binlog.000010', 700),
    executed: '',
    received: '',
  });
  const wishes = { prefer: [], avoid: [], never: [] };
  expect(chooseCandidate({ surveys: [one, two], wishes, isolated: new Set() }).to).toBe('db2');
});

test('who has read more is told by the places in the log', () => {
  const behind = replica('db2', at('binlog.000003', 500));
  const other = {
    source: { host: 'db9', port: 3306 },
    status: at('binlog.000001', 4),
    executed: '',
    received: '',
  };
  const wishes = { prefer: [], avoid: [], never: ['db3', 'db4'] };
  const why = (...others: readonly NodeSurvey[]): string | undefined =>
    chooseCandidate({ surveys: [behind, ...others], wishes, isolated: new Set() }).excluded.find(
      ({ node }) => node === 'db2',
    )?.why;
  expect(why(replica('db3', at('binlog.000004', 120)))).toBe(
    'db3 has read the log of db1:3306 up to position 120 of file 4, and it up to position 500 of file 3',
  );
  expect(why(madeUp('db4', other))).toBe(
    'db4 has read the log of db9:3306 up to position 4 of file 1, and it nothing of that log',
  );
  expect(
    why(madeUp('db3', { source, status: at('binlog.000003', 501), executed: '0-1-7', received: '' })),
  ).toBe(
    'db3 has 7 transactions that it lacks (0-1-1..7), and has read the log of db1:3306 up to position 501 of file 3, and it up to position 500 of file 3',
  );
});

test('a change that was left is undone only: whoever follows the primary before stays with it, however far it has read', () => {
  const back = madeUp('db1', { executed: '', readOnly: true });
  const surveys = [back, replica('db2', at('binlog.000010', 700)), replica('db3', at('binlog.000010', 500))];
  const context = madeUpContext(surveys);
  const { to, steps } = planResume(context, { opId: 'x', kind: 'switchover', from: 'db1', to: 'db2' });
  expect(to).toBe('db1');
  const ids = steps.map(({ id }) => id);
  expect(ids).toEqual(
    expect.arrayContaining(['start-receiving@db2', 'start-receiving@db3', 'take-writes@db1']),
  );
  expect(ids.some((id) => /^(follow|assert-complete|forget-source)/.test(id))).toBe(false);
});

test('a change that has gone too far to be undone is left to a person', () => {
  const surveys = [
    madeUp('db2', { executed: '', readOnly: false }),
    replica('db3', at('binlog.000010', 500)),
    madeUp('db1', { executed: '', readOnly: true }),
  ];
  const unfinished = { opId: 'f', kind: 'failover', from: 'db1', to: 'db2', isPassed: true };
  expect(() => planResume(madeUpContext(surveys), unfinished)).toThrow(
    /Without GTIDs it can only be undone.*rebuild/,
  );
  const promoted = { opId: 'promotion', from: 'db2', to: 'db2' };
  expect(() => planResume(madeUpContext(surveys), promoted)).toThrow(/db2 was made the primary already/);
});
