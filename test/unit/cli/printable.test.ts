import { expect, test } from 'vitest';
import { ansiPaint } from '../../../src/cli/paint.js';
import { printable } from '../../../src/cli/printable.js';

const ESC = '\u001b';

test.each([
  ['a title of the window', `${ESC}]0;mine\u0007`, '\\u001b]0;mine\\u0007'],
  ['a cleared screen', `a${ESC}[2Jb`, 'a\\u001b[2Jb'],
  ['a line that is drawn over', 'down\rup', 'down\\u000dup'],
  ['a control character of one byte', '\u009b2J', '\\u009b2J'],
  ['text that runs the other way', 'a\u202eb', 'a\\u202eb'],
  ['letters, tabs and lines', 'Grüße\t世界\n✓', 'Grüße\t世界\n✓'],
])('%s', (_, text, shown) => {
  expect(printable(text, false)).toBe(shown);
  expect(printable(text, true)).toBe(shown);
});

test('our own colours stay where there are colours', () => {
  const green = ansiPaint('green', 'ok');
  expect(printable(green, true)).toBe(green);
  expect(printable(green, false)).toBe('\\u001b[32mok\\u001b[0m');
  expect(printable(`${ESC}[8mhidden`, true)).toBe('\\u001b[8mhidden');
});
