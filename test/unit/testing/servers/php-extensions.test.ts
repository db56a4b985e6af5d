import { expect, test } from 'vitest';
import { extensionArgs, parsePhpExtensions } from '../../../../src/testing/servers/php-extensions.js';

const all = ['igbinary', 'msgpack', 'memcached', 'memcache', 'mysqlnd', 'mysqli', 'pdo', 'pdo_mysql'];

function loads(loaded: readonly string[], files: readonly string[]): readonly string[] {
  const has = (path: string): boolean => files.some((name) => path === `/ext/${name}.so`);
  return extensionArgs({ folder: '/ext', loaded }, has).filter((argument) => argument !== '-d');
}

test('serializers are loaded before memcached, and mysqlnd before mysqli', () => {
  expect(loads(['core', 'session'], all)).toEqual([
    'extension=igbinary.so',
    'extension=msgpack.so',
    'extension=memcached.so',
    'extension=memcache.so',
    'extension=mysqlnd.so',
    'extension=mysqli.so',
    'extension=pdo.so',
    'extension=pdo_mysql.so',
  ]);
});

test('what is built in is not loaded, what has no file cannot be', () => {
  expect(loads(['session', 'memcached', 'igbinary', 'mysqlnd'], ['igbinary', 'mysqli'])).toEqual([
    'extension=mysqli.so',
  ]);
});

test('the answer is found among warnings, and names lose their case', () => {
  const output = 'PHP Warning: something\n\nstormlamp:{"dir":"/ext","loaded":["Core","PDO"]}\n';
  expect(parsePhpExtensions(output)).toEqual({ folder: '/ext', loaded: ['core', 'pdo'] });
});

test.each(['', 'stormlamp:{', 'stormlamp:null', 'stormlamp:{"dir":1,"loaded":[]}'])(
  '%j is no answer',
  (text) => {
    expect(parsePhpExtensions(text)).toBeUndefined();
  },
);
