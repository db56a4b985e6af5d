import { describe, expect, test } from 'vitest';
import type { MaxLoss } from '../../../../src/failover/acting-options.js';
import { clusterChecks, nodeChecks } from '../../../../src/failover/preflight/server-checks.js';
import { madeUp } from '../made-up-survey.js';

test.each([
  ['10.11.14-MariaDB', 'slave_net_timeout', 60, 'warn'],
  ['10.11.14-MariaDB', 'slave_net_timeout', 10, 'pass'],
  ['10.11.14-MariaDB', 'slave_net_timeout', 2, 'pass'],
  ['10.11.14-MariaDB', 'slave_net_timeout', 1, 'warn'],
  ['9.7.0', 'replica_net_timeout', 60, 'warn'],
  ['9.7.0', 'replica_net_timeout', 20, 'pass'],
  ['9.7.0', 'replica_net_timeout', 8, 'pass'],
  ['9.7.0', 'replica_net_timeout', 4, 'warn'],
] as const)('%s, %s of %i s: %s', (version, name, seconds, result) => {
  const source = { host: 'db1', port: 3306 };
  const checks = nodeChecks(
    madeUp('db2', { version, source, variables: { [name]: String(seconds) } }),
    () => 'db1',
  );
  const check = checks.find((each) => each.name === 'notices-silence');
  expect(check).toMatchObject({ result, node: 'db2' });
  if (result === 'warn') expect(check?.detail).toContain(`${name} is ${seconds}; set it to`);
});

test('a replica that takes writes is a reason not to start', () => {
  const survey = madeUp('db2', { source: { host: 'db1', port: 3306 }, readOnly: false });
  const failed = nodeChecks(survey, () => 'db1').filter(({ result }) => result === 'fail');
  expect(failed.map(({ name }) => name)).toEqual(['replica-refuses-writes']);
});

test.each<[string, string, string, Readonly<Record<string, unknown>>, Readonly<Record<string, string>>]>([
  ['connects-again', 'pass', '10.11.14-MariaDB', { Connect_Retry: 10 }, {}],
  ['connects-again', 'warn', '10.11.14-MariaDB', { Connect_Retry: 60 }, {}],
  ['never-tires', 'pass', '9.7.0', { Connect_Retry: 1, Source_Retry_Count: 86_400 }, {}],
  // What MySQL 8.4 and later begin with.
  ['never-tires', 'warn', '9.7.0', { Connect_Retry: 60, Source_Retry_Count: 10 }, {}],
  ['never-tires', 'pass', '10.11.14-MariaDB', { Connect_Retry: 1 }, {}],
  ['purges-relay-log', 'pass', '10.11.14-MariaDB', {}, { relay_log_purge: 'ON' }],
  ['purges-relay-log', 'warn', '10.11.14-MariaDB', {}, { relay_log_purge: 'OFF' }],
  [
    'commits-in-order',
    'pass',
    '9.7.0',
    {},
    { replica_parallel_workers: '4', replica_preserve_commit_order: 'ON' },
  ],
  [
    'commits-in-order',
    'warn',
    '8.0.21',
    {},
    { slave_parallel_workers: '4', slave_preserve_commit_order: 'OFF' },
  ],
  [
    'commits-in-order',
    'pass',
    '8.0.21',
    {},
    { slave_parallel_workers: '1', slave_preserve_commit_order: 'OFF' },
  ],
])('%s: %s (%s, %o, %o)', (name, result, version, status, variables) => {
  const source = { host: 'db1', port: 3306 };
  const checks = nodeChecks(madeUp('db2', { version, source, status, variables }), () => 'db1');
  expect(checks.find((each) => each.name === name)).toMatchObject({ result, node: 'db2' });
});

