import { expect, test } from 'vitest';
import { differencesOf, jsonOf, variablesOf } from '../../../../src/cli/session/session-text.js';

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
  expect(jsonOf(variablesOf(Buffer.from('user|a:1:{s:4:"name";s:3:"ada";}n|d:1;'), 'php'))).toEqual({
    user: { name: 'ada' },
    n: 1,
  });
  expect(() => variablesOf(Buffer.from('n|d:'), 'php')).toThrow(
    expect.objectContaining({ code: 'ERR_PHP_SYNTAX' }),
  );
});

test('only what copies do not hold alike is a difference', () => {
  expect(differencesOf({ a: { n: 1, user: { id: 7 } }, b: { n: 2, user: { id: 7 } }, c: { n: 1 } })).toEqual([
    { variable: 'n', values: { a: 1, b: 2, c: 1 } },
    { variable: 'user', values: { a: { id: 7 }, b: { id: 7 } } },
  ]);
  expect(differencesOf({ a: { n: 1 } })).toEqual([]);
});
