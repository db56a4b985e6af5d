/** Where TypeScript looks for the types of every entry, also where it knows no `exports`: with `module: commonjs` up to TypeScript 5. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

const text = readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8');
const { exports: doors } = JSON.parse(text) as { exports: Record<string, { types?: string }> };
const HOME = '/app/node_modules/stormlamp';

const files = new Map([[`${HOME}/package.json`, text]]);
for (const { types } of Object.values(doors)) if (types !== undefined) files.set(resolve(HOME, types), '');
const host: ts.ModuleResolutionHost = {
  fileExists: (file) => files.has(file),
  readFile: (file) => files.get(file),
  directoryExists: (folder) => [...files.keys()].some((file) => file.startsWith(`${folder}/`)),
};

test.each([
  ['commonjs', ts.ModuleKind.CommonJS, ts.ModuleResolutionKind.Node10],
  ['nodenext', ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
  ['bundler', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
])('as %s', (_name, module, moduleResolution) => {
  const found = Object.entries(doors).flatMap(([door, { types }]) => {
    if (types === undefined) return [];
    const name = `stormlamp${door.slice(1)}`;
    const { resolvedModule } = ts.resolveModuleName(name, '/app/app.ts', { module, moduleResolution }, host);
    return [[name, resolvedModule?.resolvedFileName, resolve(HOME, types)]];
  });
  expect(found.length).toBeGreaterThan(5);
  for (const [name, is, should] of found) expect([name, is]).toEqual([name, should]);
});
