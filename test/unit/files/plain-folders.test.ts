/** Parts that need nothing but folders: writing in place, turns, a read that goes on elsewhere, folders that are never made. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { KeyedQueue } from '../../../src/files/keyed-queue.js';
import { makeFolders } from '../../../src/files/make-folders.js';
import { checkMountPaths, MirroredMounts } from '../../../src/files/mirrored-mounts.js';
import { readShared } from '../../../src/files/read-shared.js';
import { resolveSharedFilesOptions } from '../../../src/files/shared-files-options.js';
import { writeInPlace } from '../../../src/files/write-in-place.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-files-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

test('writing in place leaves exactly the new bytes, whatever was there', async () => {
  const path = join(root, 'file');
  const bytes = fc.uint8Array({ maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(bytes, bytes, async (before, after) => {
      writeFileSync(path, before);
      const handle = await open(path, 'r+');
      await writeInPlace(handle, Buffer.from(after), Buffer.from(before));
      await handle.close();
      expect(readFileSync(path)).toEqual(Buffer.from(after));
    }),
    { numRuns: 50 },
  );
});

describe('turns', () => {
  test('of one key come one after the other, also after a failure; other keys do not wait', async () => {
    const queue = new KeyedQueue();
    const told: string[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = queue.run('a', async () => {
      await held;
      told.push('a1');
      throw new Error('failed');
    });
    const second = queue.run('a', async () => void told.push('a2'));
    await queue.run('b', async () => void told.push('b'));
    release();
    await expect(first).rejects.toThrow('failed');
    await second;
    expect(told).toEqual(['b', 'a1', 'a2']);
    await Promise.resolve();
    expect(queue.size).toBe(0);
  });
});

test('folders are made below a mount, and the mount itself never is', async () => {
  const mount = join(root, 'mount');
  await expect(makeFolders(mount, join(mount, 'a/b'), { mode: 0o700 })).rejects.toMatchObject({
    code: 'ENOENT',
  });
  expect(existsSync(mount)).toBe(false);
  mkdirSync(mount);
  await makeFolders(mount, join(mount, 'a/b'), { mode: 0o700 });
  expect(existsSync(join(mount, 'a/b'))).toBe(true);
});

describe('mounts', () => {
  async function openTwo(): Promise<MirroredMounts> {
    const mounts = [join(root, 'a'), join(root, 'b')];
    for (const mount of mounts) mkdirSync(mount, { recursive: true });
    return MirroredMounts.open({
      mounts,
      optionPath: 'mounts',
      operationTimeoutMs: 1_000,
      monitorIntervalMs: 60_000,
    });
  }

  test('a read goes on from the next mount when its own fails in the middle', async () => {
    const mirrored = await openTwo();
    const bytes = randomBytes(1_000_000);
    const date = new Date(1_700_000_000_000);
    const { utimesSync } = await import('node:fs');
    for (const mount of mirrored.mounts) {
      writeFileSync(mount.at('film'), bytes);
      utimesSync(mount.at('film'), date, date);
    }
    const fell: string[] = [];
    const settings = {
      offset: 0,
      sha256: undefined,
      onFallover: ({ mount }: { mount: string }) => void fell.push(mount),
    };
    const pieces: Buffer[] = [];
    for await (const piece of readShared(mirrored, 'film', settings, Deadline.of(undefined))) {
      pieces.push(piece);
      if (pieces.length === 1)
        mirrored.mounts[0]?.become({ phase: 'down', why: 'failing', error: new Error('EIO') });
    }
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
    expect(fell).toEqual([join(root, 'a')]);
    await mirrored.close();
  });

  test('but not from another file of the same name', async () => {
    const mirrored = await openTwo();
    for (const mount of mirrored.mounts)
      writeFileSync(mount.at('film'), randomBytes(mount.path.endsWith('a') ? 600_000 : 500_000));
    const settings = { offset: 0, sha256: undefined, onFallover: () => undefined };
    const read = readShared(mirrored, 'film', settings, Deadline.of(undefined));
    await read.next();
    mirrored.mounts[0]?.become({ phase: 'down', why: 'failing', error: new Error('EIO') });
    await expect(buffer(Readable.from(read))).rejects.toMatchObject({ code: 'ERR_FILE_CHANGED' });
    await mirrored.close();
  });

  test('a folder that vanishes is down, and healthy again when it is back', async () => {
    const mirrored = await openTwo();
    const phases: string[] = [];
    mirrored.on('mount-changed', ({ after }) => void phases.push('why' in after ? after.why : after.phase));
    renameSync(join(root, 'a'), join(root, 'away'));
    await mirrored.checkNow();
    expect(mirrored.readable().map(({ path }) => path)).toEqual([join(root, 'b')]);
    renameSync(join(root, 'away'), join(root, 'a'));
    await mirrored.checkNow();
    expect(phases).toEqual(['missing', 'healthy']);
    await mirrored.close();
  });

  test('when none is there the error names every one', async () => {
    const mounts = [join(root, 'x'), join(root, 'y')];
    const opening = MirroredMounts.open({
      mounts,
      optionPath: 'mounts',
      operationTimeoutMs: 1_000,
      monitorIntervalMs: 60_000,
    });
    const error = await opening.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_STORE_DOWN' });
    for (const mount of mounts) expect(String(error)).toContain(mount);
    expect(existsSync(mounts[0] ?? '')).toBe(false);
  });
});

test.each([[[]], [['/a', '/a']], [['/a', '/a/b']], [['']], ['/a']])('%j is no list of mounts', (mounts) => {
  expect(() => checkMountPaths('mounts', mounts)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
  );
});

test('options are checked by name', () => {
  const options = { mounts: ['/a'], tombstoneMS: 1 } as never;
  expect(() => resolveSharedFilesOptions(options)).toThrow(/did you mean `tombstoneMs`/);
  expect(() => resolveSharedFilesOptions({ mounts: ['/a'], lockWaitMs: -1 })).toThrow(/lockWaitMs/);
  expect(resolveSharedFilesOptions({ mounts: ['/a'] })).toMatchObject({ acks: 'one', lockWaitMs: 10_000 });
});
