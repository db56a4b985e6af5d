/** Real kernel locks: this process against itself through two open files, and against the `flock` program. */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Flock, findFlock } from '../../../src/files/flock.js';
import { flockProgram } from '../../../src/files/flock-program.js';
import { koffiFlock } from '../../../src/files/koffi-flock.js';

let folder: string;
const open: number[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-flock-'));
});
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  rmSync(folder, { recursive: true });
});
function file(flags = 'a+'): number {
  const fd = openSync(join(folder, 'file'), flags);
  open.push(fd);
  return fd;
}
function unlock(fd: number): void {
  closeSync(fd);
  open.splice(open.indexOf(fd), 1);
}
async function present(flock: Promise<Flock | undefined>): Promise<Flock> {
  const there = await flock;
  if (there === undefined) throw new Error('It is not installed here');
  return there;
}

describe.each([
  ['koffi', () => present(koffiFlock())],
  ['program', () => present(flockProgram())],
] as const)('flock via %s', (via, get) => {
  test('says what it is', async () => {
    expect((await get()).via).toBe(via);
  });

  test('an exclusive lock keeps everybody else out until its file is closed', async () => {
    const flock = await get();
    const [mine, other] = [file(), file()];
    expect(await flock.tryLock(mine, 'exclusive')).toBe(true);
    expect(await flock.tryLock(other, 'exclusive')).toBe(false);
    expect(await flock.tryLock(other, 'shared')).toBe(false);
    unlock(mine);
    expect(await flock.tryLock(other, 'exclusive')).toBe(true);
  });

  test('shared locks go together and keep an exclusive one out', async () => {
    const flock = await get();
    const [one, two, three] = [file(), file('r'), file()];
    expect(await flock.tryLock(one, 'shared')).toBe(true);
    expect(await flock.tryLock(two, 'shared')).toBe(true);
    expect(await flock.tryLock(three, 'exclusive')).toBe(false);
  });

  test('a file that is not open is an error, not a busy lock', async () => {
    const flock = await get();
    await expect(flock.tryLock(9_999, 'exclusive')).rejects.toThrow();
  });
});

test('both ways see the locks of each other', async () => {
  const [koffi, program] = [await present(koffiFlock()), await present(flockProgram())];
  const [mine, other] = [file(), file()];
  expect(await program.tryLock(mine, 'exclusive')).toBe(true);
  expect(await koffi.tryLock(other, 'exclusive')).toBe(false);
  unlock(mine);
  expect(await koffi.tryLock(other, 'exclusive')).toBe(true);
});

test('the package is preferred, and looked for once', async () => {
  expect((await findFlock()).via).toBe('koffi');
  expect(findFlock()).toBe(findFlock());
});

test('a program that is not there is not a way', async () => {
  expect(await flockProgram('no-such-program-flock')).toBeUndefined();
});
