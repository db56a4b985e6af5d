/** What is remembered of missed writes, deletions and replaced ids, and cannot be read any more: it counts as the worst that it may say. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSharedFiles, type SharedFiles } from '../../../src/files/shared-files.js';
import { createSessionStore } from '../../../src/session/create-session-store.js';
import type { FileSessionStore } from '../../../src/session/file-session-store.js';

let root: string;
let mounts: readonly [string, string];
let a: string;
let b: string;
const open: { close(): Promise<void> }[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-damaged-'));
  mounts = [join(root, 'a'), join(root, 'b')];
  [a, b] = mounts;
  for (const mount of mounts) mkdirSync(mount);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  rmSync(root, { recursive: true, force: true });
});

async function openFiles(): Promise<SharedFiles> {
  const files = await createSharedFiles({
    mounts: [...mounts],
    monitorIntervalMs: 600_000,
    operationTimeoutMs: 60_000,
  });
  open.push(files);
  return files;
}

async function openStore(): Promise<FileSessionStore> {
  const store = await createSessionStore({
    mounts: [...mounts],
    monitorIntervalMs: 600_000,
    operationTimeoutMs: 60_000,
  });
  open.push(store);
  return store;
}

const mark = (mount: string): string => join(mount, '.stormlamp', 'mount.json');
const away = (mount: string): void => renameSync(mark(mount), `${mark(mount)}.away`);
const back = (mount: string): void => renameSync(`${mark(mount)}.away`, mark(mount));

/** The files of a kind that a mount keeps for us. */
function ownFiles(mount: string, kind: 'missed' | 'deleted' | 'retired'): string[] {
  const folder = join(mount, '.stormlamp', kind);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  'is empty': (path) => truncateSync(path),
  'was cut': (path) => truncateSync(path, 10),
  'is of another file': (path) =>
    writeFileSync(path, JSON.stringify({ name: 'other', kind: 'write', superseded: null, at: 1 })),
};

/** Damages every record, without giving it another date. */
function damage(paths: readonly string[], how: (path: string) => void): void {
  expect(paths).not.toEqual([]);
  for (const path of paths) {
    const now = new Date();
    how(path);
    utimesSync(path, now, now);
  }
}

describe.each(Object.entries(DAMAGES))('a record of a missed write that %s', (_name, how) => {
  test('still keeps the old copy from answering, and the mount gets the session', async () => {
    const store = await openStore();
    const session = store.create();
    session.data['n'] = 1;
    await store.save(session);
    away(a);
    await store.checkMounts();
    session.data['n'] = 2;
    await store.save(session);
    damage(ownFiles(b, 'missed'), how);
    back(a);
    // Nobody has looked at the mounts since: the old copy is asked first.
    expect((await store.load(session.id)).data).toEqual({ n: 2 });
    await store.checkMounts();
    expect((await store.load(session.id)).data).toEqual({ n: 2 });
    expect(readFileSync(join(a, `sess_${session.id}`), 'utf8')).toBe('n|i:2;');
    expect(ownFiles(b, 'missed')).toEqual([]);
  });

  test('also of a session that is new, and of one that was ended', async () => {
    const store = await openStore();
    const ended = store.create();
    ended.data['user'] = 'ada';
    await store.save(ended);
    away(a);
    await store.checkMounts();
    await store.destroy(ended.id);
    const fresh = store.create();
    fresh.data['n'] = 1;
    await store.save(fresh);
    damage(ownFiles(b, 'missed'), how);
    back(a);
    await store.checkMounts();
    expect((await store.load(ended.id)).exists).toBe(false);
    expect(existsSync(join(a, `sess_${ended.id}`))).toBe(false);
    expect((await store.load(fresh.id)).data).toEqual({ n: 1 });
    expect(readFileSync(join(a, `sess_${fresh.id}`), 'utf8')).toBe('n|i:1;');
  });

  test('does not overrule what PHP wrote on that mount since', async () => {
    const store = await openStore();
    const session = store.create();
    session.data['n'] = 1;
    await store.save(session);
    away(a);
    await store.checkMounts();
    session.data['n'] = 2;
    await store.save(session);
    damage(ownFiles(b, 'missed'), how);
    for (const path of ownFiles(b, 'missed')) utimesSync(path, new Date(1_000), new Date(1_000));
    back(a);
    writeFileSync(join(a, `sess_${session.id}`), 'n|i:7;');
    await store.checkMounts();
    for (const mount of mounts)
      expect(readFileSync(join(mount, `sess_${session.id}`), 'utf8')).toBe('n|i:7;');
  });

  test('brings a shared file, also one of the same size and date, by its repair and by a walk', async () => {
    for (const mend of ['repair', 'walk'] as const) {
      const files = await openFiles();
      const modified = new Date(1_700_000_000_000);
      const name = `deep/folder/${mend}.txt`;
      await files.write(name, 'release 1', { modified });
      away(a);
      await files.checkMounts();
      await files.write(name, 'release 2', { modified });
      damage(ownFiles(b, 'missed'), how);
      back(a);
      if (mend === 'repair') await files.checkMounts();
      else await files.walk();
      expect(readFileSync(join(a, name), 'utf8')).toBe('release 2');
      expect(ownFiles(b, 'missed')).toEqual([]);
      await files.close();
    }
  });
});

