/** Folders of any size are listed by calls of one size. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { closeQuietly } from '../../../src/files/close-quietly.js';
import { listFolder } from '../../../src/files/list-folder.js';
import type { Mount } from '../../../src/files/mount.js';

let folder: string;
let calls: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-list-'));
  calls = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const mount = {
  run: (what: string, work: () => Promise<unknown>) => {
    calls.push(what);
    return work();
  },
  close: (handle: Parameters<typeof closeQuietly>[0]) => {
    calls.push('Closing');
    return closeQuietly(handle);
  },
} as Partial<Mount> as Mount;

test('a folder is read piece by piece, each by a call with a deadline of its own', async () => {
  const names = Array.from({ length: 600 }, (_, index) => `sess_${index}`);
  for (const name of names) writeFileSync(join(folder, name), '');
  const pieces: string[][] = [];
  for await (const piece of listFolder(mount, folder)) pieces.push(piece.map(({ name }) => name));
  expect(pieces.map(({ length }) => length)).toEqual([256, 256, 88]);
  expect(pieces.flat().sort()).toEqual([...names].sort());
  expect(calls).toEqual(['Opening a folder', 'Listing', 'Listing', 'Listing', 'Listing', 'Closing']);
});

test('a folder that is not there holds nothing, and one that is left early is closed', async () => {
  for await (const piece of listFolder(mount, join(folder, 'missing'))) expect(piece).toEqual([]);
  expect(calls).toEqual(['Opening a folder']);
  writeFileSync(join(folder, 'file'), '');
  for await (const piece of listFolder(mount, folder)) {
    expect(piece).toHaveLength(1);
    break;
  }
  expect(calls.at(-1)).toBe('Closing');
});
