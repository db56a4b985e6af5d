import { describe, expect, test } from 'vitest';
import {
  differenceOf,
  isWithin,
  missingOf,
  readTransactions,
  type TransactionSet,
  unionOf,
} from '../../../../src/failover/survey/transaction-set.js';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '4e11fa47-71ca-11e1-9e33-c80aa9429562';

function set(flavor: 'mysql' | 'mariadb', text: string): TransactionSet {
  const read = readTransactions(flavor, text);
  if (read === undefined) throw new Error(`not a set: ${text}`);
  return read;
}

describe('MySQL', () => {
  test.each([
    [`${A}:1-10`, `${A}:1-7`, 3, `${A}:8-10`],
    [`${A}:1-10`, `${A}:1-3:5-10`, 1, `${A}:4`],
    [`${A}:1-10,${B}:1-2`, `${A}:1-10`, 2, `${B}:1-2`],
    [`${A}:1-3`, `${A}:1-10`, 0, ''],
    ['', `${A}:1`, 0, ''],
  ])('%s lacks nothing but what %s has not', (wanted, have, count, text) => {
    expect(missingOf('mysql', set('mysql', wanted), set('mysql', have))).toEqual({ count, text });
    expect(isWithin(set('mysql', wanted), set('mysql', have))).toBe(count === 0);
  });

  test('a union closes gaps', () => {
    const union = unionOf(set('mysql', `${A}:1-3:7-9`), set('mysql', `${A}:4-6`));
    expect(differenceOf(set('mysql', `${A}:1-9`), union).size).toBe(0);
  });
});

describe('MariaDB', () => {
  test.each([
    ['0-1-107', '0-1-7', 100],
    ['0-1-100,0-2-110', '0-1-100', 10],
    // Another history with higher numbers proves nothing.
    ['0-2-8', '0-1-9', 1],
    ['0-1-5', '0-1-5', 0],
    ['0-1-5,7-3-2', '0-1-5', 2],
  ])('%s has %s and %i more', (wanted, have, count) => {
    expect(missingOf('mariadb', set('mariadb', wanted), set('mariadb', have)).count).toBe(count);
  });

  test('what is no position is no set', () => {
    expect(readTransactions('mariadb', "0-1-5'; DROP TABLE x")).toBeUndefined();
  });
});
