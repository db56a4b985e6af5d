import { expect, test } from 'vitest';
import { holdsRawSql } from '../../../src/mysql/raw-values.js';
import { SqlText } from '../../../src/mysql/sql-text.js';
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

const text = new SqlText({});

test('a value that is SQL counts for where the statement may run', () => {
  const values = [raw('id FROM item FOR UPDATE')] as never;
  expect(readStatement('query', 'SELECT ?', values, text).sql).toBe('SELECT id FROM item FOR UPDATE');
  expect(readStatement('query', { sql: 'SELECT ?', values } as never, undefined, text).sql).toBe(
    'SELECT id FROM item FOR UPDATE',
  );
  expect(readStatement('query', 'SELECT ?', ['id FROM item FOR UPDATE']).sql).toBe('SELECT ?');
});
