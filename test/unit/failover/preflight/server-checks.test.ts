import { expect, test } from 'vitest';
import { nodeChecks } from '../../../../src/failover/preflight/server-checks.js';
import { madeUp } from '../made-up-survey.js';

test.each([
  [60, 'warn'],
  [6, 'warn'],
  [4, 'pass'],
  [2, 'pass'],
  [1, 'warn'],
] as const)('slave_net_timeout of %i s: %s', (seconds, result) => {
  const source = { host: 'db1', port: 3306 };
  const variables = { slave_net_timeout: String(seconds) };
  const checks = nodeChecks(madeUp('db2', { source, variables }), () => 'db1');
  const check = checks.find(({ name }) => name === 'notices-silence');
  expect(check).toMatchObject({ result, node: 'db2' });
  if (result === 'warn') expect(check?.detail).toContain(`slave_net_timeout is ${seconds}; set it to`);
});

test('a replica that takes writes is a reason not to start', () => {
  const survey = madeUp('db2', { source: { host: 'db1', port: 3306 }, readOnly: false });
  const failed = nodeChecks(survey, () => 'db1').filter(({ result }) => result === 'fail');
  expect(failed.map(({ name }) => name)).toEqual(['replica-refuses-writes']);
});
