import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sqlDigest } from '../../../src/diagnostics/sql-digest.js';

test.each([
  [
    "SELECT * FROM users WHERE email = 'ada@example.com' AND age > 41",
    'SELECT * FROM users WHERE email = ? AND age > ?',
  ],
  ['SELECT `odd ``name` FROM t1 WHERE a = "x""y"', 'SELECT `odd ``name` FROM t1 WHERE a = ?'],
  ['INSERT INTO t VALUES (1, 2.5, -3e7, 0x1F, NULL)', 'INSERT INTO t VALUES (?, …, -?, …, NULL)'],
  ["SELECT x'4D79', b'101', N'abc', _utf8'abc'", 'SELECT x?, b?, N?, _utf8?'],
  ['SELECT /* token=secret */ 1 -- password', 'SELECT ?'],
  ['SELECT 1 # password\n FROM t', 'SELECT ? FROM t'],
  // Two dashes are a comment before white space, control characters and the end only.
  ["SELECT 1--'x\nsecret'", 'SELECT ?--?'],
  ["UPDATE t SET a = b--5, c = 'one\nsecret'", 'UPDATE t SET a = b--?, c = ?'],
  ["SELECT 1--\u00a0'x\nsecret'", 'SELECT ?-- ?'],
  ['SELECT 1--', 'SELECT ?'],
  ["SELECT 1 --\tit's\n, b", 'SELECT ? , b'],
  // Some servers read what stands in there, and others do not.
  ["SELECT /*!50000 'a*/secret' */", 'SELECT'],
  ["SELECT /*!99999 it's */ 'secret' */", 'SELECT'],
  ["SELECT /*M!100100 'a*/secret' */", 'SELECT'],
  ['SELECT /*!50000 a /*!50000 b */ c */ d', 'SELECT'],
  ['/*!40101 SET NAMES utf8mb4 */ ; SELECT 1', 'SET NAMES utf8mb4 ; SELECT ?'],
  ["SELECT 'unfinished AND password = secret", 'SELECT ?'],
  ['SELECT @session_var, :name, ? FROM shop.cart', 'SELECT @session_var, :name, ? FROM shop.cart'],
  [
    'CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $js$ secret $js$',
    'CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS ?',
  ],
  ['SELECT $$secret', 'SELECT ?'],
  // Whether the string ends there depends on the server's sql_mode.
  [String.raw`SELECT 'a\', 'secret', b`, 'SELECT ?'],
  [String.raw`SELECT 'a\\', 'secret'`, 'SELECT ?'],
])('%s', (sql, digest) => {
  expect(sqlDigest(sql)).toBe(digest);
});

test('it is short, and on one line', () => {
  const digest = sqlDigest(`SELECT ${'column_name, '.repeat(100)}\n x`);
  expect(digest.length).toBeLessThanOrEqual(160);
  expect(digest).not.toContain('\n');
});

test('what stands in quotes is never shown, in either sql_mode', () => {
  const secret = 'S3CRETWORD';
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("'", '"', '\\', ' ', 'a', ',', '`', '1')),
      fc.constantFrom("'", '"'),
      (before, quote) => {
        const text = before.join('').replaceAll(quote, quote + quote);
        // The way that clients write a value: quotes doubled, backslashes doubled (or, in the other mode, not).
        for (const value of [text.replaceAll('\\', '\\\\'), text]) {
          expect(sqlDigest(`SELECT ${quote}${value}${quote}, ${quote}${secret}${quote}`)).not.toContain(
            secret,
          );
        }
      },
    ),
  );
});
