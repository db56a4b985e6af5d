/** What holds for every text, whatever it says. The tables of single statements are in test/spec. */
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  type Classification,
  classify,
  createClassifier,
} from '../../../../src/mysql/classifier/statement-classifier.js';
import { StatementLexer } from '../../../../src/mysql/classifier/statement-lexer.js';
import { ALL_ROWS } from '../../../spec/classifier/all-rows.js';
import { mash, mutation } from '../../../spec/classifier/fragments.js';

const KINDS = ['read', 'write', 'transaction', 'session', 'unknown'];
const ROUTES = ['replica', 'all', 'same', 'primary'];
const STATEMENTS = ALL_ROWS.map(([sql]) => sql);
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'binary-ascii', maxLength: 200 }),
  mash,
  mutation(STATEMENTS),
);

function strictness({ route }: Classification): number {
  return ROUTES.indexOf(route);
}

/** Everything but the sentence and the case of names. */
function meaning({ because: _, ...rest }: Classification): string {
  return JSON.stringify(rest).toLowerCase();
}

afterEach(() => {
  vi.restoreAllMocks();
});

test('any text has an answer, and what pins or is not known goes to the primary', () => {
  fc.assert(
    fc.property(anyText, fc.constantFrom('mysql', 'mariadb', undefined), (sql, flavor) => {
      const given = classify(sql, { flavor });
      expect(KINDS).toContain(given.kind);
      expect(ROUTES).toContain(given.route);
      if (given.kind === 'unknown' || given.kind === 'write') expect(given.route).toBe('primary');
      if (given.pins.length > 0) expect(['primary', 'same']).toContain(given.route);
      if (given.route === 'all') expect(given.settings?.length).toBeGreaterThan(0);
      expect(new Set(given.pins).size).toBe(given.pins.length);
      expect(Object.isFrozen(given)).toBe(true);
    }),
    { numRuns: 1500 },
  );
});

test('the same text has the same answer, however often it is asked for', () => {
  const again = createClassifier();
  fc.assert(
    fc.property(anyText, (sql) => {
      expect(again(sql)).toEqual(classify(sql));
    }),
    { numRuns: 300 },
  );
});

describe('the text is read a bounded number of times', () => {
  const pieces = [
    '(',
    ')',
    "'",
    '"',
    '`',
    "\\'",
    '"\\" ',
    ';',
    '/*',
    '/**/',
    '/*!80000 ',
    '/*!80000 */',
    '/*!',
    '-',
    '-- \n',
    '#',
    '\0',
    '@',
    '@@a.',
    'a',
    '1',
    '.',
    '1.',
    '1e',
    'a=1,',
    'a,',
    'f(',
    'a.f(',
    'with a as (',
    'with a (b) as (',
    'json_table(',
    'begin ',
    'begin;',
    'end ',
    'case ',
    'select 1;',
    'set autocommit=0;',
    "select get_lock('a',1);",
    'set statement a=1 for ',
    'explain ',
    'drop table a;',
    'for ',
    'insert ',
    ',',
  ];
  const heads = [
    '',
    'select ',
    "select '",
    'set ',
    'drop table ',
    'create procedure p() begin ',
    'lock tables ',
    'set statement a=1, ',
  ];

  test.each(heads)('%j and a long tail', (head) => {
    const next = StatementLexer.prototype.next;
    for (const piece of pieces) {
      const sql = head + piece.repeat(Math.ceil(10_000 / piece.length));
      let steps = 0;
      vi.spyOn(StatementLexer.prototype, 'next').mockImplementation(function (this: StatementLexer) {
        const before = this.position;
        const kind = next.call(this);
        steps += this.position - before + 1;
        return kind;
      });
      classify(sql, { functions: { readOnly: ['g', 'a.h'] } });
      vi.restoreAllMocks();
      // Eight readings, each scanned once, and some statements gone over once more.
      expect(steps, piece).toBeLessThan(40 * sql.length);
    }
  });
});

test('a text longer than any statement is refused judgement instead of being looked through', () => {
  const statements = classify('set autocommit = 1;'.repeat(20_000));
  expect(statements).toMatchObject({ kind: 'unknown', route: 'primary', transaction: 'autocommit-off' });
  expect(statements.pins).toHaveLength(9);
  const assignments = classify(`set ${'a = 1, '.repeat(2000)} b = 2`);
  expect(assignments).toMatchObject({ kind: 'unknown', route: 'primary', transaction: 'autocommit-off' });
});

