import { expect, test } from 'vitest';
import { isStormlampError } from '../../../src/common/stormlamp-error.js';
import { SqlText } from '../../../src/mysql/sql-text.js';
import {
  readStatement,
  readStatementCall,
  type StatementOptions,
  type StatementValues,
} from '../../../src/mysql/statement.js';

const text = new SqlText({});

test('values of a query are in the text from the call on, and those of execute are a copy', () => {
  for (const values of [[1, ['a', ['b']]], { x: 1 }, 7] as unknown as StatementValues[]) {
    const statement = readStatement('query', 'SELECT ?', values, text);
    const sent = text.format('SELECT ?', values);
    expect(statement).toEqual({ mode: 'query', sql: 'SELECT ?', form: sent, values: [], limits: undefined });
    const options = { sql: 'SELECT ?', values } as StatementOptions;
    expect(readStatement('query', options, undefined, text).form).toEqual({ sql: sent, values: [] });
  }
  const given = ['a'];
  const byName = { a: 1 };
  const late = readStatement('query', 'SELECT ?', given, text);
  const prepared = readStatement('execute', 'SELECT ?', given, text);
  const named = readStatement('execute', { sql: 'SELECT :a', values: byName }, undefined, text);
  given[0] = 'b';
  byName.a = 2;
  expect([late.form, prepared.values, named.values]).toEqual(["SELECT 'a'", ['a'], { a: 1 }]);
  const rewriting = new SqlText({ queryFormat: (sql: string) => sql.toLowerCase() } as never);
  expect(readStatement('query', 'SELECT ?', ['a'], rewriting)).toMatchObject({
    sql: 'select ?',
    form: 'SELECT ?',
    values: ['a'],
  });
});

test('names are put in once: what looks like one in a value stays', () => {
  const options = { sql: 'SELECT :a, :b', namedPlaceholders: true };
  const { form, values } = readStatement('query', options, { a: ':b ?', b: 2 } as never, text);
  expect(form).toMatchObject({ sql: "SELECT ':b ?', 2" });
  expect(values).toEqual([]);
});

test('an options object keeps the names of the driver and loses ours', () => {
  const { signal } = new AbortController();
  const statement = readStatement(
    'execute',
    { sql: 'SELECT 1', rowsAsArray: true, timeout: 50, timeoutMs: 9, signal },
    undefined,
  );
  expect(statement.form).toEqual({ sql: 'SELECT 1', rowsAsArray: true, timeout: 50 });
  expect(statement.limits).toEqual({ timeoutMs: 9, signal });
});

test.each([
  [3e9, 2_147_483_647],
  [Number.POSITIVE_INFINITY, 2_147_483_647],
  [2_147_483_647, 2_147_483_647],
  [0, 0],
  [undefined, undefined],
])('a timeout of %s is one that a timer can wait', (timeout, expected) => {
  const { form } = readStatement('query', { sql: 'SELECT 1', timeout: timeout as number }, undefined);
  expect(form).toEqual({ sql: 'SELECT 1', timeout: expected });
});

test('an options object is not changed', () => {
  const options = Object.freeze({ sql: 'SELECT 1', timeoutMs: 9 });
  readStatement('query', options, undefined);
  expect(options).toEqual({ sql: 'SELECT 1', timeoutMs: 9 });
});

test.each([[undefined], [null], [7], [{}], [{ sql: 7 }]])('%j is not a statement', (sql) => {
  expect(() => readStatement('query', sql as never, undefined)).toThrow(/Expected `sql/);
});

test('a callback in the promise form is refused with the place that takes one', () => {
  const call = (): unknown => readStatement('query', 'SELECT 1', (() => 0) as never);
  expect(call).toThrow(/callbackPool\(\)/);
  try {
    call();
  } catch (error) {
    expect(isStormlampError(error, 'ERR_UNSUPPORTED')).toBe(true);
  }
});

test('the callback form takes the callback second or third', () => {
  const callback = (): void => undefined;
  expect(readStatementCall('query', 'SELECT 1', callback, undefined)).toMatchObject({
    statement: { sql: 'SELECT 1', values: undefined },
    callback,
  });
  expect(readStatementCall('query', { sql: 'SELECT ?' }, [1], callback)).toMatchObject({
    statement: { sql: 'SELECT ?', values: [1] },
    callback,
  });
  expect(readStatementCall('query', 'SELECT 1', undefined, undefined).callback).toBeUndefined();
});

test.each(['timeoutms', 'timeout_ms', 'TimeoutMs', 'Signal'])(
  'a limit that is misspelt (%s) is refused',
  (name) => {
    expect(() => readStatement('query', { sql: 'SELECT 1', [name]: 5 } as never, undefined)).toThrow(
      `Unknown option \`sql.${name}\`; did you mean`,
    );
  },
);

test('names of mysql2 and of libraries above it pass', () => {
  const options = { sql: 'SELECT 1', timeout: 5, rowsAsArray: true, logging: false } as never;
  expect(readStatement('query', options, undefined).form).toEqual(options);
});
