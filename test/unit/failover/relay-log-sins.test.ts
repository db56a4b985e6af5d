/** The checker of sent statements can fail: what must never be done is seen. */
import { expect, test } from 'vitest';
import { relayLogSins } from '../../support/relay-log-sins.js';

const sent = (...statements: readonly string[]) =>
  statements.map((sql) => ({ app: 'a', event: 'statement', at: 0, detail: { node: 'db2', sql } }));

test.each([
  ['STOP SLAVE at once', ['STOP SLAVE']],
  ['without a look', ['STOP SLAVE IO_THREAD', 'STOP SLAVE']],
  [
    'receiving again after the look',
    ['STOP SLAVE IO_THREAD', 'SHOW ALL SLAVES STATUS', 'START SLAVE IO_THREAD', 'STOP SLAVE'],
  ],
  ['CHANGE on a running replica', ["CHANGE REPLICATION SOURCE TO SOURCE_HOST='x'"]],
])('%s is a sin', (_, statements) => {
  expect(relayLogSins(sent(...statements), () => true)).toHaveLength(1);
});

test('stopped, looked at, then thrown away is none', () => {
  const statements = sent('STOP SLAVE IO_THREAD', 'SHOW ALL SLAVES STATUS', 'STOP SLAVE', 'RESET SLAVE ALL');
  expect(relayLogSins(statements, () => true)).toEqual([]);
});

test('a start that the server refused has started nothing', () => {
  const [start] = sent('START SLAVE IO_THREAD');
  if (start === undefined) throw new Error('nothing was sent');
  const refused = { ...start, detail: { ...start.detail, outcome: 'failed' } };
  const statements = [
    ...sent('STOP SLAVE IO_THREAD', 'SHOW ALL SLAVES STATUS'),
    start,
    refused,
    ...sent("CHANGE MASTER TO MASTER_HOST='x'"),
  ];
  expect(relayLogSins(statements, () => true)).toEqual([]);
  expect(
    relayLogSins(
      statements.filter((each) => each !== refused),
      () => true,
    ),
  ).toHaveLength(1);
});
