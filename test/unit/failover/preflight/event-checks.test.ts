import { describe, expect, test } from 'vitest';
import { eventCheck } from '../../../../src/failover/preflight/event-checks.js';
import { readEvents } from '../../../../src/failover/survey/scheduled-events.js';
import { madeUp } from '../made-up-survey.js';

const row = (name: string, status: string): Record<string, unknown> => ({
  database: 'shop',
  name,
  definer: 'root@localhost',
  status,
  originator: 1,
  charset: 'utf8mb4',
  collation: 'utf8mb4_general_ci',
});

test.each([
  ['ENABLED', 'enabled'],
  ['DISABLED', 'disabled'],
  ['SLAVESIDE_DISABLED', 'replica-side-disabled'],
  ['REPLICA_SIDE_DISABLED', 'replica-side-disabled'],
])('%s is %s', (status, read) => {
  expect(readEvents([row('nightly', status)])).toMatchObject([{ name: 'nightly', status: read }]);
});

describe('scheduled events', () => {
  const check = (...statuses: readonly string[]) =>
    eventCheck(madeUp('db1'), readEvents(statuses.map((status, index) => row(`e${index}`, status))));
  test('that the server executes are a warning with their names, at most three of them', () => {
    expect(check('ENABLED', 'DISABLED')).toMatchObject({ result: 'warn', name: 'scheduled-events' });
    expect(check('ENABLED', 'DISABLED').detail).toContain('(shop.e0)');
    expect(check(...Array.from({ length: 5 }, () => 'ENABLED')).detail).toContain('shop.e2 and 2 more)');
  });
  test('that it does not execute are none', () => {
    expect(check('SLAVESIDE_DISABLED', 'DISABLED')).toMatchObject({ result: 'pass' });
    expect(check()).toMatchObject({ result: 'pass' });
  });
});
