import { expect, test } from 'vitest';
import { historyAt } from '../../../../src/failover/rebuild/dump-rebuild.js';

test.each([
  [
    'a former primary is remembered, the last transaction of a domain comes last',
    '0-1-50,0-2-80',
    '0-2-90',
    '0-1-50,0-2-90',
  ],
  ['whatever the order was', '0-2-80,0-1-50,1-7-3', '0-2-90,1-8-4', '0-1-50,1-7-3,0-2-90,1-8-4'],
  ['a server without a history', '', '0-1-5', '0-1-5'],
  ['nothing was written yet', '', '', ''],
])('%s', (_, history, position, at) => {
  expect(historyAt(history, position)).toBe(at);
});
