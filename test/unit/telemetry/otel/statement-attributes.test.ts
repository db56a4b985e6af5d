import { expect, test } from 'vitest';
import { operationOf } from '../../../../src/telemetry/otel/statement-attributes.js';

test.each([
  ['SELECT 1', 'SELECT'],
  ['  (select 1) union (select 2)', 'SELECT'],
  ['/* trace */ /* two */ insert into t values (1)', 'INSERT'],
  ['WITH x AS (SELECT 1) SELECT * FROM x', 'WITH'],
  ['START TRANSACTION READ ONLY', 'START'],
  ['hunter2', '_OTHER'],
  ['', '_OTHER'],
  ['/* never ends', '_OTHER'],
])('%j is %s', (sql, operation) => {
  expect(operationOf(sql)).toBe(operation);
});

test('a long comment takes no time', () => {
  expect(operationOf(`${'/*'.repeat(100_000)} SELECT 1`)).toBe('_OTHER');
});
