/** What a mount missed, as it is written down and read again. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MirroredMounts } from '../../../src/files/mirrored-mounts.js';
import {
  endOf,
  findMissed,
  type MissedWrite,
  parseMissed,
  rememberTouch,
} from '../../../src/files/missed-writes.js';
import type { Mount } from '../../../src/files/mount.js';
import * as made from './made-up-missed.js';
import { collection, end, NAME } from './made-up-missed.js';

let root: string;
let mirrored: MirroredMounts;
let holder: Mount;
let misser: Mount;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-missed-'));
  const mounts = ['a', 'b'].map((name) => join(root, name));
  for (const mount of mounts) mkdirSync(mount);
  mirrored = await MirroredMounts.open({
    mounts,
    optionPath: 'mounts',
    operationTimeoutMs: 60_000,
    monitorIntervalMs: 600_000,
  });
  [misser, holder] = mirrored.mounts as [Mount, Mount];
});
afterEach(async () => {
  await mirrored.close();
  rmSync(root, { recursive: true, force: true });
});

const write = (at: number, before: string): MissedWrite => made.write(at, { parts: { n: before } });
async function remembered(...missed: MissedWrite[]): Promise<MissedWrite | undefined> {
  for (const one of missed) await mirrored.remember([holder], misser, one);
  return findMissed(holder, misser, NAME);
}

test('an end is kept by the writes and collections after it', async () => {
  expect(await remembered(end(1), write(2, 'x'))).toMatchObject({ kind: 'write', at: 2, ended: 1 });
  expect(await remembered(collection(3))).toMatchObject({ kind: 'delete', ended: 1, unusedFor: 60 });
  expect(await remembered(end(4))).toMatchObject({ kind: 'delete', ended: 4 });
  expect((await findMissed(holder, misser, NAME))?.unusedFor).toBeUndefined();
});

test('a removal of an earlier release, which says nothing of why, is an end, also for the writes after it', async () => {
  const old = parseMissed(JSON.stringify({ name: NAME, kind: 'delete', superseded: 'v1', at: 1 }));
  expect(old && endOf(old)).toBe(1);
  expect(old && (await remembered(old, write(2, 'x')))).toMatchObject({ ended: 1 });
});

test('a collection means whatever was there, and what is written after it is told by its parts', async () => {
  const record = await remembered(write(1, 'x'), collection(2), {
    ...write(3, 'y'),
    parts: { m: null },
  } as MissedWrite);
  expect(record).toMatchObject({ kind: 'write', unusedFor: 60, parts: { m: null } });
  expect(record && endOf(record)).toBeUndefined();
});

test('a touch is remembered only where nothing is, and gives way to everything', async () => {
  await rememberTouch(holder, misser, NAME);
  expect(await findMissed(holder, misser, NAME)).toMatchObject({ kind: 'touch' });
  expect(await mirrored.missedBy(misser, NAME)).toBeUndefined();
  const record = await remembered(write(1, 'x'));
  expect(record).toMatchObject({ kind: 'write', superseded: 'v1', parts: { n: 'x' } });
  expect(record?.ended).toBeUndefined();
  await rememberTouch(holder, misser, NAME);
  expect(await findMissed(holder, misser, NAME)).toEqual(record);
});

test.each([{ ended: '1' }, { unusedFor: null }, { ended: [] }])('%j is no record', (more) => {
  expect(parseMissed(JSON.stringify({ ...end(1), ...more }))).toBeUndefined();
});
