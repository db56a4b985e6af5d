import { describe, expect, test } from 'vitest';
import { chooseCandidate } from '../../../../src/failover/plan/candidate-choice.js';
import type { TransactionSet } from '../../../../src/failover/survey/transaction-set.js';
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
  test('of equals rather one in the zone of the primary that it replaces, unless another one is preferred', () => {
    const surveys = [replica('db2'), replica('db3', { executed: '0-1-90', received: '0-1-100' })];
    const zones = new Map([
      ['db1', 'north'],
      ['db2', 'south'],
      ['db3', 'north'],
    ]);
    expect(chooseCandidate({ surveys, wishes, isolated, zones, from: 'db1' }).to).toBe('db3');
    const prefer = { ...wishes, prefer: ['db2'] };
    expect(chooseCandidate({ surveys, wishes: prefer, isolated, zones, from: 'db1' }).to).toBe('db2');
    // It never costs a transaction.
    const ahead = [replica('db2', { executed: '0-1-101' }), replica('db3')];
    expect(chooseCandidate({ surveys: ahead, wishes, isolated, zones, from: 'db1' }).to).toBe('db2');
    // Without a zone of the primary none is nearer.
    zones.delete('db1');
    expect(chooseCandidate({ surveys, wishes, isolated, zones, from: 'db1' }).to).toBe('db2');
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

describe('transactions that one replica has alone', () => {
  const mine = (origin: string, last: bigint): TransactionSet => new Map([[origin, [[1n, last] as const]]]);
  const own = mine('0-2', 90n);
  const none: TransactionSet = new Map();
  const surveys = [replica('db2', { executed: '0-2-90,0-1-100' }), replica('db3')];
  const errant = new Map([['db2', { errant: own, doubtful: none }]]);
  const doubtful = new Map([['db2', { errant: none, doubtful: own }]]);
  const choose = (more: object) => chooseCandidate({ surveys, wishes, isolated, ...more });

  test('count for nothing where no primary wrote them, whatever else is said of that replica', () => {
    expect(choose({ unshared: errant })).toMatchObject({
      to: 'db3',
      excluded: [{ node: 'db2', why: expect.stringMatching(/of its own \(0-2-1\.\.90\)/) }],
      ways: [],
    });
    expect(choose({ unshared: errant, wishes: { ...wishes, never: ['db2'] } }).to).toBe('db3');
    expect(choose({ unshared: errant, isolated: new Set(['db2']) }).to).toBe('db3');
    expect(choose({ unshared: errant, wishes: { ...wishes, prefer: ['db2'] } }).to).toBe('db3');
    // Somebody else has everything and is clean: there is no need.
    expect(choose({ unshared: errant, wanted: 'db2', insists: true }).to).toBeUndefined();
  });
  test("make a replica the primary only by a person's word, and where no other can be taken", () => {
    const last = { unshared: errant, wishes: { ...wishes, never: ['db3'] } };
    expect(choose(last)).toMatchObject({ to: undefined, ways: [expect.stringContaining("{ to: 'db2' }")] });
    // Whom an earlier look has chosen is not named by a person.
    expect(choose({ ...last, wanted: 'db2' }).to).toBeUndefined();
    expect(choose({ ...last, wanted: 'db2', insists: true }).to).toBe('db2');
  });
  test('an ANALYZE TABLE on each of them: whichever a person names', () => {
    const both = [surveys[0] ?? replica('db2'), replica('db3', { executed: '0-3-91,0-1-100' })];
    const each = new Map([...errant, ['db3', { errant: mine('0-3', 91n), doubtful: none }]]);
    const of = (more: object) =>
      chooseCandidate({ surveys: both, wishes, isolated, unshared: each, ...more });
    expect(of({})).toMatchObject({ to: undefined, ways: [expect.anything(), expect.anything()] });
    expect(of({ wanted: 'db3', insists: true }).to).toBe('db3');
  });
  test('of which nobody can tell: neither they nor what others lack is decided by itself', () => {
    const { to, excluded, ways } = choose({ unshared: doubtful });
    expect(to).toBeUndefined();
    expect(excluded).toMatchObject([
      { node: 'db3', why: expect.stringMatching(/db2 has .*0-2-1\.\.90.*nobody can tell/) },
      { node: 'db2', why: expect.stringMatching(/only it has.*nobody can tell/) },
    ]);
    expect(ways).toEqual([
      expect.stringContaining("failover({ to: 'db3', acceptLoss: true })"),
      expect.stringContaining("failover({ to: 'db2' })"),
    ]);
    expect(choose({ unshared: doubtful, wanted: 'db2', insists: true }).to).toBe('db2');
    expect(choose({ unshared: doubtful, wanted: 'db3', insists: true }).to).toBeUndefined();
    expect(choose({ unshared: doubtful, wanted: 'db3', insists: true, acceptsLoss: true }).to).toBe('db3');
    // Of what was chosen before, nobody has accepted anything.
    expect(choose({ unshared: doubtful, wanted: 'db3', acceptsLoss: true }).to).toBeUndefined();
  });
  test('who accepts the loss names a node that is fit otherwise', () => {
    const never = { ...wishes, never: ['db3'] };
    expect(choose({ wishes: never, wanted: 'db3', insists: true, acceptsLoss: true }).to).toBeUndefined();
    expect(choose({ wishes: never }).ways).toEqual([]);
  });
});
