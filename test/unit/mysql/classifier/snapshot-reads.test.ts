import { describe, expect, test } from 'vitest';
import { takesSnapshot } from '../../../../src/mysql/classifier/snapshot-reads.js';

const takes = (
  sql: string,
  flavor: 'mysql' | 'mariadb' = 'mysql',
  sqlMode: readonly string[] = [],
): boolean => takesSnapshot(sql, { flavor, sqlMode });

describe('the snapshot of a transaction', () => {
  test.each([
    'SELECT v FROM t',
    'select `v` from `shop`.`t` where id = 1',
    '(SELECT v FROM t)',
    '(SELECT 1) UNION (SELECT v FROM t)',
    'SELECT 1 UNION ALL SELECT v FROM t',
    'TABLE t',
    'VALUES ROW((SELECT v FROM t))',
    'SELECT 1 WHERE EXISTS (SELECT 1 FROM t)',
    'SELECT * FROM (SELECT v FROM t) AS d',
    'SELECT * FROM (SELECT 1) AS d, t',
    'SELECT * FROM (SELECT 1 AS a) AS d JOIN t ON t.id = d.a',
    'SELECT * FROM (dual, t)',
    'SELECT * FROM DUAL, t',
    'SELECT * FROM information_schema.tables AS i JOIN t ON i.table_name = t.name',
    'WITH x AS (SELECT v FROM t) SELECT * FROM x',
    'WITH x AS (SELECT 1) SELECT * FROM x, t',
    'WITH t AS (SELECT * FROM t) SELECT * FROM t',
    "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) AS j, t",
    'SELECT EXTRACT(YEAR FROM at) FROM t',
    'SELECT MAX(v) INTO @v FROM t',
    'SET @n = (SELECT COUNT(*) FROM t)',
    'DO (SELECT COUNT(*) FROM t)',
    'SELECT 1; SELECT v FROM t',
    'SELECT STRAIGHT_JOIN v FROM t',
    'SELECT f()',
    'SELECT shop.f(1)',
    'SELECT v FROM t # as it is',
    'SET STATEMENT max_statement_time = 1 FOR SELECT v FROM t',
  ])('is taken by %s', (sql) => {
    expect(takes(sql)).toBe(true);
  });

  test.each([
    'SELECT 1',
    'SELECT 1 FROM DUAL',
    'SELECT 1 FROM DUAL ORDER BY 1, t',
    'SELECT NOW() /* from page.js */',
    'SELECT NOW() -- from t',
    "SELECT 'from', 't', '1 from t'",
    'SELECT 1 AS `from`, 2 AS `t`',
    'SELECT EXTRACT(YEAR FROM NOW())',
    "SELECT TRIM(LEADING 'x' FROM 'xy'), SUBSTRING('abc' FROM 2 FOR 1), TRIM(@a FROM @b)",
    'SELECT * FROM (SELECT 1) AS d',
    'SELECT * FROM (VALUES ROW(1), ROW(2)) AS d (a)',
    'SELECT * FROM (WITH x AS (SELECT 1 AS a) SELECT a FROM x) AS d',
    'WITH x (a, b) AS (SELECT 1, 2) SELECT * FROM x',
    'WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 5) SELECT * FROM x',
    "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) AS j",
    'SELECT COUNT(*) FROM information_schema.tables',
    'SELECT * FROM `performance_schema`.`threads`, sys.version',
    'SELECT user FROM mysql.user',
    'VALUES ROW(1)',
    'SHOW TABLES FROM shop',
    'SHOW COLUMNS FROM t',
    'EXPLAIN SELECT * FROM t',
    'EXPLAIN TABLE t',
    'DESCRIBE t',
    'SET STATEMENT max_statement_time = 1 FOR EXPLAIN SELECT v FROM t',
    'SELECT v FROM t FOR UPDATE',
    'SELECT v FROM t LOCK IN SHARE MODE',
    'SELECT CONNECTION_ID()',
    'SELECT @@version',
    'SET @a = 1',
    'SELECT 1 /*!99999 FROM t */',
    'SELECT IS_FREE_LOCK("from")',
    '',
    ';',
    '(',
    ')) FROM t',
  ])('is not taken by %s', (sql) => {
    expect(takes(sql)).toBe(false);
  });

  test('double quotes hold a string or a name, by the mode', () => {
    expect(takes('SELECT "a" FROM "t"', 'mariadb', ['ANSI_QUOTES'])).toBe(true);
    expect(takes('SELECT "1 FROM t"')).toBe(false);
    expect(takesSnapshot("SELECT '\\' FROM t -- '", {})).toBe(false);
  });

  test('a text of any length is read once', () => {
    expect(takes(`SELECT ${'('.repeat(200_000)}`)).toBe(false);
    expect(takes(`SELECT ${'a.'.repeat(200_000)}`)).toBe(false);
    expect(takes(`WITH ${'x AS (SELECT 1),'.repeat(20_000)} y AS (SELECT 1) SELECT * FROM y`)).toBe(false);
  });
});
