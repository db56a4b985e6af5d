import { describe, expect, test } from 'vitest';
import { type ChangeCommand, changeItem } from '../../../src/gateway/item-change.js';
import type { MemcachedItem } from '../../../src/memcached/memcached-node.js';

const item = (text: string, flags = 3): MemcachedItem => ({ value: Buffer.from(text), flags, cas: 9n });
const store = (how: 'set' | 'add' | 'replace' | 'append' | 'prepend', cas = 0n): ChangeCommand => ({
  op: 'store',
  how,
  key: 'k',
  value: Buffer.from('new'),
  flags: 5,
  exptime: 60,
  cas,
});
const count = (
  down: boolean,
  delta: bigint,
  create?: { initial: bigint; exptime: number },
): ChangeCommand => ({
  op: 'count',
  key: 'k',
  down,
  delta,
  create,
  cas: 0n,
});

describe('stores', () => {
  test.each([
    ['set', null, 'new', 5, 60],
    ['set', 'old', 'new', 5, 60],
    ['add', null, 'new', 5, 60],
    ['replace', 'old', 'new', 5, 60],
    ['append', 'old', 'oldnew', 3, undefined],
    ['prepend', 'old', 'newold', 3, undefined],
  ] as const)('%s over %s', (how, old, value, flags, exptime) => {
    const change = changeItem(store(how), old === null ? null : item(old), false);
    expect(change).toMatchObject({ kind: 'store', flags, exptime, answer: { status: 'stored' } });
    expect(change.kind === 'store' && change.value.toString()).toBe(value);
  });

  test.each([
    ['add', 'old', 'exists'],
    ['replace', null, 'not-found'],
    ['append', null, 'not-found'],
    ['prepend', null, 'not-found'],
  ] as const)('%s over %s is %s', (how, old, status) => {
    expect(changeItem(store(how), old === null ? null : item(old), false)).toEqual({
      kind: 'refuse',
      answer: { status },
    });
  });

  test('a version is met or not', () => {
    expect(changeItem(store('set', 7n), item('old'), true).kind).toBe('store');
    expect(changeItem(store('set', 7n), item('old'), false)).toMatchObject({ answer: { status: 'exists' } });
    expect(changeItem(store('set', 7n), null, false)).toMatchObject({ answer: { status: 'not-found' } });
  });
});

describe('numbers', () => {
  test.each([
    ['5', false, 3n, '8', 8n],
    ['18446744073709551615', false, 2n, `1${' '.repeat(19)}`, 1n],
    ['10', true, 1n, '9 ', 9n],
    ['3', true, 5n, '0', 0n],
    ['7 ', false, 1n, '8 ', 8n],
    ['99', false, 1n, '100', 100n],
  ] as const)('%j, down %s by %s', (old, down, delta, text, value) => {
    const change = changeItem(count(down, delta), item(old), false);
    expect(change).toMatchObject({
      kind: 'store',
      flags: 3,
      exptime: undefined,
      answer: { status: 'counted', value },
    });
    expect(change.kind === 'store' && change.value.toString()).toBe(text);
  });

  test.each(['', 'abc', '-1', '1x', '18446744073709551616', '1'.repeat(40)])('%j is no number', (old) => {
    expect(changeItem(count(false, 1n), item(old), false)).toMatchObject({
      answer: { status: 'not-a-number' },
    });
  });

  test('an absent number is made where that was asked for', () => {
    expect(changeItem(count(false, 1n), null, false)).toMatchObject({ answer: { status: 'not-found' } });
    expect(changeItem(count(false, 1n, { initial: 4n, exptime: 9 }), null, false)).toMatchObject({
      kind: 'store',
      exptime: 9,
      answer: { status: 'counted', value: 4n },
    });
  });
});
