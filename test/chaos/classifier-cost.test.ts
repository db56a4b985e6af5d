/**
 * What the classifier costs for a long text of anything: for every unit that may be repeated, behind every beginning and under
 * several modes, no more than a few times what the same length of plain signs costs. A quarter of a megabyte of each shows which
 * are dear, and what grows faster than its text; those that seem to cost too much are judged by a megabyte, and the dearest of
 * every beginning by 4 MB. CPU is compared with CPU of the same process, so that it says the same on every machine. Two minutes
 * of CPU.
 *
 * It is the built classifier, loaded by Node itself: Vitest makes every use of an imported name a look into its module, which
 * costs the classifier's inner loops eight times what they cost a service.
 */
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import type { Classification, ClassifyOptions } from '../../src/mysql/classifier/statement-classifier.js';

const { createClassifier } = createRequire(import.meta.url)(
  '../../dist/mysql/classifier/statement-classifier.js',
) as typeof import('../../src/mysql/classifier/statement-classifier.js');

const MB = 1_048_576;

/** So many units of every beginning are read at the whole size. */
const DEAREST = 3;

/** How many times the plain text another one may cost: four readings, tokens and calls instead of signs, a second pass. */
const TIMES = 8;

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

type Work = () => Classification;

function cpuMs(work: Work): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * How many times the CPU of `plain`, of which `spentMs` is known, `work` takes. Up to {@link TIMES} is good enough; more is looked at
 * again with `plain` beside it, the least of both, as what else runs on the machine makes both dearer for a while.
 */
function timesOf(work: Work, plain: Work, spentMs: number): number {
  let least = cpuMs(work);
  let leastPlain = spentMs;
  for (let turn = 0; turn < 5 && least > TIMES * leastPlain; turn += 1) {
    const beside = cpuMs(plain);
    leastPlain = turn === 0 ? beside : Math.min(leastPlain, beside);
    least = Math.min(least, cpuMs(work));
  }
  return least / leastPlain;
}

/** A flat text: one that was put together of pieces would be made flat while it is measured. */
function textOf(head: string, unit: string, size: number): string {
  const whole = Buffer.from(head + unit.repeat(Math.ceil(size / unit.length)), 'utf16le');
  return whole.toString('utf16le', 0, 2 * size);
}

interface Cost {
  readonly unit: string;
  readonly times: number;
}

/** One that cost more than {@link TIMES}. */
interface Slow extends Cost {
  readonly size: number;
  readonly mode: ClassifyOptions;
}

/** What `units` behind `head` cost, the dearest first, and those that cost too much. */
function costs(
  head: string,
  units: readonly string[],
  size: number,
): { readonly dearest: readonly Cost[]; readonly slow: readonly Slow[] } {
  const functions = { readOnly: ['shop.price', 'fee'] };
  const reading = createClassifier({ sqlMode: [] });
  const signs = textOf('SELECT ', '+', size);
  const plain: Work = () => reading(signs);
  const spentMs = Math.min(...[1, 2, 3].map(() => cpuMs(plain)));
  const slow: Slow[] = [];
  const all = units.map((unit): Cost => {
    const text = textOf(head, unit, size);
    const each = MODES.map((mode) => {
      const classifier = createClassifier({ ...mode, functions });
      const times = timesOf(() => classifier(text), plain, spentMs);
      if (times > TIMES) slow.push({ unit, size, mode, times });
      return times;
    });
    return { unit, times: Math.max(...each) };
  });
  return { dearest: all.sort((a, b) => b.times - a.times), slow };
}

test.each(HEADS)('%j before a long text of anything', (head) => {
  const { dearest, slow } = costs(head, UNITS, MB / 4);
  const dear = [...new Set(slow.map(({ unit }) => unit))];
  expect(costs(head, dear, MB).slow).toEqual([]);
  const most = dearest.slice(0, DEAREST).map(({ unit }) => unit);
  expect(costs(head, most, 4 * MB).slow).toEqual([]);
});
