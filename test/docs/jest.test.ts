/** What docs/testing.md says about Jest holds, in a project of its own into which the package is linked. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Finished, ROOT, startNode } from '../support/run-node.js';
import { blocksOf } from './run-block.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-jest-'));
  mkdirSync(join(folder, 'node_modules'));
  link('stormlamp', ROOT);
  for (const name of ['jest', '@jest']) link(name, join(ROOT, 'node_modules', name));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function link(name: string, target: string): void {
  symlinkSync(target, join(folder, 'node_modules', name));
}

/** Jest, as the page's script starts it; its report is on standard error. */
function jest(project: object, files: Readonly<Record<string, string>>): Promise<Finished> {
  writeFileSync(join(folder, 'package.json'), JSON.stringify(project));
  for (const [name, code] of Object.entries(files)) writeFileSync(join(folder, name), code);
  const [script = ''] = blocksOf('docs/testing.md', 'json');
  const { scripts } = JSON.parse(script) as { scripts: { test: string } };
  const [command, ...args] = scripts.test.split(' ');
  expect(command).toBe('node');
  return startNode([...args, '--ci'], { cwd: folder }).finished;
}

function passes({ code, stderr }: Finished, tests: number): void {
  expect([code, /^Tests: +(.*)$/m.exec(stderr)?.[1]], stderr).toEqual([0, `${tests} passed, ${tests} total`]);
}

const [BLOCK = '', ...OTHERS] = blocksOf('docs/testing.md', 'js').filter((block) =>
  block.includes('@jest/globals'),
);

test('the project of the page, and its tests', async () => {
  expect(OTHERS).toEqual([]);
  const [project = ''] = blocksOf('docs/testing.md', 'json');
  passes(await jest(JSON.parse(project) as object, { 'page.test.js': BLOCK }), 2);
});

test('without "type": "module"; CommonJS imports it, and a fake date alone does no harm', async () => {
  const page = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8');
  const [fakeDate] = /\{ now, doNotFake: .*? \}/.exec(page) ?? [];
  const common = `
    test('a query', async () => {
      const now = Date.UTC(2001, 1, 1);
      jest.useFakeTimers(${fakeDate});
      const { fakeCluster } = await import('stormlamp/testing');
      const fake = await fakeCluster();
      fake.answer('SELECT 1 AS one', [{ one: 1 }]);
      const [rows] = await fake.cluster.mysql.query('SELECT 1 AS one');
      expect([rows, new Date().getUTCFullYear()]).toEqual([[{ one: 1 }], 2001]);
      await fake.close();
    });`;
  const project = { jest: { testMatch: ['**/*.test.mjs', '**/common.test.js'] } };
  passes(await jest(project, { 'page.test.mjs': BLOCK, 'common.test.js': common }), 3);
});
