import { expect, test } from 'vitest';
import { failoverLines, mysqlLines, sessionLines } from '../../src/log-lines.js';

const UP = { id: 'db1:3306', state: 'up', role: 'primary' };
const DOWN = { id: 'db1:3306', state: 'down', failure: 'refused', error: new Error('connect ECONNREFUSED') };

function nodeChanged(before: object, after: object): unknown {
  return mysqlLines['node-changed']?.({ before, after } as never);
}

test('a node that is down is a warning with the cause and the remedy, once', () => {
  expect(nodeChanged(UP, DOWN)).toEqual([
    'warn',
    'node db1:3306 is down: start its server, or correct its address',
    { node: 'db1:3306', failure: 'refused', code: 'Error', error: 'connect ECONNREFUSED' },
  ]);
  expect(nodeChanged(DOWN, DOWN)).toBeUndefined();
});

test('a node that is back is told with its role', () => {
  expect(nodeChanged(DOWN, UP)).toEqual([
    'info',
    'node db1:3306 is up',
    { node: 'db1:3306', role: 'primary' },
  ]);
  expect(nodeChanged(UP, UP)).toBeUndefined();
});

test('a hook that failed is told without what a database answered it', () => {
  const error = Object.assign(new Error("Unknown column 'ada@example.com'"), {
    errno: 1054,
    code: 'ER_BAD_FIELD_ERROR',
  });
  expect(failoverLines['hook-failed']?.({ hook: 'onDetected', error })).toEqual([
    'error',
    'the hook onDetected failed',
    { hook: 'onDetected', code: 'ER_BAD_FIELD_ERROR', error: 'error 1054 of the server' },
  ]);
});

test('a trouble of the topology is told when it begins and when it is over, and one of them by the failover manager', () => {
  const warning = {
    code: 'replication-stopped',
    node: 'db2:3306',
    message: 'db2:3306 does not apply',
  } as const;
  const { code, node } = warning;
  expect(mysqlLines['warning-began']?.(warning)).toEqual(['warn', warning.message, { code, node }]);
  expect(mysqlLines['warning-ended']?.(warning)).toMatchObject(['info', `no longer ${code}: ${node}`, {}]);
  expect(mysqlLines['warning-began']?.({ ...warning, code: 'errant-transactions' })).toBeUndefined();
});

test('a cluster without a primary is a warning', () => {
  const line = (after: string | null): unknown =>
    mysqlLines['primary-changed']?.({ before: 'db1:3306', after, epoch: 2 } as never);
  expect(line(null)).toEqual(['warn', 'no node takes writes', { before: 'db1:3306', after: null, epoch: 2 }]);
  expect(line('db2:3306')).toMatchObject(['info', 'writes go to db2:3306', { after: 'db2:3306' }]);
});

test('a replica that is unfit is a warning with the reason', () => {
  const line = (after: object): unknown =>
    mysqlLines['replica-fitness-changed']?.({ node: 'db2:3306', before: null, after } as never);
  const reason = 'the applying thread is stopped (error 1062, a key that it has already)';
  expect(line({ fit: false, reason, lagMs: 6_000.4 })).toEqual([
    'warn',
    `replica db2:3306 is unfit for reads: ${reason}`,
    { node: 'db2:3306', lagMs: 6_000 },
  ]);
  expect(line({ fit: true, reason: '', lagMs: null })).toEqual([
    'info',
    'replica db2:3306 is fit for reads again',
    { node: 'db2:3306', lagMs: null },
  ]);
});

test('of a mount that takes nothing it is told why, without the path of a session', () => {
  const line = (after: object): unknown =>
    sessionLines['mount-changed']?.({ mount: '/srv/a', before: { phase: 'healthy' }, after } as never);
  const error = new Error("ENOSPC: no space left on device, write '/srv/a/sess_secret'");
  expect(line({ phase: 'impaired', why: 'full', error })).toEqual([
    'warn',
    'mount /srv/a is impaired (full)',
    { mount: '/srv/a', before: 'healthy', after: 'impaired', why: 'full' },
  ]);
  expect(line({ phase: 'healthy' })).toEqual([
    'info',
    'mount /srv/a is healthy',
    { mount: '/srv/a', before: 'healthy', after: 'healthy' },
  ]);
});
