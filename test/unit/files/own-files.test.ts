/** Whose our own files are, and that nothing is done without those that this user may not read. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lookAtSessions } from '../../../src/cli/status/look-at-cluster.js';
import { Deadline } from '../../../src/common/deadline.js';
import { ownerIn } from '../../../src/files/file-owner.js';
import { findFlock } from '../../../src/files/flock.js';
import { lookAtMounts } from '../../../src/files/look-at-mounts.js';
import { MirroredMounts } from '../../../src/files/mirrored-mounts.js';
import { withNameLocked } from '../../../src/files/name-lock.js';
import { writeOwnFile } from '../../../src/files/own-files.js';
import { bury, deletionTime } from '../../../src/files/tombstones.js';
import { createSessionStore } from '../../../src/session/create-session-store.js';
import { findRetiredNote, writeRetiredNote } from '../../../src/session/retired-note-files.js';
import { asUser, below, isRoot, user } from './other-user.js';

let root: string;
let mounts: readonly string[];
let opened: MirroredMounts[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-own-'));
  mounts = [join(root, 'a'), join(root, 'b')];
  for (const folder of [root, ...mounts]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chownSync(folder, user.uid, user.gid);
  }
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((mirrored) => mirrored.close()));
  for (const path of below(root)) if (lstatSync(path).isDirectory()) chmodSync(path, 0o700);
  rmSync(root, { recursive: true, force: true });
});

async function open(): Promise<MirroredMounts> {
  const mirrored = await MirroredMounts.open({
    mounts,
    optionPath: 'mounts',
    operationTimeoutMs: 60_000,
    monitorIntervalMs: 60_000,
  });
  opened.push(mirrored);
  return mirrored;
}

const own = (place: number, ...names: string[]): string => join(mounts[place] ?? '', '.stormlamp', ...names);
const missed = { name: 'x', kind: 'write', superseded: null, at: 1 } as const;

/** Has everything written that is ours. */
async function writeAll(mirrored: MirroredMounts): Promise<void> {
  const [a, b] = mirrored.mounts;
  if (a === undefined || b === undefined) throw new Error('two mounts were opened');
  await mirrored.remember([b], a, missed);
  await bury(a, { name: 'gone', at: await deletionTime(a, 'gone') });
  await writeRetiredNote(mirrored, 'sess_x', { endsAt: 1 } as never);
  const parts = { mirrored, flock: await findFlock(), waitMs: 60_000 };
  await withNameLocked(parts, 'x', Deadline.of(undefined), async () => undefined);
}

test('what root writes belongs to the owner of the folder, who can go on with it', async () => {
  await writeAll(await open());
  const ours = mounts.flatMap(below);
  expect(ours.map((path) => path.split('/').at(-2))).toEqual(
    expect.arrayContaining(['.stormlamp', 'deleted', 'retired', 'locks', 'missed']),
  );
  expect(ours.filter((path) => lstatSync(path).uid !== user.uid)).toEqual([]);
  await asUser(async () => {
    const mirrored = await open();
    const [a] = mirrored.mounts;
    expect(a && (await mirrored.missedBy(a, 'x'))).toMatchObject(missed);
    await writeAll(mirrored);
  });
});

test.each([['.'], ['missed'], ['missed/<id>'], ['retired']])(
  'mounts whose folder .stormlamp/%s this user may not read are not opened, and the remedy is told',
  async (which) => {
    const mirrored = await open();
    await writeAll(mirrored);
    const folder = own(1, which.replace('<id>', mirrored.mounts[0]?.id ?? ''));
    chmodSync(folder, 0);
    const opening = await asUser(() => open().catch((error: unknown) => error));
    expect(opening).toMatchObject({ code: 'ERR_ACCESS_DENIED', node: mounts[1] });
    expect(String(opening)).toContain(`${folder} may not be used by this process (uid ${user.uid})`);
    expect(String(opening)).toContain(`chown -R <user> ${own(1)}`);
    await expect(asUser(() => lookAtMounts(mounts, 'mounts', 60_000))).rejects.toMatchObject({
      code: 'ERR_ACCESS_DENIED',
    });
  },
);

