import { describe, expect, test } from 'vitest';
import { chooseCandidate } from '../../../../src/failover/plan/candidate-choice.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const wishes = { prefer: [], avoid: [], never: [] };
const isolated = new Set<string>();
const replica = (node: string, more: Parameters<typeof madeUp>[1] = {}) => madeUp(node, { source, ...more });

describe('when what the replicas have is all there is', () => {
  test('the one that received the most is taken, executed or not', () => {
    const surveys = [
      replica('db2', { executed: '0-1-100' }),
      replica('db3', { executed: '0-1-90', received: '0-1-120' }),
    ];
    expect(chooseCandidate({ surveys, wishes, isolated })).toMatchObject({
      to: 'db3',
      excluded: [{ node: 'db2', why: expect.stringContaining('20 transactions') }],
    });
  });
  test('of equals the first by name, or the preferred one', () => {
    const surveys = [replica('db3'), replica('db2')];
    expect(chooseCandidate({ surveys, wishes, isolated }).to).toBe('db2');
    expect(chooseCandidate({ surveys, wishes: { ...wishes, prefer: ['db3'] }, isolated }).to).toBe('db3');
    expect(chooseCandidate({ surveys, wishes: { ...wishes, avoid: ['db2'] }, isolated }).to).toBe('db3');
  });
  test('of equals rather one that has executed it all, unless another one is preferred', () => {
    const surveys = [replica('db2', { executed: '0-1-90', received: '0-1-100' }), replica('db3')];
    expect(chooseCandidate({ surveys, wishes, isolated }).to).toBe('db3');
    expect(chooseCandidate({ surveys, wishes: { ...wishes, prefer: ['db2'] }, isolated }).to).toBe('db2');
    // A living primary gives everybody time to catch up.
    const primary = madeUp('db1');
    expect(chooseCandidate({ surveys, wishes, isolated, primary }).to).toBe('db2');
  });
  test('two histories that differ: nobody is taken', () => {
    const surveys = [
      replica('db2', { executed: '0-1-100,0-2-105' }),
      replica('db3', { executed: '0-1-110' }),
    ];
    expect(chooseCandidate({ surveys, wishes, isolated }).to).toBeUndefined();
  });
  test('a node that cannot be taken still counts with what it has', () => {
    const broken = replica('db3', {
      executed: '0-1-90',
      received: '0-1-120',
      status: { Slave_SQL_Running: 'No', Last_SQL_Errno: 1062, Last_SQL_Error: 'Duplicate entry' },
    });
    const choice = chooseCandidate({ surveys: [replica('db2'), broken], wishes, isolated });
    expect(choice.to).toBeUndefined();
    expect(choice.excluded.map(({ node }) => node).sort()).toEqual(['db2', 'db3']);
  });
});

describe('a node is not taken when', () => {
  test.each([
    ['it writes no binary log', { variables: { log_bin: 'OFF' } }, /log_bin/],
    ['it does not log what it replicates', { variables: { log_slave_updates: 'OFF' } }, /log_slave_updates/],
    ['it does not log everything', { logFilters: 'binlog_ignore_db: tmp' }, /does not log all.*tmp/],
    ['it replicates a part', { status: { Replicate_Ignore_DB: 'tmp' } }, /only a part/],
    ['it passes over errors', { variables: { slave_skip_errors: '1062' } }, /may lack rows.*1062/],
    ['it is delayed', { status: { SQL_Delay: 60 } }, /delayed/],
    [
      'its SQL thread stands before what it has received',
      { executed: '0-1-90', received: '0-1-100', status: { Slave_SQL_Running: 'No' } },
      /SQL thread is stopped.*start it/,
    ],
    ['it is newer than the others', { version: '11.8.2-MariaDB' }, /newer/],
    ['it has the server_id of another one', { variables: { server_id: '2' } }, /same server_id/],
  ] as const)('%s', (_, more, why) => {
    const { to, excluded } = chooseCandidate({
      surveys: [replica('db2'), replica('db3', more)],
      wishes,
      isolated,
    });
    expect(excluded.find(({ node }) => node === 'db3')?.why).toMatch(why);
    expect(to).not.toBe('db3');
  });
  test('an operator says so', () => {
    const surveys = [replica('db2'), replica('db3')];
    expect(chooseCandidate({ surveys, wishes: { ...wishes, never: ['db2'] }, isolated }).to).toBe('db3');
    expect(chooseCandidate({ surveys, wishes, isolated: new Set(['db2']) }).to).toBe('db3');
  });
});

test('beside a living primary a replica that is behind is fit, and one with transactions of its own is not', () => {
  const surveys = [replica('db2', { executed: '0-1-50' }), replica('db3', { executed: '0-1-60,0-3-61' })];
  const choice = chooseCandidate({ surveys, wishes, isolated, primary: madeUp('db1') });
  expect(choice).toMatchObject({
    to: 'db2',
    excluded: [{ node: 'db3', why: expect.stringContaining('lacks') }],
  });
});