describe('a primary that stops waiting when too few replicas are connected', () => {
  const of = (variables: Readonly<Record<string, string>>, version = '10.11.14-MariaDB') => {
    const survey = madeUp('db1', { version, variables });
    const found = [...nodeChecks(survey, () => undefined), ...clusterChecks([survey], 'none')];
    return found.filter(({ name }) => name === 'waits-alone' || name === 'loss-provable');
  };
  const mariadb = {
    rpl_semi_sync_master_enabled: 'ON',
    rpl_semi_sync_master_wait_point: 'AFTER_SYNC',
    rpl_semi_sync_master_wait_no_slave: 'OFF',
  };
  const mysql = {
    rpl_semi_sync_source_enabled: 'ON',
    rpl_semi_sync_source_wait_point: 'AFTER_SYNC',
    rpl_semi_sync_source_wait_no_replica: 'OFF',
  };
  test.each([
    ['10.11.14-MariaDB', mariadb, 'SET GLOBAL rpl_semi_sync_master_wait_no_slave=1'],
    ['9.7.0', mysql, 'SET GLOBAL rpl_semi_sync_source_wait_no_replica=1'],
  ])('%s: is named with what mends it, and proves nothing', (version, variables, remedy) => {
    expect(of(variables, version)).toMatchObject([
      { name: 'waits-alone', node: 'db1', result: 'warn', detail: expect.stringContaining(remedy) },
      { name: 'loss-provable', node: null, result: 'fail', detail: expect.stringContaining(remedy) },
    ]);
  });
  test.each([
    ['it waits', { ...mariadb, rpl_semi_sync_master_wait_no_slave: 'ON' }, ['pass', 'pass']],
    ['replication is asynchronous', { ...mariadb, rpl_semi_sync_master_enabled: 'OFF' }, ['pass', 'fail']],
    [
      'it may be the primary later',
      { ...mariadb, rpl_semi_sync_master_enabled: 'OFF', rpl_semi_sync_slave_enabled: 'ON' },
      ['warn', 'fail'],
    ],
    ['there is no semi-synchronous replication', {}, ['pass', 'fail']],
  ])('and when %s', (_, variables, results) => {
    expect(of(variables).map(({ result }) => result)).toEqual(results);
  });
});

test('semi-synchronous replication that a change has left off is no reason not to start', () => {
  const variables = { rpl_semi_sync_master_enabled: 'OFF', rpl_semi_sync_slave_enabled: 'ON' };
  const of = (owing: readonly string[]) =>
    clusterChecks([madeUp('db2', { variables })], 'none', new Set(owing)).filter(
      ({ name }) => name === 'loss-provable',
    );
  expect(of([])).toMatchObject([{ result: 'fail' }]);
  expect(of(['db2'])).toMatchObject([
    {
      result: 'warn',
      detail: expect.stringContaining('a change has left semi-synchronous replication off on db2'),
    },
  ]);
});

describe('of servers that could not be looked at', () => {
  const resultsOf = (
    ...[surveys, maxLoss, unseen]: [Parameters<typeof clusterChecks>[0], MaxLoss, string[]]
  ) =>
    Object.fromEntries(
      clusterChecks(surveys, maxLoss, new Set(), unseen).map(({ name, result }) => [name, result]),
    );
  const replica = madeUp('db2', { source: { host: 'db1', port: 3306 }, readOnly: true });

  test('nobody says that they are as they should be', () => {
    const unknown = { 'different-server-ids': 'skip', 'different-uuids': 'skip', 'one-flavor': 'skip' };
    expect(resultsOf([], 'none', ['db1', 'db2'])).toEqual({ ...unknown, 'loss-provable': 'skip' });
    expect(resultsOf([replica], 'none', ['db1'])).toEqual({ ...unknown, 'loss-provable': 'skip' });
    expect(resultsOf([replica], 'any', ['db1'])).toEqual({ ...unknown, 'loss-provable': 'pass' });
    const [ids] = clusterChecks([], 'none', new Set(), ['db1', 'db2']);
    expect(ids?.detail).toBe('not known: db1 and db2 could not be looked at');
  });

  test('what is wrong with the others is told all the same', () => {
    const twin = (node: string) => madeUp(node, { variables: { server_id: '7' } });
    expect(resultsOf([twin('db1'), twin('db2')], 'any', ['db3'])).toMatchObject({
      'different-server-ids': 'fail',
      'one-flavor': 'skip',
    });
  });

  test('where nobody takes writes none shows what a primary waits for', () => {
    expect(resultsOf([replica], 'none', [])).toMatchObject({ 'one-flavor': 'pass', 'loss-provable': 'skip' });
  });
});
