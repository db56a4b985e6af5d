import { expect, test } from 'vitest';
import { nodeChecks } from '../../../../src/failover/preflight/server-checks.js';
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
