import { expect, test } from 'vitest';
import { TouchedLately } from '../../../src/session/touched-lately.js';

test('a session is touched once within a second, whatever others do', () => {
  const touched = new TouchedLately();
  expect(touched.isDue('a', 5_000)).toBe(true);
  expect(touched.isDue('a', 5_000)).toBe(false);
  expect(touched.isDue('b', 5_999)).toBe(true);
  expect(touched.isDue('a', 5_999)).toBe(false);
  expect(touched.isDue('a', 6_000)).toBe(true);
  expect(touched.isDue('a', 6_500)).toBe(false);
});

test('a touch that failed is made again by the next request', () => {
  const touched = new TouchedLately();
  touched.isDue('a', 0);
  touched.isDue('b', 0);
  touched.forget('a');
  expect(touched.isDue('a', 1)).toBe(true);
  expect(touched.isDue('b', 1)).toBe(false);
});
