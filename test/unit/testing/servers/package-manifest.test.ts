import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  isUnchanged,
  MANIFEST_FORMAT,
  type PackageManifest,
  readManifest,
  verifiedProgram,
  writeManifest,
} from '../../../../src/testing/servers/package-manifest.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-manifest-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const manifest: PackageManifest = {
  format: MANIFEST_FORMAT,
  set: 'debian-bookworm-lamp-amd64',
  architecture: 'amd64',
  createdAt: '2026-01-01T00:00:00.000Z',
  sources: ['http://mirror.test/debian bookworm main'],
  requested: ['memcached'],
  packages: { memcached: '1.6.18-1' },
  programs: {},
};

test('a manifest that was written is read again, and nothing else is left in the folder', () => {
  writeManifest(folder, manifest);
  expect(readManifest(folder)).toEqual(manifest);
  expect(readdirSync(folder)).toEqual(['manifest.json']);
});

test.each([
  ['nothing', undefined],
  ['half of one', '{"format":1,"set":'],
  ['another format', JSON.stringify({ ...manifest, format: 2 })],
  ['not an object', '[]'],
  ['missing parts', '{"format":1}'],
])('a folder with %s has no manifest', (_, text) => {
  if (text !== undefined) writeFileSync(join(folder, 'manifest.json'), text);
  expect(readManifest(folder)).toBeUndefined();
});

test('a program that was replaced or removed since it was run is noticed', () => {
  writeFileSync(join(folder, 'memcached'), 'one');
  const program = verifiedProgram(folder, 'memcached', '1.6.18');
  expect(isUnchanged(folder, program)).toBe(true);
  utimesSync(join(folder, 'memcached'), 1, 1);
  expect(isUnchanged(folder, program)).toBe(false);
  rmSync(join(folder, 'memcached'));
  expect(isUnchanged(folder, program)).toBe(false);
});
