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

test.each([
  ['10', 10],
  ['010', 8],
  ['0', 0],
  ['0x10', 16],
  ['+7', 7],
  [' 7 ', 7],
])('the setting %j is the integer that PHP makes of it: %j', (value, number) => {
  const reader = new PhpSettingsReader(new Map([['session.cookie_lifetime', value]]));
  expect(reader.integer('session.cookie_lifetime', -1)).toBe(number);
  reader.finish();
});

test.each(['08', '1e3', '1K', '7 8', '010.0'])(
  'the setting %j, of which PHP reads a part, is refused',
  (value) => {
    const reader = new PhpSettingsReader(new Map([['session.cookie_lifetime', value]]));
    reader.integer('session.cookie_lifetime', 0);
    expect(() => reader.finish()).toThrow('session.cookie_lifetime');
  },
);

test('the length of ids is decimal, as in PHP', () => {
  expect(
    new PhpSettingsReader(new Map([['session.sid_length', '032']])).integer('session.sid_length', 0),
  ).toBe(32);
});
