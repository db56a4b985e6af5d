import { expect, test } from 'vitest';
import {
  differencesOf,
  documentOf,
  jsonWriter,
  pastedDocument,
  variablesOf,
} from '../../../../src/cli/session/session-text.js';
import { unserialize } from '../../../../src/php/index.js';

const jsonOf = (value: unknown): unknown => jsonWriter()(value, 'v');
const decode = (text: string): ReturnType<typeof documentOf> =>
  documentOf(Buffer.from(text, 'latin1'), 'php');

test('what JSON cannot hold is told in words', () => {
  const circular: Record<string, unknown> = { n: 1 };
  circular['self'] = circular;
  expect(
    jsonOf({ big: 2n ** 62n, bytes: Buffer.from([255]), inf: Number.POSITIVE_INFINITY, circular }),
  ).toEqual({
    big: '4611686018427387904',
    bytes: { base64: '/w==' },
    inf: 'Infinity',
    circular: { n: 1, self: '(contains itself)' },
  });
  const twice = { a: 1 };
  expect(jsonOf([twice, twice])).toEqual([twice, twice]);
});

test('stored bytes are the variables of $_SESSION', () => {
  expect(variablesOf(decode('user|a:1:{s:4:"name";s:3:"ada";}n|d:1;'))).toEqual({
    user: { name: 'ada' },
    n: 1,
  });
  expect(() => decode('n|d:')).toThrow(expect.objectContaining({ code: 'ERR_PHP_SYNTAX' }));
});

test.each([
  ['a|i:1;', 1],
  ['a|i:1;\n', 1],
  ['a|i:1;\r\n', 1],
  ['a|s:1:"\n";', '\n'],
  ['a|s:1:"\n";\n', '\n'],
])('what was pasted may end with the end of a line: %j', (text, a) => {
  expect(variablesOf(pastedDocument(Buffer.from(text), 'php'))).toEqual({ a });
});

test('more than one end of a line is no session', () => {
  for (const text of ['a|i:1;\n\n', 'a|i:\n', '\n\n'])
    expect(() => pastedDocument(Buffer.from(text), 'php'), text).toThrow(
      expect.objectContaining({ code: 'ERR_PHP_SYNTAX' }),
    );
});

test('objects show their properties, also those that are not public', () => {
  const object = 'O:5:"Child":3:{s:2:"id";i:7;s:4:"\0*\0n";O:8:"stdClass":0:{}s:9:"\0Child\0id";s:1:"x";}';
  expect(variablesOf(decode(`user|${object}e|E:6:"Suit:A";`))).toEqual({
    user: {
      className: 'Child',
      properties: { id: 7, n: { className: 'stdClass', properties: {} }, 'id:Child:private': 'x' },
    },
    e: { className: 'Suit', caseName: 'A' },
  });
});

/** Every level holds the level below twice: once as it is, once by a reference. */
function doubling(depth: number): string {
  let text = 'i:1;';
  for (let level = 0; level < depth; level += 1) text = `a:2:{i:0;${text}i:1;R:${depth - level + 1};}`;
  return text;
}

test('a value that doubles with every level is not written out', () => {
  for (const depth of [30, 400]) {
    const data = unserialize(Buffer.from(doubling(depth)));
    expect(data).toBeDefined();
    const text = JSON.stringify(variablesOf(decode(`x|${doubling(depth)}`)));
    expect(text.length).toBeLessThan(300_000);
    expect(text).toContain('(same as x[0]');
  }
  // Many variables with one long text, too.
  const texts = Array.from({ length: 2_000 }, (_, index) => `v${index}|${index === 0 ? longText() : 'R:1;'}`);
  expect(JSON.stringify(variablesOf(decode(texts.join('')))).length).toBeLessThan(300_000);
});

test.each([
  ['arrays', 'a:1:{i:0;'],
  ['objects', 'O:1:"A":1:{s:1:"p";'],
])('what PHP nests as deep as it may, of %s, is shown as far as somebody reads', (_, open) => {
  const nested = (leaf: string) => decode(`x|${open.repeat(4_000)}${leaf}${'}'.repeat(4_000)}n|i:1;`);
  const shown = JSON.stringify(variablesOf(nested('i:1;')), null, 2);
  expect(shown).toContain('"(nested too deep)"');
  expect(shown).toMatch(/"n": 1\n}$/);
  // What is told apart is not cut.
  const [difference] = differencesOf({ a: nested('i:1;'), b: nested('i:2;') });
  expect(difference).toEqual({
    variable: 'x',
    values: { a: { php: expect.stringContaining('i:1;}') }, b: { php: expect.stringContaining('i:2;}') } },
  });
});

function longText(): string {
  return `s:100000:"${'x'.repeat(100_000)}";`;
}

test('only what copies do not hold alike is a difference', () => {
  const [a, b, c] = ['n|i:1;user|a:1:{s:2:"id";i:7;}', 'n|i:2;user|a:1:{s:2:"id";i:7;}', 'n|i:1;'].map(
    decode,
  );
  expect(differencesOf({ a, b, c } as Record<string, ReturnType<typeof decode>>)).toEqual([
    { variable: 'n', values: { a: 1, b: 2, c: 1 } },
    { variable: 'user', values: { a: { id: 7 }, b: { id: 7 } } },
  ]);
  expect(differencesOf({ a: decode('n|i:1;') })).toEqual([]);
  expect(differencesOf({ a: decode('n|i:1;m|i:2;'), b: decode('m|i:2;n|i:1;') })).toEqual([]);
});

test('objects with other properties differ', () => {
  const user = (name: string): string => `u|O:4:"User":1:{s:4:"name";s:3:"${name}";}`;
  expect(differencesOf({ a: decode(user('ada')), b: decode(user('bob')) })).toEqual([
    {
      variable: 'u',
      values: {
        a: { className: 'User', properties: { name: 'ada' } },
        b: { className: 'User', properties: { name: 'bob' } },
      },
    },
  ]);
});

test.each([
  ['i:9007199254740993;', 's:16:"9007199254740993";'],
  ['d:NAN;', 's:3:"NaN";'],
  ['d:-0;', 'd:0;'],
  ['i:1;', 'd:1;'],
])('%s is told from %s, which is the same in JSON', (one, other) => {
  expect(differencesOf({ a: decode(`v|${one}`), b: decode(`v|${other}`) })).toEqual([
    { variable: 'v', values: { a: { php: one }, b: { php: other } } },
  ]);
});

test('an order is a difference', () => {
  const [one, other] = ['a:2:{s:1:"x";i:1;s:1:"y";i:2;}', 'a:2:{s:1:"y";i:2;s:1:"x";i:1;}'];
  expect(differencesOf({ a: decode(`v|${one}`), b: decode(`v|${other}`) })).toHaveLength(1);
});
