import { describe, expect, test } from 'vitest';
import { commentUse, likeliestReading } from '../../../../src/mysql/classifier/reading.js';

describe('versioned comments', () => {
  test.each<[version: string, mysql: string, mariadb: string, unknown: string]>([
    ['!', 'code', 'code', 'code'],
    ['!40101', 'code', 'code', 'code'],
    ['!50699', 'code', 'code', 'code'],
    ['!50700', 'code', 'comment', 'either'],
    ['!80000', 'either', 'comment', 'either'],
    ['!99999', 'either', 'comment', 'either'],
    ['!100100', 'either', 'code', 'either'],
    ['!101100', 'either', 'either', 'either'],
    ['!120000', 'either', 'either', 'either'],
    ['!999999', 'comment', 'comment', 'comment'],
    ['M!', 'comment', 'code', 'either'],
    ['M!50700', 'comment', 'code', 'either'],
    ['M!100100', 'comment', 'code', 'either'],
    ['M!110000', 'comment', 'either', 'either'],
  ])('/*%s */ is for MySQL %s, for MariaDB %s, for who knows %s', (version, mysql, mariadb, unknown) => {
    const digits = /\d*$/.exec(version)?.[0] ?? '';
    const use = (flavor: 'mysql' | 'mariadb' | undefined): string =>
      commentUse(flavor, version.startsWith('M'), digits.length, Number(digits));
    expect([use('mysql'), use('mariadb'), use(undefined)]).toEqual([mysql, mariadb, unknown]);
  });
});

test.each(['ANSI_QUOTES', 'ANSI', 'ORACLE', 'oracle', ' POSTGRESQL ', 'MSSQL', 'DB2', 'MAXDB'])(
  'sql_mode %s makes names of double quotes',
  (mode) => {
    expect(likeliestReading({ sqlMode: ['STRICT_TRANS_TABLES', mode] })).toMatchObject({
      ansiQuotes: true,
      backslashEscapes: true,
    });
  },
);

test('an empty sql_mode is known, an absent one is not', () => {
  expect(likeliestReading({ sqlMode: [] }).ansiQuotes).toBe(false);
  expect(likeliestReading({}).ansiQuotes).toBeUndefined();
});
