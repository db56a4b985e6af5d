/** Notes of missed writes that outlive the repair, because their mount was read-only or away then: nobody believes them any more. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { FileSessionStore } from '../../src/session/file-session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type FaultyMount, MountRoom } from './mount-room.js';

let servers: LocalCluster;
let room: MountRoom;
let mounts: FaultyMount[];
let a: FaultyMount;
let b: FaultyMount;
/** The first one as the machine of PHP sees it, which never loses it. */
let ofPhp: FaultyMount;
let store: FileSessionStore;
let told: string[];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 0 });
});
afterAll(async () => {
  await servers?.close();
});
afterEach(async () => {
  await store?.close();
  await room?.close();
});

/** Opens a store on so many mounts, with a session that has a role. */
async function begin(...names: string[]): Promise<void> {
  room = await MountRoom.open();
  mounts = [];
  for (const name of names) mounts.push(await room.add(name, '1m'));
  [a, b] = mounts as [FaultyMount, FaultyMount];
  ofPhp = await a.seenBy('php');
  store = await openStore();
  told = [];
  store.on('copies-differed', () => told.push('copies-differed'));
  store.on('mount-repaired', ({ mount, repaired, postponed }) =>
    told.push(`${mount.slice(-1)} repaired ${repaired}, postponed ${postponed}`),
  );
  await php("$_SESSION = ['role' => 'user'];");
  await store.resync();
}

function openStore(): Promise<FileSessionStore> {
  return createSessionStore({
    mounts: mounts.map(({ path }) => path),
    monitorIntervalMs: 600_000,
    ids: { strict: false },
  });
}

async function php(code: string): Promise<string> {
  const script = `<?php session_id('user'); session_start(); ${code} echo json_encode($_SESSION);`;
  return (await servers.php(script, { ini: { 'session.save_path': ofPhp.path } })).stdout;
}

async function save(values: Record<string, unknown>): Promise<void> {
  const session = await store.load('user');
  Object.assign(session.data, values);
  expect((await store.save(session)).outcome).toBe('saved');
}

/** Checks what everybody reads, this process and a new one. */
async function expectAll(values: Record<string, unknown>): Promise<void> {
  await using other = await openStore();
  for (const by of [store, other]) expect({ ...(await by.load('user')).data }).toEqual(values);
  expect(JSON.parse(await php(''))).toEqual(values);
}

/** What is left in the folders of notes. */
function left(): string[] {
  return mounts.flatMap(({ path }) =>
    readdirSync(join(path, '.stormlamp'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
}

describe('a mount that is repaired while the other one, which noted what it missed, is read-only', () => {
  beforeEach(async () => {
    await begin('a', 'b');
    await a.unmount();
    await store.checkMounts();
    await save({ role: 'admin' });
    await b.readOnly();
    await store.checkMounts();
    await a.mount();
    await store.checkMounts();
    expect(JSON.parse(await php(''))).toEqual({ role: 'admin' });
  });

  test('keeps what PHP writes there, before and after the other one takes writes again', async () => {
    await php("$_SESSION['role'] = 'user'; $_SESSION['p'] = 1;");
    await expectAll({ role: 'user', p: 1 });
    for (const mend of [async () => undefined, () => b.writable(), async () => undefined]) {
      await mend();
      await store.checkMounts();
      await expectAll({ role: 'user', p: 1 });
    }
    expect(told).not.toContain('copies-differed');
    await store.resync();
    expect(readFileSync(join(b.path, 'sess_user'), 'latin1')).toContain('user');
  });

  test('keeps what Node saves there', async () => {
    await save({ role: 'user' });
    for (const mend of [async () => undefined, () => b.writable(), async () => undefined]) {
      await mend();
      await store.checkMounts();
      await expectAll({ role: 'user' });
    }
    expect(readFileSync(join(b.path, 'sess_user'), 'latin1')).toContain('user');
  });

  test('is told as repaired once; what is remembered of it goes when the other one takes writes', async () => {
    await store.checkMounts();
    await store.checkMounts();
    expect(told).toEqual(['a repaired 1, postponed 0']);
    expect(left().length).toBeGreaterThan(0);
    await b.writable();
    await store.checkMounts();
    expect(told).toEqual(['a repaired 1, postponed 0']);
    expect(left()).toEqual([]);
  });

  test('misses what Node saves when it is away again, and that is believed', async () => {
    await php("$_SESSION['role'] = 'user'; $_SESSION['p'] = 1;");
    await b.writable();
    await store.resync();
    await a.unmount();
    await store.checkMounts();
    await save({ role: 'root' });
    await a.mount();
    await store.checkMounts();
    await expectAll({ role: 'root', p: 1 });
    expect(left()).toEqual([]);
  });
});

test('a copy that both wrote is made one while the other mount is read-only, once', async () => {
  await begin('a', 'b');
  await a.unmount();
  await store.checkMounts();
  await save({ role: 'admin' });
  await php("$_SESSION['p'] = 1;");
  await b.readOnly();
  await store.checkMounts();
  await a.mount();
  await store.checkMounts();
  await expectAll({ role: 'admin', p: 1 });
  await php("$_SESSION['role'] = 'user';");
  for (const mend of [async () => undefined, () => b.writable(), async () => undefined]) {
    await mend();
    await store.checkMounts();
    await expectAll({ role: 'user', p: 1 });
  }
  expect(told.filter((one) => one === 'copies-differed')).toHaveLength(1);
  expect(readFileSync(join(b.path, 'sess_user'), 'latin1')).toContain('p|i:1');
  expect(left()).toEqual([]);
});

describe('of three mounts, one that is repaired while another one, which noted what it missed, is away', () => {
  let c: FaultyMount;

  beforeEach(async () => {
    await begin('a', 'b', 'c');
    c = mounts[2] as FaultyMount;
    await a.unmount();
    await store.checkMounts();
  });

  async function repairWithout(): Promise<void> {
    await c.unmount();
    await store.checkMounts();
    await a.mount();
    await store.checkMounts();
  }

  test('keeps what PHP writes there', async () => {
    await save({ role: 'admin' });
    await repairWithout();
    await php("$_SESSION['role'] = 'user'; $_SESSION['p'] = 1;");
    await c.mount();
    await store.checkMounts();
    await expectAll({ role: 'user', p: 1 });
    expect(told).not.toContain('copies-differed');
    expect(left()).toEqual([]);
  });

  test('keeps a session that was begun anew under an id that was ended meanwhile', async () => {
    await store.destroy('user');
    await save({ user: 'bob' });
    await repairWithout();
    await php("$_SESSION['cart'] = 'lamp';");
    await php("$_SESSION['more'] = 1;");
    await c.mount();
    await store.checkMounts();
    await expectAll({ user: 'bob', cart: 'lamp', more: 1 });
    expect(left()).toEqual([]);
  });

  test('misses what is saved when it is away again, beside the note that counts no more', async () => {
    await save({ role: 'admin' });
    await c.readOnly();
    await store.checkMounts();
    await a.mount();
    await store.checkMounts();
    await php("$_SESSION['role'] = 'user';");
    await a.unmount();
    await store.checkMounts();
    await save({ n: 1 });
    await a.mount();
    await store.checkMounts();
    await expectAll({ role: 'user', n: 1 });
    await c.writable();
    await store.checkMounts();
    await expectAll({ role: 'user', n: 1 });
    expect(left()).toEqual([]);
  });
});
