import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { type AddressMap, translatorOf } from '../../../src/mysql/address-map.js';

const asked = (given: unknown) => () => translatorOf((() => given) as AddressMap)('db1:3306');

test('what is not in the map is right as it is', () => {
  expect(translatorOf(undefined)('db1:3306')).toBe('db1:3306');
  const map = translatorOf({ 'db1:3306': '10.0.0.1:3307', 'db2:3306': '[::1]:3306' });
  expect(['db1:3306', 'db2:3306', 'db3:3306', 'toString:1'].map(map)).toEqual([
    '10.0.0.1:3307',
    '[::1]:3306',
    'db3:3306',
    'toString:1',
  ]);
  expect(asked(undefined)()).toBe('db1:3306');
  expect(asked(null)()).toBe('db1:3306');
  expect(asked('10.0.0.1:1')()).toBe('10.0.0.1:1');
});

describe('a function that is of no use is an error with its name, the address and the remedy', () => {
  test.each<[string, () => unknown, string]>([
    ['no port', () => 'db1', 'gave `db1` (string)'],
    ['no such port', () => 'db1:65536', 'gave `db1:65536` (string)'],
    ['a port of 0', () => 'db1:0', 'gave `db1:0` (string)'],
    ['a password', () => 'mysql://app:secret@db1:3306', 'gave `mysql://app:***@db1:3306` (string)'],
    ['a number', () => 3306, 'gave `3306` (number)'],
    ['an object', () => ({ host: 'db1' }), 'gave an object'],
    ['a promise', async () => 'db1:3306', 'gave a promise'],
    ['a promise that is rejected', () => Promise.reject(new Error('boom')), 'gave a promise'],
  ])('%s', (_, given, what) => {
    expect(() => translatorOf(given as AddressMap)('db1:3306')).toThrow(
      expect.objectContaining({
        code: ErrorCode.INVALID_OPTION,
        message: `The function \`mysql.addressMap\` ${what} for db1:3306; it must give 'host:port', or undefined for an address that is right as it is, and at once`,
      }),
    );
  });

  test('one that throws', () => {
    const boom = new Error('boom');
    const map = translatorOf(() => {
      throw boom;
    });
    expect(() => map('db1:3306')).toThrow(
      expect.objectContaining({
        code: ErrorCode.INVALID_OPTION,
        message: expect.stringContaining('`mysql.addressMap` failed for db1:3306: boom; it must give'),
        cause: boom,
      }),
    );
  });
});