test('a note that cannot be read is not taken for none', async () => {
  const mirrored = await open();
  await writeAll(mirrored);
  const [a] = mirrored.mounts;
  if (a === undefined) throw new Error('two mounts were opened');
  for (const path of below(own(1))) if (lstatSync(path).isFile()) chmodSync(path, 0);
  const refused = { code: 'ERR_ACCESS_DENIED', node: mounts[1] };
  await expect(asUser(() => mirrored.missedBy(a, 'x'))).rejects.toMatchObject(refused);
  await expect(asUser(() => findRetiredNote(mirrored, 'sess_x'))).rejects.toMatchObject(refused);
  expect(await asUser(() => mirrored.missedBy(a, 'y'))).toBeUndefined();
  expect(await asUser(() => findRetiredNote(mirrored, 'sess_y'))).toBeUndefined();
  // One that broke down is done without, as when it was down before.
  mirrored.mounts[1]?.become({ phase: 'down', why: 'failing', error: new Error('EIO') });
  expect(await asUser(() => mirrored.missedBy(a, 'x'))).toBeUndefined();
});

test('a folder that keeps this user out is a mount that is down: nothing may be mounted there', async () => {
  await (await open()).close();
  chmodSync(mounts[1] ?? '', 0);
  await asUser(async () => {
    expect((await open()).status().map(({ health }) => health.phase)).toEqual(['healthy', 'down']);
  });
});

test('nothing is given away where a link leads', async () => {
  const mirrored = await open();
  const [a] = mirrored.mounts;
  if (a === undefined) throw new Error('two mounts were opened');
  a.giveTo(user);
  const outside = join(root, 'outside');
  mkdirSync(outside);
  symlinkSync(outside, own(0, 'deleted'));
  await expect(writeOwnFile(a, own(0, 'deleted', 'x'), 'x')).rejects.toMatchObject({ code: 'ERR_FILE_NAME' });
  expect(readdirSync(outside)).toEqual([]);
});

test('whoever is refused marks nothing', async () => {
  if (isRoot) for (const mount of mounts) chownSync(mount, 0, 0);
  for (const mount of mounts) chmodSync(mount, 0o1777);
  const owner = isRoot ? {} : { owner: { uid: user.uid + 1, gid: user.gid } };
  await expect(createSessionStore({ mounts, ...owner })).rejects.toMatchObject({ code: 'ERR_ACCESS_DENIED' });
  expect(mounts.flatMap(below)).toEqual([]);
});

test('looks write nothing, on new mounts and on others', async () => {
  const phases = (sight: Awaited<ReturnType<typeof lookAtMounts>>) =>
    sight.mounts.map(({ health }) => ('why' in health ? health.why : health.phase));
  const fresh = await lookAtMounts(mounts, 'mounts', 60_000);
  expect({ marked: fresh.marked, phases: phases(fresh) }).toEqual({
    marked: false,
    phases: ['healthy', 'healthy'],
  });
  expect(await lookAtSessions({ mounts })).toMatchObject({ places: [{ up: true }, { up: true }] });
  expect(mounts.flatMap(below)).toEqual([]);
  await (await open()).close();
  const before = mounts.map((mount) => lstatSync(join(mount, '.stormlamp')).mtimeMs);
  const known = await lookAtMounts(mounts, 'mounts', 60_000);
  expect({ marked: known.marked, phases: phases(known) }).toEqual({
    marked: true,
    phases: ['healthy', 'healthy'],
  });
  expect(mounts.map((mount) => lstatSync(join(mount, '.stormlamp')).mtimeMs)).toEqual(before);
  await expect(lookAtMounts([...mounts].reverse(), 'mounts', 60_000)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
  });
  rmSync(own(1), { recursive: true });
  expect(phases(await lookAtMounts(mounts, 'mounts', 60_000))).toEqual(['healthy', 'unmarked']);
  rmSync(mounts[0] ?? '', { recursive: true });
  expect(phases(await lookAtMounts(mounts, 'mounts', 60_000))).toEqual(['missing', 'unmarked']);
  expect(existsSync(mounts[0] ?? '')).toBe(false);
});

test('files stay those of a user who is not root, and those of root in its own folders', () => {
  expect(ownerIn({ uid: 33, gid: 34 }, { uid: 0, gid: 0 })).toEqual({ uid: 33, gid: 34 });
  expect(ownerIn({ uid: 0, gid: 0 }, { uid: 0, gid: 0 })).toBeUndefined();
  expect(ownerIn({ uid: 33, gid: 33 }, { uid: 1_000, gid: 1_000 })).toBeUndefined();
});
