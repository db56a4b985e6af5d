/** Where tokens begin and end, as the servers' own lexers have it. */
import { expect, test } from 'vitest';
import { likeliestReading } from '../../../../src/mysql/classifier/reading.js';
import { Notice, StatementLexer, Token } from '../../../../src/mysql/classifier/statement-lexer.js';

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(Token).map(([name, kind]) => [kind, name]));

/** Every token as `KIND text`. */
function tokens(sql: string, sqlMode: readonly string[] = []): string[] {
  const lexer = new StatementLexer(sql, likeliestReading({ sqlMode }));
  const found: string[] = [];
  for (let kind = lexer.next(); kind !== Token.END; kind = lexer.next()) {
    found.push(`${NAMES.get(kind)} ${sql.slice(lexer.start, lexer.end)}`);
  }
  return found;
}

function notices(sql: string): number {
  const lexer = new StatementLexer(sql, likeliestReading({ sqlMode: [] }));
  while (lexer.next() !== Token.END);
  return lexer.notices;
}

test.each<[sql: string, expected: readonly string[]]>([
  ['a1$_ é', ['WORD a1$_', 'WORD é']],
  ['1a 1e 1ex 0x1g 0b12 0X1', ['WORD 1a', 'WORD 1e', 'WORD 1ex', 'WORD 0x1g', 'WORD 0b12', 'WORD 0X1']],
  [
    '1 1. 1.5 .5 1e5 1.5e+3 1e-3',
    ['1', '1.', '1.5', '.5', '1e5', '1.5e+3', '1e-3'].map((n) => `NUMBER ${n}`),
  ],
  ['0x1F 0b01', ['NUMBER 0x1F', 'NUMBER 0b01']],
  ['1e5for 1.5for .5for 1.for', ['1e5', '1.5', '.5', '1.'].flatMap((n) => [`NUMBER ${n}`, 'WORD for'])],
  ['t.for', ['WORD t', 'PUNCTUATION .', 'NAME for']],
  ['t.1e5for', ['WORD t', 'PUNCTUATION .', 'NAME 1e5for']],
  ['t . for', ['WORD t', 'PUNCTUATION .', 'WORD for']],
  ['t .for', ['WORD t', 'PUNCTUATION .', 'NAME for']],
  ['`t`.5for', ['NAME `t`', 'NUMBER .5', 'WORD for']],
  ['t .5for', ['WORD t', 'NUMBER .5', 'WORD for']],
  ['`a``b`.`c`', ['NAME `a``b`', 'PUNCTUATION .', 'NAME `c`']],
  ["'a''b' 'c\\'d'", ["STRING 'a''b'", "STRING 'c\\'d'"]],
  ["'a\\\\' 'b'", ["STRING 'a\\\\'", "STRING 'b'"]],
  ['"a""b" "c\\"d"', ['STRING "a""b"', 'STRING "c\\"d"']],
  ['@a @a.b @`x y` @\'x\' @"y"', ['@a', '@a.b', '@`x y`', "@'x'", '@"y"'].map((v) => `USER_VARIABLE ${v}`)],
  ['@a:=1', ['USER_VARIABLE @a', 'ASSIGN :=', 'NUMBER 1']],
  ['@@a @@session.b @@`c`.d', ['@@a', '@@session.b', '@@`c`.d'].map((v) => `SYSTEM_VARIABLE ${v}`)],
  ['a--b', ['WORD a', 'PUNCTUATION -', 'PUNCTUATION -', 'WORD b']],
  ['a-- b\nc', ['WORD a', 'WORD c']],
  ['a--\tb\rc\nd', ['WORD a', 'WORD d']],
  ['a--', ['WORD a']],
  ['a#b\nc', ['WORD a', 'WORD c']],
  ['a/* b */c', ['WORD a', 'WORD c']],
  ['a/* /* b */c', ['WORD a', 'WORD c']],
  ['a/*! b */c', ['WORD a', 'WORD b', 'WORD c']],
  ['a/*!50000 b */c', ['WORD a', 'WORD b', 'WORD c']],
  ['a/*!5000 b */c', ['WORD a', 'NUMBER 5000', 'WORD b', 'WORD c']],
  ['a/*!50000b/* c */d*/e', ['WORD a', 'WORD b', 'WORD d', 'WORD e']],
  ['a/*!999999 b /* c */ d */e', ['WORD a', 'WORD e']],
  ['a */ b', ['WORD a', 'PUNCTUATION *', 'PUNCTUATION /', 'WORD b']],
  ['a;b', ['WORD a', 'SEMICOLON ;', 'WORD b']],
])('%s', (sql, expected) => {
  expect(tokens(sql)).toEqual(expected);
});

test('sql_mode decides what quotes and backslashes mean', () => {
  expect(tokens('"a\\" b', ['ANSI_QUOTES'])).toEqual(['NAME "a\\"', 'WORD b']);
  expect(tokens("'a\\' b", ['NO_BACKSLASH_ESCAPES'])).toEqual(["STRING 'a\\'", 'WORD b']);
  expect(tokens('"a\\" b', ['NO_BACKSLASH_ESCAPES'])).toEqual(['STRING "a\\"', 'WORD b']);
  expect(tokens('`a\\`b')).toEqual(['NAME `a\\`', 'WORD b']);
});

test.each(["'a", '"a', '`a', "'a\\'", '/* a', '/*! a', '/*!999999 a', '\\x', '@`a', '@@`a'])(
  '%s has no end or no sense',
  (sql) => {
    expect(notices(sql) & Notice.BROKEN).not.toBe(0);
  },
);

test.each([
  '\0',
  'a\u00a0b',
  '--\u00a0a',
  '-- \0',
  '$a',
  '\\N',
  '1.e',
  '1.5ex',
  '@@\u00e9',
  '/*! a /*! b */',
])('%j is read differently by servers', (sql) => {
  expect(notices(sql) & Notice.ODD).not.toBe(0);
});
