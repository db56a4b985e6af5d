import { expect, test } from 'vitest';
import { sqlModeTold } from '../../../src/mysql/sql-mode.js';

const telling = (mode: unknown): unknown => ({ stateChanges: { systemVariables: { sql_mode: mode } } });

test('equal modes are the same string, however they came', () => {
  const [one, other] = ['ANSI', Buffer.from('ANSI').toString()];
  expect(Object.is(sqlModeTold(telling(one)), sqlModeTold(telling(other)))).toBe(true);
  expect(sqlModeTold(telling(''))).toBe('');
});

test.each([
  [undefined],
  [null],
  [[]],
  [[{}, {}]],
  [{}],
  [{ stateChanges: null }],
  [{ stateChanges: {} }],
  [telling(5)],
])('%j tells none', (answer) => {
  expect(sqlModeTold(answer)).toBeUndefined();
});
