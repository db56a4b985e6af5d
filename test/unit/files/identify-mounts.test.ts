/** Processes that open the same mounts at the same time: who marks them, and whose looks disturb nobody. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MirroredMounts } from '../../../src/files/mirrored-mounts.js';
import { type MountMark, markPath, newMarks, parseMark } from '../../../src/files/mount-mark.js';
import { createFile } from '../../../src/files/replace-file.js';

let root: string;
let opened: MirroredMounts[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-marks-'));
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((mirrored) => mirrored.close()));
  rmSync(root, { recursive: true, force: true });
});

function newFolders(...names: string[]): string[] {
  const mounts = names.map((name) => join(root, name));
  for (const mount of mounts) mkdirSync(mount, { recursive: true });
  return mounts;
}

async function open(mounts: readonly string[]): Promise<MirroredMounts> {
  const mirrored = await MirroredMounts.open({
    mounts,
    optionPath: 'mounts',
    operationTimeoutMs: 60_000,
    monitorIntervalMs: 60_000,
  });
  opened.push(mirrored);
  return mirrored;
}

function mark(mount: string, as: MountMark): void {
  mkdirSync(join(mount, '.stormlamp'));
  writeFileSync(markPath(mount), JSON.stringify({ version: 1, ...as }));
}

const markOf = (mount: string) => parseMark(readFileSync(markPath(mount), 'utf8'));
const phases = (mirrored: MirroredMounts): string[] => mirrored.status().map(({ health }) => health.phase);

test('stores that open new mounts at once agree on one set', async () => {
  for (let trial = 0; trial < 5; trial += 1) {
    const mounts = newFolders(`${trial}/a`, `${trial}/b`, `${trial}/c`);
    const together = await Promise.all(Array.from({ length: 6 }, () => open(mounts)));
    const members = markOf(mounts[0] ?? '')?.members;
    expect(mounts.map((mount) => markOf(mount)?.id)).toEqual(members);
    expect(mounts.map((mount) => markOf(mount)?.members)).toEqual([members, members, members]);
    for (const mirrored of together) {
      expect(mirrored.mounts.map(({ id }) => id)).toEqual(members);
      await mirrored.checkNow();
      expect(phases(mirrored)).toEqual(['healthy', 'healthy', 'healthy']);
    }
    expect(phases(await open(mounts))).toEqual(['healthy', 'healthy', 'healthy']);
    // Whoever was not the first leaves nothing behind.
    for (const mount of mounts) expect(readdirSync(join(mount, '.stormlamp'))).toEqual(['mount.json']);
  }
});

test('a mount that somebody is just marking is waited for', async () => {
  const mounts = newFolders('a', 'b');
  const [first, second] = newMarks(2);
  if (first === undefined || second === undefined) throw new Error('two marks were asked for');
  mark(mounts[0] ?? '', first);
  const opening = open(mounts);
  // Fewer turns than it looks: it cannot have given up, however slow the machine is.
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  mark(mounts[1] ?? '', second);
  expect(phases(await opening)).toEqual(['healthy', 'healthy']);
});

test('a mount without a mark beside marked ones is not mounted, or new: nobody marks it', async () => {
  const mounts = newFolders('a', 'b');
  await (await open(mounts)).close();
  rmSync(join(mounts[1] ?? '', '.stormlamp'), { recursive: true });
  expect(phases(await open(mounts))).toEqual(['healthy', 'down']);
  expect(readdirSync(mounts[1] ?? '')).toEqual([]);
});

test.each([['[b, a]'], ['[a, b, c]']])('the list %s is refused for the set [a, b]', async (list) => {
  await open(newFolders('a', 'b'));
  const mounts = newFolders(...list.slice(1, -1).split(', '));
  await expect(open(mounts)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

test('two names of one folder are refused', async () => {
  const [folder = ''] = newFolders('a');
  symlinkSync(folder, join(root, 'b'));
  await expect(open([folder, join(root, 'b')])).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

test('of many that make one file one does, and what it wrote stays', async () => {
  const path = join(root, 'file');
  const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`);
  const made = await Promise.all(texts.map((text) => createFile(path, text)));
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(readFileSync(path, 'utf8')).toBe(texts[made.indexOf(true)]);
  expect(readdirSync(root)).toEqual(['file']);
});

test('looks of several stores of one process at one mount do not disturb each other', async () => {
  const mounts = newFolders('a');
  const stores = await Promise.all([open(mounts), open(mounts), open(mounts)]);
  const changes: unknown[] = [];
  for (const mirrored of stores) mirrored.on('mount-changed', (change) => void changes.push(change));
  for (let turn = 0; turn < 100; turn += 1) await Promise.all(stores.map((one) => one.checkNow()));
  expect(changes).toEqual([]);
  expect(readdirSync(join(mounts[0] ?? '', '.stormlamp'))).toEqual(['mount.json']);
});

test('a mark that is half written is none', async () => {
  const mounts = newFolders('a', 'b');
  await (await open(mounts)).close();
  writeFileSync(markPath(mounts[1] ?? ''), '');
  const mirrored = await open(mounts);
  expect(mirrored.status()[1]?.health).toMatchObject({ phase: 'down', why: 'unmarked' });
});
