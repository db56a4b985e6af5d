/** The sessions that the benchmarks load and save are as long as their tables say. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { encodeSession } from '../../../src/php/index.js';

const { sessionOf } = (await import(
  pathToFileURL(resolve(import.meta.dirname, '../../../bench/session-data.mjs')).href
)) as { sessionOf(bytes: number): Record<string, unknown> };

test.each([200, 1_500, 2_000, 20_000, 200_000])('a session of %i bytes', (bytes) => {
  const { length } = encodeSession(sessionOf(bytes), 'php');
  expect(length).toBeGreaterThan(bytes * 0.9);
  expect(length).toBeLessThan(bytes * 1.1);
});
