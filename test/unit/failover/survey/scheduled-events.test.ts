import { expect, test } from 'vitest';
import { readEvents } from '../../../../src/failover/survey/scheduled-events.js';

test.each([
  ['ENABLED', 'enabled'],
  ['DISABLED', 'disabled'],
  ['SLAVESIDE_DISABLED', 'replica-side-disabled'],
  ['REPLICA_SIDE_DISABLED', 'replica-side-disabled'],
])('%s is %s', (status, read) => {
  expect(readEvents([{ database: 'shop', name: 'nightly', status, originator: '7' }])).toMatchObject([
    { database: 'shop', name: 'nightly', status: read, originator: 7 },
  ]);
});
