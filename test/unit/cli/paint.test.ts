import { expect, test } from 'vitest';
import { paintFor } from '../../../src/cli/paint.js';

const GREEN = `${String.fromCharCode(27)}[32mok${String.fromCharCode(27)}[0m`;

test.each([
  [true, {}, GREEN],
  [true, { NO_COLOR: '' }, GREEN],
  [true, { NO_COLOR: '1' }, 'ok'],
  [true, { TERM: 'dumb' }, 'ok'],
  [false, {}, 'ok'],
])('a terminal: %s, with %j', (isTTY, env, expected) => {
  expect(paintFor({ isTTY }, env)('green', 'ok')).toBe(expected);
});