test('what is read in all ways together is bounded: a long text is only read in all of them when they are few', () => {
  const { next } = StatementLexer.prototype;
  const MB = 1_048_576;
  // A backslash in both kinds of quotes: four ways.
  const four = `insert into t values ('\\'', "\\"")`;
  const two = `insert into t values ('\\' ')`;
  // The second doubt shows itself only to those who look at the first one in the other way.
  const hidden = `select '\\', "\\", '"', 1`;
  for (const [head, length, known] of [
    [four, 5 * MB, true],
    [four, 7 * MB, false],
    [two, 11 * MB, true],
    [two, 13 * MB, false],
    [hidden, 13 * MB, false],
    ['insert into t values (1)', 25 * MB, true],
  ] as const) {
    // A comment is gone over in one step, blanks one by one.
    const sql = `${head}/*${' '.repeat(length - head.length - 4)}*/`;
    let characters = 0;
    StatementLexer.prototype.next = function (this: StatementLexer): number {
      const before = this.position;
      const kind = next.call(this);
      characters += this.position - before;
      return kind;
    };
    let given: Classification;
    try {
      given = classify(sql);
    } finally {
      StatementLexer.prototype.next = next;
    }
    expect(characters, head).toBeLessThanOrEqual(Math.max(24 * MB, sql.length + 1000));
    if (known) expect(given.because, head).not.toContain('too long');
    else
      expect(given).toMatchObject({
        kind: 'unknown',
        route: 'primary',
        because: expect.stringContaining('too long'),
      });
  }
});

test.each(['set @a = ', 'set a = ', 'set @@a = ', 'set names ', 'set statement a = '])(
  '%j and an endless value is gone over once, and not once more by its rule',
  (head) => {
    const { next } = StatementLexer.prototype;
    for (const piece of ['a.', '(', 'x ', '(a,']) {
      const times = 300_000 / piece.length;
      const sql = head + piece.repeat(times);
      let tokens = 0;
      // A spy would keep every call.
      StatementLexer.prototype.next = function (this: StatementLexer): number {
        tokens += 1;
        return next.call(this);
      };
      try {
        const given = classify(sql, { flavor: 'mariadb', sqlMode: [] });
        expect(given).toMatchObject({ kind: 'unknown', route: 'primary', transaction: 'autocommit-off' });
      } finally {
        StatementLexer.prototype.next = next;
      }
      expect(tokens, piece).toBeLessThan(piece.replace(' ', '').length * times + 110_000);
    }
  },
);

test('points behind a system variable are gone over once, and make no endless name', () => {
  const { next } = StatementLexer.prototype;
  const points = 100_000;
  let tokens = 0;
  StatementLexer.prototype.next = function (this: StatementLexer): number {
    tokens += 1;
    return next.call(this);
  };
  try {
    expect(classify(`set @@a . ${'.'.repeat(points)}`, { flavor: 'mariadb', sqlMode: [] })).toMatchObject({
      kind: 'unknown',
      route: 'primary',
    });
  } finally {
    StatementLexer.prototype.next = next;
  }
  expect(tokens).toBeLessThan(points + 100);
});

test('neither case nor blanks nor comments between words matter', () => {
  const simple = ALL_ROWS.filter(([sql]) => /^[\w \n\t,*()=.:?;]+$/.test(sql) && /\w/.test(sql));
  const gap = fc.constantFrom(' ', '\n', '\t ', ' \r\n ', '/**/', ' /* x */ ', ' -- x\n', '#\n');
  const flip = (text: string, bits: number): string =>
    [...text]
      .map((letter, i) => (((bits >> (i % 31)) & 1) === 0 ? letter.toLowerCase() : letter.toUpperCase()))
      .join('');
  expect(simple.length).toBeGreaterThan(300);
  fc.assert(
    fc.property(
      fc.constantFrom(...simple),
      fc.array(gap, { minLength: 40, maxLength: 40 }),
      fc.nat(),
      (row, gaps, bits) => {
        const [sql, , { flavor, sqlMode, functions } = {}] = row;
        const options = { flavor, sqlMode, functions: { readOnly: functions } };
        let index = 0;
        const words = flip(sql, bits);
        const other = words.trim().replace(/\s+/g, () => gaps[index++ % gaps.length] ?? ' ');
        expect(meaning(classify(`${gaps[0]}${other}${gaps[1]}`, options))).toEqual(
          meaning(classify(sql, options)),
        );
      },
    ),
    { numRuns: 1000 },
  );
});

