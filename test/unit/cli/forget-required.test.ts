import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forgetRequired } from '../../../src/cli/forget-required.js';

const require = createRequire(import.meta.url);
let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-required-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

test('a module and its own parts are read again, packages are not', () => {
  put(
    'node_modules/counted/index.js',
    'module.exports = { reads: (globalThis.reads = (globalThis.reads ?? 0) + 1) };',
  );
  put('port.cjs', "module.exports = 1; require('./config.cjs');");
  const text =
    "const { reads } = require('counted'); module.exports = { reads, port: require('./port.cjs') };";
  const config = put('config.cjs', text);
  expect(require(config)).toEqual({ reads: 1, port: 1 });
  put('port.cjs', 'module.exports = 2;');
  expect(require(config)).toEqual({ reads: 1, port: 1 });
  forgetRequired(config);
  expect(require(config)).toEqual({ reads: 1, port: 2 });
});

test('what was never read is no error', () => {
  expect(() => forgetRequired(join(folder, 'nowhere.cjs'))).not.toThrow();
});
