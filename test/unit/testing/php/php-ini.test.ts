import { expect, test } from 'vitest';
import { iniArgs, iniText, sessionIni } from '../../../../src/testing/php/php-ini.js';

test('sessions go to every memcached node, a copy on each', () => {
  expect(sessionIni(['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'], '/x')).toMatchObject({
    'session.save_handler': 'memcached',
    'session.save_path': '127.0.0.1:1,127.0.0.1:2,127.0.0.1:3',
    'memcached.sess_number_of_replicas': 2,
  });
});

test('without memcached nodes sessions are files of the cluster', () => {
  expect(sessionIni([], '/x')).toMatchObject({ 'session.save_handler': 'files', 'session.save_path': '/x' });
});

test('settings are written as PHP reads them', () => {
  const ini = { 'session.save_path': 'a:1;b', precision: 17, 'session.use_strict_mode': true, x: false };
  expect(iniArgs(ini)).toEqual([
    '-d',
    'session.save_path="a:1;b"',
    '-d',
    'precision=17',
    '-d',
    'session.use_strict_mode=1',
    '-d',
    'x=0',
  ]);
  expect(iniText(ini)).toBe(
    'session.save_path = "a:1;b"\nprecision = 17\nsession.use_strict_mode = 1\nx = 0\n',
  );
});

test.each([
  [{ 'a b': 1 }],
  [{ 'a=b': 1 }],
  [{ a: 'x"y' }],
  [{ a: 'x\ny' }],
  [{ a: `$${'{b}'}` }],
  [{ a: 'x\\' }],
])('what PHP would read differently is refused (%j)', (ini) => {
  expect(() => iniArgs(ini)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
  expect(() => iniText(ini)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
});
