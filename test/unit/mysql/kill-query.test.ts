import { expect, test } from 'vitest';
import { isSameStatement } from '../../../src/mysql/kill-query.js';

test.each([
  ['SELECT 1', 'SELECT 1', true],
  ['  SELECT 1 ;', 'SELECT 1', true],
  ['UPDATE t SET a = ? WHERE b = ?', "UPDATE t SET a = 'x' WHERE b = 7", true],
  ['UPDATE t SET a = :a', "UPDATE t SET a = 'x'", true],
  ['SELECT 1; DELETE FROM t', 'DELETE FROM t', true],
  ["SELECT 'ä€'", "SELECT '??'", true],
  ['SELECT\n  *\nFROM t', 'SELECT\n  *\nFROM t', true],
  ['SELECT 1', 'SELECT 2', false],
  ['DELETE FROM a', 'DELETE FROM b', false],
  ['SELECT 1', '', false],
  ['', 'SELECT 1', false],
] as const)('%j as %j: %s', (sql, info, same) => {
  expect(isSameStatement(sql, info)).toBe(same);
});
