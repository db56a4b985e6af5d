/**
 * What the classifier costs for 8 MB of anything: for every unit that may be repeated, behind every beginning and under several
 * modes, no more than a few times what the same length of plain signs costs. CPU is compared with CPU of the same process, so that it
 * says the same on every machine.
 */
import { expect, test } from 'vitest';
import {
  type Classification,
  type ClassifyOptions,
  createClassifier,
} from '../../src/mysql/classifier/statement-classifier.js';

const SIZE = 8 * 1_048_576;

/** How many times the plain text another one may cost: several readings, tokens and calls instead of signs, a second pass. */
const TIMES = 6;

const UNITS: readonly string[] = [
  ...'a1 .,();:@`"\'\\-/*#%?=+<|&^~[{$\n\t\0',
  ...[
    '()',
    ':=',
    '@a ',
    '@@a ',
    '@@a.b ',
    '@`a` ',
    '``',
    '`a`',
    '`a`.',
    '""',
    '"a",',
    "''",
    "'a',",
    '\\"',
    "\\'",
    '\\\\',
  ],
  ...[
    '"\\"" ',
    "'\\'' ",
    "'a\\'b',",
    '"a\\"b",',
    "'\\\\',",
    '"\\\\",',
    "'\\',",
    '"\\",',
    `'x"y',`,
    `'\\'"\\"\`\\\`,`,
  ],
  ...[
    '#\n',
    '-- \n',
    '--',
    '/*',
    '*/',
    '/**/',
    '/*!',
    '/*! 1 */',
    '/*!80000 +1 */',
    '/*M! +1 */',
    '/*!/*',
    '/*!80000 /* a */ */',
  ],
  ...[
    '\u00a0',
    '\u00e9',
    '\u6f22',
    '\ud83d\ude00',
    '\ud800',
    '0x1 ',
    '0b1 ',
    "x'41' ",
    '1e5 ',
    '1e+',
    '.5 ',
    'a.1',
    'a.b.c ',
    'a . ',
  ],
  ...[
    'a+',
    'f(1)+',
    'f(',
    'a.f(1)+',
    'a . f (1)+',
    '`a`.`f`(1)+',
    '"a"."f"(1)+',
    'a.f("x\\"y")+',
    "a.f('x\\'y')+",
    'abs(1)+',
  ],
  ...[
    'shop.price(1)+',
    'fee(1)+',
    '`fee`(1)+',
    '`shop`.price(1)+',
    `${'x'.repeat(128)}.f(1)+`,
    `\`${'x'.repeat(120)}\`(1)+`,
  ],
  ...[
    'case ',
    'end ',
    'begin ',
    'begin end; ',
    'if ',
    'loop ',
    'end loop; ',
    'with ',
    'with a as (',
    'with a (b) as (',
    'select 1; ',
  ],
  ...[
    '(select ',
    'from ',
    'for update ',
    'into ',
    'insert ',
    'replace(',
    'next value for ',
    'nextval(',
    'sql%rowcount ',
    'get_lock(1,1)+',
  ],
  ...[
    "release_lock('a')+",
    'last_insert_id(),',
    'found_rows(),',
    'json_table(',
    "json_table(a, '$' columns (a int))+",
    "'$' columns (",
  ],
  ...[
    'values (1),',
    "(1,'a\\'b'),",
    'create ',
    'drop table a; ',
    'a, ',
    'a=1, ',
    '@a=1, ',
    '@@a=1, ',
    'session a=1, ',
    'a=f(1), ',
  ],
  ...[
    'autocommit=1, ',
    'read only, ',
    'commit; ',
    'xa start 1; ',
    'explain ',
    'call a(); ',
    'a read, ',
    'a:',
    'performance_schema ',
  ],
];

const HEADS: readonly string[] = [
  ...[
    '',
    'SELECT ',
    'SET ',
    'SET @a = ',
    'SET @@a . ',
    'SET STATEMENT a = 1 FOR ',
    'SELECT "\\"" + ',
    'EXPLAIN ',
    'DROP TABLE ',
  ],
  ...[
    'LOCK TABLES ',
    'WITH a AS (',
    'CREATE PROCEDURE p() BEGIN ',
    'INSERT INTO t VALUES ',
    'SELECT GET_LOCK(',
    'SAVEPOINT ',
  ],
  ...[
    'CALL a(',
    'PREPARE a FROM ',
    'USE ',
    'BEGIN ',
    'SELECT 1;',
    'XA START ',
    'SHOW ',
    'GRANT ',
    'HANDLER ',
  ],
];

const MODES: readonly ClassifyOptions[] = [
  {},
  { flavor: 'mysql', sqlMode: [] },
  { flavor: 'mariadb', sqlMode: ['ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES'] },
];

function cpuMs(work: () => Classification): number {
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 3; turn += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
    if (least < limitMs / 2) break;
  }
  return least;
}

let limitMs = 0;

/** A flat text: one that was put together of pieces would be made flat while it is measured. */
function textOf(head: string, unit: string): string {
  const whole = Buffer.from(head + unit.repeat(Math.ceil(SIZE / unit.length)), 'utf16le');
  return whole.toString('utf16le', 0, 2 * SIZE);
}

test.each(HEADS)('%j before 8 MB of anything', (head) => {
  const functions = { readOnly: ['shop.price', 'fee'] };
  const plain = createClassifier({ sqlMode: [] });
  const signs = textOf('SELECT ', '+');
  limitMs = 0;
  limitMs =
    TIMES *
    Math.max(
      cpuMs(() => plain(signs)),
      cpuMs(() => plain(signs)),
    );
  const slow: unknown[] = [];
  for (const unit of UNITS) {
    const text = textOf(head, unit);
    for (const mode of MODES) {
      const classifier = createClassifier({ ...mode, functions });
      const spent = cpuMs(() => classifier(text));
      if (spent > limitMs) slow.push({ unit, mode, spent, limitMs });
    }
  }
  expect(slow).toEqual([]);
});
