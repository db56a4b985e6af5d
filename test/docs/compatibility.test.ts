/** docs/compatibility.md is from this project's own runs: it names what is installed here, and nothing that failed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NEWER_NODE, NODE_RELEASES } from '../support/other-node.js';
import { ROOT } from '../support/run-node.js';

const page = readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8');

test.each([
  'kysely',
  'knex',
  'drizzle-orm',
  'typeorm',
  'express',
  'mysql2',
  'memjs',
  'opossum',
  'generic-pool',
])('the present release of %s is in it (npm run chaos -- compatibility writes it anew)', (name) => {
  const text = readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8');
  expect(page).toContain(`${name} ${(JSON.parse(text) as { version: string }).version}`);
});

test('the oldest Node that is let in was tried, and all others that the tests know', () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly engines: { readonly node: string };
  };
  expect(`${engines.node}.0`).toBe(`>=${NODE_RELEASES[0]}`);
  expect(NODE_RELEASES).toContain(NEWER_NODE);
  expect(page).toContain(`| | ${NODE_RELEASES.map((version) => `Node ${version}`).join(' | ')} |`);
});

test('all that was tried worked', () => {
  const cells = [...page.matchAll(/\| (yes|no)\b/g)].map(([, word]) => word);
  expect(cells.length).toBeGreaterThan(30);
  expect(new Set(cells)).toEqual(new Set(['yes']));
});