test('parentheses never make a read of what was none', () => {
  fc.assert(
    fc.property(
      fc.oneof(anyText, fc.constantFrom(...STATEMENTS)),
      fc.integer({ min: 1, max: 3 }),
      (sql, depth) => {
        if (classify(sql).route === 'replica') return;
        expect(classify(`${'('.repeat(depth)}${sql}\n${')'.repeat(depth)}`).route).not.toBe('replica');
      },
    ),
    { numRuns: 1500 },
  );
});

test('two statements are as strict as the stricter of them, and pin what both pin', () => {
  const whole = STATEMENTS.filter(
    (sql) => !/\/\*|\\/.test(sql) && (sql.match(/['"`]/g) ?? []).length % 2 === 0,
  );
  fc.assert(
    fc.property(fc.constantFrom(...whole), fc.constantFrom(...whole), (first, second) => {
      // A statement of blanks only is none when others are there.
      const parts = [first, second]
        .filter((sql) => classify(sql).because !== 'there is no statement in it')
        .map((sql) => classify(sql));
      const both = classify(`${first}\n;${second}`);
      for (const part of parts) {
        expect(strictness(both)).toBeGreaterThanOrEqual(strictness(part));
        // The body of a block that is not closed takes the rest of the text along.
        if (both.kind === 'unknown') continue;
        expect(both.pins).toEqual(expect.arrayContaining([...part.pins]));
        // A COMMIT that is the last word commits what any part would have.
        if (part.implicitCommit && both.transaction !== 'commit') expect(both.implicitCommit).toBe(true);
      }
    }),
    { numRuns: 1500 },
  );
});

test('without a known sql_mode the answer is as strict as under each one that makes sense of the text', () => {
  const modes = [[], ['ANSI_QUOTES'], ['NO_BACKSLASH_ESCAPES'], ['ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES']];
  fc.assert(
    fc.property(anyText, fc.constantFrom(...modes), (sql, sqlMode) => {
      const known = classify(sql, { sqlMode });
      // A text with a string that has no end is refused as a whole.
      if (known.because.includes('has no end')) return;
      const open = classify(sql);
      expect(strictness(open)).toBeGreaterThanOrEqual(strictness(known));
      expect(open.pins).toEqual(expect.arrayContaining([...known.pins]));
    }),
    { numRuns: 1000 },
  );
});

test('the sentence names the function that is not known', () => {
  expect(classify('select app.rebuild(1)').because).toBe(
    'it calls rebuild(), which is not known to only read',
  );
  expect(classify("select json_table('[]', '$')", { flavor: 'mariadb' }).because).toContain('json_table()');
  expect(classify(`select ${'f'.repeat(5000)}(1)`).because.length).toBeLessThan(120);
});

describe('what a text asks about its connection, whatever else it does', () => {
  test.each([
    'SELECT FOUND_ROWS()',
    'SELECT FOUND_ROWS() INTO @f',
    'SELECT @f := ROW_COUNT()',
    'SET @f = @@warning_count',
    'INSERT INTO t VALUES (ROW_COUNT())',
    'CREATE TABLE u AS SELECT FOUND_ROWS() AS n',
    'CREATE TABLE `view` AS SELECT ROW_COUNT() AS n',
    'CREATE TABLE view AS SELECT ROW_COUNT() AS n',
    'CALL p(ROW_COUNT())',
    'DO ROW_COUNT()',
    'GET DIAGNOSTICS @n = NUMBER',
    'SHOW WARNINGS',
    'SHOW COUNT(*) ERRORS',
    'SET @a = 1; SELECT FOUND_ROWS()',
  ])('%s asks about the statement before', (sql) => {
    expect(classify(sql)).toMatchObject({ asksBefore: true });
  });

  test.each([
    ['SELECT ROW_COUNT()', true],
    ['SELECT FOUND_ROWS(), ROW_COUNT()', true],
    ['SHOW ERRORS', true],
    ['GET DIAGNOSTICS @n = ROW_COUNT', true],
    ['INSERT INTO t VALUES (@@warning_count)', true],
    ['SET @a = 1; SELECT ROW_COUNT()', true],
    ['INSERT INTO t VALUES (1); SELECT ROW_COUNT()', undefined],
    ["SELECT 'a' /*!50000 , ROW_COUNT() */", true],
    ['SELECT FOUND_ROWS()', undefined],
    ['SELECT LAST_INSERT_ID()', undefined],
  ])('%s asks what the statement before did: %s', (sql, asks) => {
    expect(classify(sql).asksOutcome).toBe(asks);
  });

  test.each([
    ['SELECT 1', true],
    ['(SELECT v FROM t) UNION SELECT 2', true],
    ['WITH x AS (SELECT 1) SELECT * FROM x', true],
    ['SELECT f(1)', true],
    ['SELECT MAX(id) INTO @m FROM t', true],
    ['DO 1; SELECT 1; SET @a = 1', true],
    ['DO 1', undefined],
    ['VALUES (1), (2)', undefined],
    ['SHOW TABLES', undefined],
    ['EXPLAIN SELECT 1', undefined],
    ['CALL p()', undefined],
    ['INSERT INTO t SELECT 1', undefined],
    ['WITH x AS (SELECT 1) DELETE FROM t', undefined],
    ["SELECT 1 INTO OUTFILE '/x'", undefined],
    ['SAVEPOINT a', undefined],
  ])('%s counts its rows on every server: %s', (sql, sets) => {
    expect(classify(sql).setsFound).toBe(sets);
  });

  test.each([
    ['INSERT INTO t VALUES (1); SELECT FOUND_ROWS()', true],
    ['DO 1; INSERT INTO t VALUES (FOUND_ROWS())', true],
    ['SELECT FOUND_ROWS(); SELECT FOUND_ROWS()', true],
    ['SELECT 1; SELECT FOUND_ROWS()', undefined],
    ['DO 1; SELECT 1; INSERT INTO t VALUES (FOUND_ROWS())', undefined],
  ])('%s asks how many rows a statement before the text found: %s', (sql, asks) => {
    const { asksFound, asksBefore } = classify(sql);
    expect([asksFound, asksBefore]).toEqual([asks, asks]);
  });

  test.each([
    'SELECT LAST_INSERT_ID()',
    'INSERT INTO t VALUES (LAST_INSERT_ID())',
    'INSERT INTO t VALUES (LAST_INSERT_ID()) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)',
    'SET @id = @@last_insert_id',
    'SELECT 1; UPDATE t SET v = LAST_INSERT_ID()',
    // The insert may name its id itself.
    'INSERT INTO t VALUES (1); INSERT INTO u VALUES (LAST_INSERT_ID())',
  ])('%s asks for the last write', (sql) => {
    expect(classify(sql)).toMatchObject({ asksWrite: true });
  });

  test.each([
    'SELECT 1',
    'INSERT INTO t VALUES (1)',
    'UPDATE t SET id = LAST_INSERT_ID(id + 1)',
    'CREATE PROCEDURE p() SELECT ROW_COUNT(), LAST_INSERT_ID()',
    'CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @n = FOUND_ROWS()',
    'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO INSERT INTO t VALUES (ROW_COUNT())',
    'ALTER EVENT e DO SELECT LAST_INSERT_ID()',
    'CREATE VIEW v AS SELECT FOUND_ROWS(), ROW_COUNT(), LAST_INSERT_ID()',
    "CREATE OR REPLACE ALGORITHM = MERGE DEFINER = 'a'@'b' SQL SECURITY INVOKER VIEW v AS SELECT ROW_COUNT()",
    'CREATE DEFINER = CURRENT_USER SQL SECURITY DEFINER VIEW IF NOT EXISTS v (n) AS SELECT CASE WHEN FOUND_ROWS() THEN 1 END',
    'CREATE DEFINER = user@localhost VIEW v AS SELECT FOUND_ROWS()',
    'CREATE DEFINER = event@localhost VIEW v AS SELECT FOUND_ROWS() AS begin',
    'CREATE DEFINER = role@localhost PROCEDURE p() BEGIN UPDATE t SET v = ROW_COUNT(); END',
    'ALTER VIEW v AS SELECT LAST_INSERT_ID()',
    'ALTER ALGORITHM = UNDEFINED VIEW v AS SELECT FOUND_ROWS()',
    'UPDATE t SET v = 1; INSERT INTO u VALUES (ROW_COUNT())',
    "SELECT 'FOUND_ROWS()'",
  ])('%s asks nothing about what was before it', (sql) => {
    const { asksBefore, asksWrite } = classify(sql);
    expect([asksBefore, asksWrite]).toEqual([undefined, undefined]);
  });
});
