import { expect, test } from 'vitest';
import { DEFAULT_ITEM_BYTES, maxValueBytes } from '../../../src/memcached/item-size.js';

test('the key and what memcached keeps beside it are taken off', () => {
  expect(maxValueBytes(DEFAULT_ITEM_BYTES, 40)).toBe(DEFAULT_ITEM_BYTES - 63 - 40);
});

test('there is no room below nothing', () => {
  expect(maxValueBytes(100, 90)).toBe(0);
});
