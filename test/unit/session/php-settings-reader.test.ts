import { expect, test } from 'vitest';
import { PhpSettingsReader } from '../../../src/session/php-settings-reader.js';

test.each([
  ['1', true],
  ['On', true],
  ['YES', true],
  ['true', true],
  ['2', true],
  ['', false],
  ['0', false],
  ['0 ', false],
  ['Off', false],
  ['no', false],
  ['false', false],
  ['foo', false],
])('the setting %j is the boolean that PHP makes of it: %j', (value, flag) => {
  expect(new PhpSettingsReader(new Map([['x', value]])).flag('x', !flag)).toBe(flag);
});

test('a setting that is not there is its default', () => {
  expect(new PhpSettingsReader(new Map()).flag('x', true)).toBe(true);
});
