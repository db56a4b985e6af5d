import fc from 'fast-check';
import { expect, test } from 'vitest';
import { querySummary } from '../../../src/diagnostics/query-summary.js';
import { sqlDigest } from '../../../src/diagnostics/sql-digest.js';

const summaryOf = (sql: string): string | undefined => querySummary(sqlDigest(sql, 2_000));

test.each([
  ['SELECT * FROM cart WHERE owner = ?', 'SELECT cart'],
  ['select 1', 'select'],
  ['SELECT * FROM songs, artists AS a WHERE songs.a = a.id', 'SELECT songs artists'],
  ['SELECT * FROM shop.cart c LEFT JOIN `odd ``name` o ON c.id = o.id', 'SELECT shop.cart `odd ``name`'],
  [
    'SELECT d FROM (SELECT * FROM orders o JOIN customers c ON o.c = c.id) x',
    'SELECT SELECT orders customers',
  ],
  ['SELECT * FROM (a CROSS JOIN b), c', 'SELECT a b c'],
  ['SELECT id FROM a WHERE id IN (SELECT a FROM b) ORDER BY x, y', 'SELECT a SELECT b'],
  ['(SELECT 1 FROM a) UNION (SELECT 2 FROM b)', 'SELECT a SELECT b'],
  ["SELECT TRIM('x' FROM name), EXTRACT(YEAR FROM made) FROM cart FOR UPDATE", 'SELECT cart'],
  ["SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) j", 'SELECT'],
  ['SELECT name INTO @x FROM cart', 'SELECT cart'],
  ['INSERT INTO orders (id) SELECT id FROM cart', 'INSERT orders SELECT cart'],
  ['INSERT INTO cart (a, b) VALUES (1, 2) ON DUPLICATE KEY UPDATE a = 3', 'INSERT cart'],
  ['INSERT IGNORE cart VALUES (1)', 'INSERT cart'],
  ['REPLACE INTO cart SET a = REPLACE(b, 1, 2)', 'REPLACE cart'],
  ['UPDATE LOW_PRIORITY cart, user SET cart.a = 1, user.b = 2', 'UPDATE cart user'],
  ['UPDATE a JOIN b ON a.x = b.x SET a.y = 1', 'UPDATE a b'],
  ['DELETE FROM cart WHERE id IN (SELECT id FROM old)', 'DELETE cart SELECT old'],
  ['WITH x AS (SELECT * FROM cart) DELETE FROM y WHERE 1', 'SELECT cart DELETE y'],
  ['EXPLAIN UPDATE cart SET a = 1', 'EXPLAIN UPDATE cart'],
  ['CALL fill_cart(1, 2)', 'CALL fill_cart'],
  ['CREATE TABLE IF NOT EXISTS cart (id INT)', 'CREATE TABLE cart'],
  ['CREATE TEMPORARY TABLE t AS SELECT * FROM cart', 'CREATE TABLE t SELECT cart'],
  ['CREATE PROCEDURE p() BEGIN DELETE FROM cart; END', 'CREATE PROCEDURE p'],
  ['ALTER TABLE cart ADD COLUMN x INT', 'ALTER TABLE cart'],
  ['TRUNCATE TABLE cart', 'TRUNCATE cart'],
  ["LOAD DATA LOCAL INFILE 'secret' INTO TABLE cart", 'LOAD TABLE cart'],
  ['START TRANSACTION READ ONLY', 'START'],
  ["SET PASSWORD = 'secret'", 'SET'],
  ['SHOW TABLES FROM shop', 'SHOW'],
  ['UPDATE a SET x = 1; DELETE FROM b', 'UPDATE a DELETE b'],
])('%s', (sql, summary) => {
  expect(summaryOf(sql)).toBe(summary);
});

test.each(['', 'hunter2', '/* never ends', '?', ';;'])('%j has none', (sql) => {
  expect(summaryOf(sql)).toBeUndefined();
});

test('it is at most 255 characters, and ends behind a name', () => {
  const tables = Array.from({ length: 100 }, (_, n) => `some_table_${n}`);
  const summary = summaryOf(`SELECT * FROM ${tables.join(', ')}`) ?? '';
  expect(summary.length).toBeLessThanOrEqual(255);
  expect(summary.split(' ').slice(1)).toEqual(tables.slice(0, summary.split(' ').length - 1));
  // A digest that was cut off within a name.
  expect(querySummary(sqlDigest(`SELECT * FROM cart, ${'x'.repeat(300)}`))).toBe('SELECT cart');
});

test('no value gets into it, and any text is read in linear time', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const quoted = text.replaceAll('\\', '\\\\').replaceAll("'", "''");
      expect(summaryOf(`SELECT 'S3CRET', '${quoted} FROM S3CRET' FROM t`) ?? '').not.toContain('S3CRET');
    }),
  );
  expect(querySummary('('.repeat(200_000))).toBeUndefined();
  expect(querySummary('SELECT a FROM '.repeat(20_000))?.length).toBeLessThanOrEqual(255);
});
