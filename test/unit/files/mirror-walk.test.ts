/** Walks, fills and repairs over plain folders: what two mounts tell alike, and what this user may not read. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSharedFiles, type SharedFiles } from '../../../src/files/shared-files.js';
import { asUser, below, user } from './other-user.js';

let root: string;
let a: string;
let b: string;
let files: SharedFiles;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-walk-'));
  [a, b] = [join(root, 'a'), join(root, 'b')];
  for (const folder of [root, a, b]) {
    mkdirSync(folder, { recursive: true });
    chownSync(folder, user.uid, user.gid);
  }
  files = await createSharedFiles({ mounts: [a, b], monitorIntervalMs: 600_000, operationTimeoutMs: 60_000 });
});
afterEach(async () => {
  await files?.close();
  for (const mount of [a, b]) if (existsSync(mount)) chmodSync(mount, 0o700);
  below(root);
  rmSync(root, { recursive: true, force: true });
});

const phases = (): string[] => files.status().map(({ health }) => health.phase);

describe('a write that a mount missed, of the size and date of the one before', () => {
  const modified = new Date('2020-01-01T00:00:00Z');

  beforeEach(async () => {
    await files.write('app.js', 'release 1', { modified });
    renameSync(b, join(root, 'away'));
    const { mounts } = await files.write('app.js', 'release 2', { modified });
    expect(mounts).toEqual([a]);
    renameSync(join(root, 'away'), b);
    expect(readFileSync(join(b, 'app.js'), 'utf8')).toBe('release 1');
  });

  test('gets there by the repair', async () => {
    await files.checkMounts();
    expect(phases()).toEqual(['healthy', 'healthy']);
    expect(readFileSync(join(b, 'app.js'), 'utf8')).toBe('release 2');
    // Nothing is left to be done.
    expect(await files.walk()).toMatchObject({ looked: 1, copied: 0, failed: 0 });
  });

  test.each(['heal', 'one-way'] as const)('gets there by a walk, %s', async (mode) => {
    const other = await createSharedFiles({ mounts: [a, b], monitorIntervalMs: 600_000 });
    try {
      expect(await other.walk({ mode })).toMatchObject({ looked: 1, failed: 0 });
      expect(readFileSync(join(b, 'app.js'), 'utf8')).toBe('release 2');
      expect(await other.walk({ mode })).toMatchObject({ copied: 0, failed: 0 });
    } finally {
      await other.close();
    }
  });
});

describe('a folder that this user may not read', () => {
  beforeEach(() => {
    for (const mount of [a, b]) {
      mkdirSync(join(mount, 'lost+found'), { mode: 0 });
      chmodSync(join(mount, 'lost+found'), 0);
    }
    writeFileSync(join(a, 'zebra'), 'z');
    chownSync(join(a, 'zebra'), user.uid, user.gid);
  });

  test.each(['heal', 'one-way'] as const)('is told, and the walk goes on: %s', async (mode) => {
    const failed: string[] = [];
    const report = await asUser(() =>
      files.walk({ mode, onProgress: ({ name, error }) => void (error && failed.push(name)) }),
    );
    expect(report).toMatchObject({ copied: 1, failed: 1 });
    expect(failed).toEqual(['lost+found']);
    expect(readFileSync(join(b, 'zebra'), 'utf8')).toBe('z');
  });

  test('is not emptied on the others by a walk that prunes', async () => {
    chmodSync(join(b, 'lost+found'), 0o700);
    chownSync(join(b, 'lost+found'), user.uid, user.gid);
    writeFileSync(join(b, 'lost+found', 'found'), 'f');
    const report = await asUser(() => files.walk({ mode: 'one-way', from: a, prune: true }));
    expect(report).toMatchObject({ deleted: 0, failed: 1 });
    expect(existsSync(join(b, 'lost+found', 'found'))).toBe(true);
  });

  test('does not keep a mount from being filled', async () => {
    await asUser(() => files.fill(b));
    expect(phases()).toEqual(['healthy', 'healthy']);
    expect(readFileSync(join(b, 'zebra'), 'utf8')).toBe('z');
  });
});

test('a fill that fails leaves a mount as well as it was', async () => {
  writeFileSync(join(a, 'file'), 'f');
  chownSync(join(a, 'file'), user.uid, user.gid);
  mkdirSync(join(b, '.stormlamp', 'deleted'), { mode: 0o700 });
  chmodSync(join(b, '.stormlamp', 'deleted'), 0);
  await expect(asUser(() => files.fill(b))).rejects.toMatchObject({ code: 'EACCES' });
  expect(phases()).toEqual(['healthy', 'healthy']);
  // One that was never filled stays so.
  rmSync(join(b, '.stormlamp'), { recursive: true });
  mkdirSync(join(a, '.stormlamp', 'deleted'), { mode: 0o700 });
  chmodSync(join(a, '.stormlamp', 'deleted'), 0);
  await expect(asUser(() => files.fill(b))).rejects.toMatchObject({ code: 'EACCES' });
  expect(phases()).toEqual(['healthy', 'filling']);
});
