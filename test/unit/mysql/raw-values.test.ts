import { expect, test } from 'vitest';
import { holdsRawSql } from '../../../src/mysql/raw-values.js';
import { readStatement } from '../../../src/mysql/statement.js';

const raw = (sql: string) => ({ toSqlString: () => sql });

test.each([
  [[raw('NOW()')], true],
  [[[1, raw('NOW()')]], true],
  [{ a: raw('NOW()') }, true],
  [raw('NOW()'), true],
  [[1, 'a', null, undefined, new Date(), Buffer.from('x'), { a: 1 }, [1, [2]]], false],
  ['text', false],
  [undefined, false],
])('%j holds SQL: %s', (values, expected) => {
  expect(holdsRawSql(values)).toBe(expected);
});

test('a value that is SQL counts for where the statement may run', () => {
  const values = [raw('id FROM item FOR UPDATE')] as never;
  expect(readStatement('query', 'SELECT ?', values).sql).toBe('SELECT id FROM item FOR UPDATE');
  expect(readStatement('query', { sql: 'SELECT ?', values } as never, undefined).sql).toBe(
    'SELECT id FROM item FOR UPDATE',
  );
  expect(readStatement('query', 'SELECT ?', ['id FROM item FOR UPDATE']).sql).toBe('SELECT ?');
});
