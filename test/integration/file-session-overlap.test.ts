/** Three mounts of which two are away together for a while: who is mended first learns what the other one still misses. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createSharedFiles } from '../../src/files/shared-files.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { FileSessionStore } from '../../src/session/file-session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type FaultyMount, MountRoom } from './mount-room.js';

let servers: LocalCluster;
let room: MountRoom;
let mounts: FaultyMount[];
let a: FaultyMount;
let b: FaultyMount;
let c: FaultyMount;
let store: FileSessionStore;
let differed: number;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 0 });
});
afterAll(async () => {
  await servers?.close();
});
beforeEach(async () => {
  room = await MountRoom.open();
  mounts = [];
  for (const name of ['a', 'b', 'c']) mounts.push(await room.add(name, '1m'));
  [a, b, c] = mounts as [FaultyMount, FaultyMount, FaultyMount];
  store = await createSessionStore({
    mounts: mounts.map(({ path }) => path),
    monitorIntervalMs: 600_000,
    ids: { strict: false },
  });
  differed = 0;
  store.on('copies-differed', () => {
    differed += 1;
  });
  await save({ cart: '-', role: 'user' });
});
afterEach(async () => {
  await store?.close();
  await room?.close();
});

async function save(values: Record<string, unknown>): Promise<void> {
  const session = await store.load('user');
  Object.assign(session.data, values);
  expect((await store.save(session)).outcome).toBe('saved');
}

async function read(): Promise<Record<string, unknown> | undefined> {
  const session = await store.load('user');
  return session.exists ? { ...session.data } : undefined;
}

async function php(): Promise<unknown> {
  const script = `<?php session_id('user'); session_start(['read_and_close' => true]); echo json_encode($_SESSION);`;
  return JSON.parse((await servers.php(script, { ini: { 'session.save_path': a.path } })).stdout);
}

/** What a mount is after, which the store sees at once. */
async function now(change: Promise<void>): Promise<void> {
  await change;
  await store.checkMounts();
}

/** Takes the first two mounts away, has something happen, and gives the second one back, which is mended then. */
async function whileTwoAreAway(work: () => Promise<unknown>): Promise<void> {
  await now(b.unmount());
  await now(a.unmount());
  await work();
  await now(b.mount());
}

test('what was saved then stays when the first mount is back, after more was saved', async () => {
  await whileTwoAreAway(() => save({ cart: 'lamp' }));
  await save({ n: 1 });
  await now(a.mount());
  for (let look = 0; look < 3; look += 1) {
    expect(await read()).toEqual({ cart: 'lamp', role: 'user', n: 1 });
    await store.checkMounts();
  }
  expect(await php()).toEqual({ cart: 'lamp', role: 'user', n: 1 });
  expect(differed).toBe(0);
});

test.each([
  ['a save', () => save({ cart: 'lamp' }), { cart: 'lamp', role: 'user' }],
  ['a logout', () => store.destroy('user'), undefined],
] as const)(
  '%s then stands, though the mount that took it is away when the first one is back',
  async (_, work, left) => {
    await whileTwoAreAway(work);
    await now(c.unmount());
    await now(a.mount());
    expect(await read()).toEqual(left);
    await now(c.mount());
    expect(await read()).toEqual(left);
    expect(await php()).toEqual(left ?? []);
  },
);

test.each([
  ['a save', () => save({ cart: 'lamp' }), { cart: 'lamp', role: 'user' }],
  ['a logout', () => store.destroy('user'), undefined],
] as const)(
  '%s then stands, when the second mount is a new disk that was filled meanwhile',
  async (_, work, left) => {
    await now(a.unmount());
    await work();
    for (const name of ['.stormlamp', 'sess_user'])
      rmSync(join(b.path, name), { recursive: true, force: true });
    await store.checkMounts();
    await store.fill(b.path);
    await now(c.unmount());
    await now(a.mount());
    expect(await read()).toEqual(left);
    expect(await php()).toEqual(left ?? []);
  },
);

test('what PHP writes on the first mount, when it is back, is kept beside it', async () => {
  await whileTwoAreAway(() => save({ cart: 'lamp' }));
  await save({ n: 1 });
  await a.mount();
  const script = `<?php session_id('user'); session_start(); $_SESSION['p'] = 1; session_write_close();`;
  await servers.php(script, { ini: { 'session.save_path': a.path } });
  await store.checkMounts();
  await store.checkMounts();
  expect(await read()).toEqual({ cart: 'lamp', role: 'user', n: 1, p: 1 });
  expect(await php()).toEqual({ cart: 'lamp', role: 'user', n: 1, p: 1 });
});

test('a shared file that was written then is not read from a mount that is read-only and has the one before it', async () => {
  const files = await createSharedFiles({
    mounts: mounts.map(({ path }) => path),
    monitorIntervalMs: 600_000,
  });
  try {
    const told: string[] = [];
    files.on('copies-differed', ({ kept }) => told.push(kept));
    const content = async (): Promise<string> => text(files.read('price.txt'));
    await files.write('price.txt', 'one');
    await b.unmount();
    await a.readOnly();
    await files.checkMounts();
    await files.write('price.txt', 'two');
    await b.mount();
    await files.checkMounts();
    await files.write('price.txt', 'three!');
    expect(await content()).toBe('three!');
    await a.writable();
    await files.checkMounts();
    expect(await content()).toBe('three!');
    expect(told).toEqual([]);
  } finally {
    await files.close();
  }
});
