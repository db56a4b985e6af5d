import { expect, test } from 'vitest';
import { hangLine, wrapLine } from '../../../src/cli/wrap-line.js';

test('a line is broken between words, and inside a word that is longer than a line', () => {
  expect(wrapLine('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrapLine('one abcdefghij k', 4)).toEqual(['one', 'abcd', 'efgh', 'ij k']);
  expect(wrapLine('one two', Number.POSITIVE_INFINITY)).toEqual(['one two']);
  expect(wrapLine('', 5)).toEqual(['']);
});

test('a line that hangs has something before each of its lines, and fits', () => {
  expect(hangLine('one two three', 11, '- ')).toEqual(['- one two', '  three']);
  expect(hangLine('one two three', 11, '', '    ')).toEqual(['one two', '    three']);
  expect(hangLine('one two three', Number.POSITIVE_INFINITY, '  ', '    ')).toEqual(['  one two three']);
  expect(hangLine('ab', 2, '    ')).toEqual(['    a', '    b']);
});
