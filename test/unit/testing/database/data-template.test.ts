import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { copyData, type DataTemplate, dataTemplate } from '../../../../src/testing/database/data-template.js';

let root: string;
let made: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'template-'));
  vi.stubEnv('STORMLAMP_CACHE', root);
  made = [];
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

function template(fingerprint: string, make?: (folder: string) => Promise<void>): DataTemplate {
  return {
    name: 'mariadb-10.11.14 (x)',
    fingerprint: [fingerprint],
    make: make ?? (async (folder) => writeFileSync(join(folder, 'ibdata1'), fingerprint)),
    instead: join(root, 'instead'),
    onFolder: () => undefined,
    onMake: () => made.push(fingerprint),
  };
}

test('a template is made once for each kind of data and then copied', async () => {
  const first = await dataTemplate(template('a'));
  expect(await dataTemplate(template('a'))).toBe(first);
  const other = await dataTemplate(template('b'));
  expect(made).toEqual(['a', 'b']);
  expect(other).not.toBe(first);
  const copy = join(root, 'copy');
  await copyData(first, copy);
  expect(readFileSync(join(copy, 'ibdata1'), 'utf8')).toBe('a');
});

test('one that failed leaves nothing, and is made anew the next time', async () => {
  const failing = template('a', async (folder) => {
    writeFileSync(join(folder, 'half'), '');
    throw new Error('no space');
  });
  await expect(dataTemplate(failing)).rejects.toThrow('no space');
  expect(readdirSync(join(root, 'data'))).toEqual([]);
  await dataTemplate(template('a'));
  expect(made).toEqual(['a', 'a']);
});

test('of two that are made at the same time one is kept', async () => {
  const folders = await Promise.all([dataTemplate(template('a')), dataTemplate(template('a'))]);
  expect(folders[0]).toBe(folders[1]);
  expect(readdirSync(join(root, 'data'))).toHaveLength(1);
});
