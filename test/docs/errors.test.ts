/** The page about errors has every code with its cause and what to do, and a test on real servers produces each. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import { errorPage } from '../support/error-page.js';
import { ROOT } from '../support/run-node.js';

const CODES: readonly string[] = Object.values(ErrorCode);

function sources(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, folder, file), 'utf8'));
}

/** The codes that `texts` name, as `'ERR_X'` or as `ErrorCode.X`. */
function named(texts: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const text of texts) {
    for (const [, name] of text.matchAll(/(?:'ERR_|\bErrorCode\.)([A-Z_]+)\b/g)) found.add(`ERR_${name}`);
  }
  return found;
}

test('every code has an entry, and nothing else has', () => {
  expect([...errorPage().keys()].sort()).toEqual([...CODES].sort());
});

test('the page begins with all of them from A to Z, each of which leads to its entry', () => {
  const [, list = ''] = /^A to Z: (.*)\.$/m.exec(readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')) ?? [];
  expect(list.split(', ')).toEqual([...CODES].sort().map((code) => `[${code}](#${code.toLowerCase()})`));
});

test.each([...errorPage()])('%s says what happened, why, and what to do', (_code, { text }) => {
  expect(text).toMatch(/^\n[A-Z].{15,}\.\n/);
  expect(text).toMatch(/\n- \*\*Cause:\*\* .{20,}/);
  expect(text).toMatch(/\n- \*\*What to do:\*\* .{10,}/);
});

test('every code that can be met is met in a test on real servers', () => {
  const thrown = named(sources('src').filter((text) => !text.includes('export const ErrorCode = {')));
  // PHP values need no server, and the unit tests of files work on real folders.
  const folders = ['integration', 'docs', 'peers', 'chaos', 'unit/php', 'unit/files'];
  const tested = named(folders.flatMap((folder) => sources(join('test', folder))));
  expect(CODES.filter((code) => thrown.has(code) && !tested.has(code))).toEqual([]);
});