test('a record of no file that is there is left alone, and looked for once', async () => {
  const files = await openFiles();
  await files.write('x', '1');
  away(a);
  await files.checkMounts();
  await files.write('x', '2');
  damage(ownFiles(b, 'missed'), (path) => truncateSync(path));
  rmSync(join(b, 'x'));
  rmSync(join(a, 'x'));
  back(a);
  const failed: unknown[] = [];
  files.on('repair-failed', (event) => void failed.push(event));
  await files.checkMounts();
  await files.checkMounts();
  expect(failed).toEqual([]);
  expect(ownFiles(b, 'missed')).toHaveLength(1);
  await files.write('x', '3');
  expect(ownFiles(b, 'missed')).toEqual([]);
});

test('a deletion that cannot be read happened when it was written down', async () => {
  const files = await openFiles();
  await files.write('x', '1');
  away(b);
  await files.checkMounts();
  await files.delete('x');
  damage(ownFiles(a, 'deleted'), (path) => truncateSync(path));
  rmSync(join(a, '.stormlamp', 'missed'), { recursive: true });
  back(b);
  await files.walk();
  expect(existsSync(join(b, 'x'))).toBe(false);
});

test('a walk leaves alone what another process has not finished, however short deletions are remembered', async () => {
  const files = await createSharedFiles({
    mounts: [...mounts],
    tombstoneMs: 1_000,
    monitorIntervalMs: 600_000,
    operationTimeoutMs: 60_000,
  });
  open.push(files);
  await files.write('x', '1');
  await files.delete('x');
  const [tombstone = ''] = ownFiles(a, 'deleted');
  const folder = join(a, '.stormlamp', 'deleted');
  const [unfinished, leftover] = ['.stormlamp-1.tmp', '.stormlamp-2.tmp'].map((name) => join(folder, name));
  for (const path of [unfinished, leftover]) writeFileSync(path ?? '', '');
  const [lately, longAgo] = [new Date(Date.now() - 10_000), new Date(Date.now() - 172_800_000)];
  utimesSync(unfinished ?? '', lately, lately);
  utimesSync(leftover ?? '', longAgo, longAgo);
  writeFileSync(tombstone, JSON.stringify({ name: 'x', at: Date.now() - 10_000 }));
  await files.walk();
  expect(ownFiles(a, 'deleted')).toEqual([unfinished]);
});

test('a note of a replaced id that cannot be read ends the old session', async () => {
  const store = await openStore();
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  const renewed = await store.regenerate(session, { graceMs: 600_000 });
  for (const mount of mounts) damage(ownFiles(mount, 'retired'), (path) => truncateSync(path, 5));
  const other = await openStore();
  expect((await other.load(session.id)).exists).toBe(false);
  expect((await other.load(renewed.id)).data).toEqual({ user: 'ada' });
});
