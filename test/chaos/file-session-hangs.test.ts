/**
 * Mounts whose server is gone: calls that hang for ever, handles that are stale, writes that arrive late. The server is a process
 * that is stopped.
 */
import { lookup } from 'node:dns/promises';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { poolThreads } from '../../src/files/file-threads.js';
import { createSharedFiles, type SharedFiles } from '../../src/files/shared-files.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { FileSessionStore } from '../../src/session/file-session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import { MountRoom, type RemoteMount } from '../integration/mount-room.js';
import { stormlamp } from '../support/run-node.js';

/** Requests of the protocol, and when they come. */
const MOMENTS = {
  'looking at a file': 1,
  'looking at an open file': 3,
  'dating a file': 4,
  'opening a file': 14,
  'reading a file': 15,
  'writing a file': 16,
  'closing a file': 25,
} as const;

let servers: LocalCluster;
let room: MountRoom;
let a: RemoteMount;
let b: RemoteMount;
let store: FileSessionStore;
const opened: SharedFiles[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 0 });
});
afterAll(async () => {
  await servers?.close();
});
beforeEach(async () => {
  room = await MountRoom.open();
  [a, b] = [await room.addRemote('a'), await room.addRemote('b')];
  store = await open();
});
afterEach(async () => {
  for (const mount of [a, b]) {
    mount?.obeyed();
    mount?.goOn();
  }
  await store?.close();
  for (const files of opened.splice(0)) await files.close();
  await room?.close();
});

function open(mounts: readonly string[] = [a.path, b.path]): Promise<FileSessionStore> {
  return createSessionStore({ mounts, monitorIntervalMs: 60_000, operationTimeoutMs: 1_000 });
}

async function php(mount: RemoteMount, id: string, code: string): Promise<string> {
  const script = `<?php session_id('${id}'); if (!session_start()) { echo 'NO SESSION'; exit; } ${code}`;
  return (await servers.php(script, { ini: { 'session.save_path': mount.path } })).stdout;
}

function phaseOf(mount: RemoteMount): string {
  const health = store.status().find((one) => one.mount === mount.path)?.health;
  return health === undefined ? '' : 'why' in health ? `${health.phase} ${health.why}` : health.phase;
}

/** What everybody else in the process asks of the same threads. */
async function expectThreadsFree(): Promise<void> {
  expect((await readFile(import.meta.filename)).length).toBeGreaterThan(0);
  expect((await lookup('127.0.0.1')).address).toBe('127.0.0.1');
}

async function count(id: string, n: number): Promise<readonly string[]> {
  const session = await store.load(id);
  session.data['n'] = n;
  return (await store.save(session)).copies;
}

async function expectMended(...mounts: readonly RemoteMount[]): Promise<void> {
  await eventually('the mounts are well', async () => {
    await store.checkMounts();
    return mounts.every((mount) => phaseOf(mount) === 'healthy');
  });
  await eventually('nothing is left to mend', async () => {
    await store.checkMounts();
    const { copied, removed, postponed } = await store.resync();
    return copied + removed + postponed === 0;
  });
}

for (const which of ['first', 'second'] as const) {
  test(`while the ${which} of two mounts hangs, sessions and everybody else in the process go on, and it is mended`, async () => {
    const [victim, other] = which === 'first' ? [a, b] : [b, a];
    const ids = Array.from({ length: 20 }, (_, index) => `user${index}`);
    await Promise.all(ids.map((id) => php(a, id, "$_SESSION['n'] = 0;")));
    await store.resync();
    victim.hang();
    for (let n = 1; n <= 3; n += 1) {
      const saved = await Promise.all(ids.map((id) => count(id, n)));
      for (const copies of saved) expect(copies).toEqual([other.path]);
      await expectThreadsFree();
    }
    expect(phaseOf(victim)).toBe('down hung');
    victim.goOn();
    await expectMended(victim);
    for (const id of ids) {
      expect((await store.load(id)).data).toEqual({ n: 3 });
      for (const mount of [a, b]) expect(await php(mount, id, "echo $_SESSION['n'];")).toBe('3');
    }
  });
}

for (const [moment, request] of Object.entries(MOMENTS)) {
  test(`a mount that hangs when ${moment}: the call goes on with the other one, and what arrives late counts for nothing`, async () => {
    await php(a, 'user', "$_SESSION = ['n' => 0, 'pad' => str_repeat('x', 5000)];");
    await store.resync();
    a.order(`stop ${request}`);
    await count('user', 1);
    await a.isStopped();
    await expectThreadsFree();
    await count('user', 2);
    const session = await store.load('user');
    session.data['pad'] = 'short';
    expect((await store.save(session)).copies).toEqual([b.path]);
    a.goOn();
    const differed: unknown[] = [];
    store.on('copies-differed', (event) => void differed.push(event));
    await expectMended(a);
    expect((await store.load('user')).data).toEqual({ n: 2, pad: 'short' });
    for (const mount of [a, b])
      expect(await php(mount, 'user', "echo $_SESSION['n'], $_SESSION['pad'];")).toBe('2short');
    expect(differed).toEqual([]);
  });
}

for (const [moment, request] of Object.entries(MOMENTS)) {
  test(`a logout while a mount hangs when ${moment} is not undone by what arrives late`, async () => {
    await php(a, 'user', "$_SESSION = ['n' => 0, 'pad' => str_repeat('x', 5000)];");
    await store.resync();
    a.order(`stop ${request}`);
    await count('user', 1);
    await a.isStopped();
    await store.destroy('user');
    a.goOn();
    expect((await store.load('user')).exists).toBe(false);
    await expectMended(a);
    expect((await store.load('user')).exists).toBe(false);
    for (const mount of [a, b]) expect(existsSync(join(mount.behind, 'sess_user'))).toBe(false);
  });
}

test('a removal that hangs does not remove what was saved afterwards under the same id', async () => {
  await php(a, 'user', "$_SESSION = ['n' => 1];");
  await store.resync();
  a.order('stop 10');
  await store.destroy('user');
  await a.isStopped();
  await store.writeRaw('user', Buffer.from('n|i:2;'));
  a.goOn();
  await expectMended(a);
  expect((await store.load('user')).data).toEqual({ n: 2 });
  for (const mount of [a, b]) expect(readFileSync(join(mount.behind, 'sess_user'), 'latin1')).toBe('n|i:2;');
});

test('with every mount hung a call is ERR_STORE_DOWN within its deadline, and they come back', async () => {
  await php(a, 'user', "$_SESSION['n'] = 1;");
  await store.resync();
  for (const mount of [a, b]) mount.hang();
  for (let n = 0; n < 10; n += 1) {
    await expect(store.load('user')).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
    await expectThreadsFree();
  }
  for (const mount of [a, b]) mount.goOn();
  await expectMended(a, b);
  expect((await store.load('user')).data).toEqual({ n: 1 });
});

test('a store opens while one of its mounts hangs', async () => {
  await php(a, 'user', "$_SESSION['n'] = 1;");
  await store.resync();
  await store.close();
  a.hang();
  store = await open();
  expect(phaseOf(a)).toBe('down hung');
  expect(await count('user', 2)).toEqual([b.path]);
  a.goOn();
  await expectMended(a);
  expect(await php(a, 'user', "echo $_SESSION['n'];")).toBe('2');
});

test('a store closes while a mount hangs and a session on it is locked', async () => {
  await php(a, 'user', "$_SESSION['n'] = 1;");
  await store.resync();
  const session = await store.load('user', { lock: true });
  a.hang();
  session.data['n'] = 2;
  expect((await store.save(session)).copies).toEqual([b.path]);
  await store.close();
  await expectThreadsFree();
});

test('calls past the store do take all threads: that everybody else goes on is no matter of course', async () => {
  a.hang();
  const calls = Array.from({ length: poolThreads() }, () =>
    stat(join(a.path, 'file')).catch(() => undefined),
  );
  let free = false;
  const others = expectThreadsFree().then(() => {
    free = true;
  });
  await sleep(500);
  expect(free).toBe(false);
  a.goOn();
  await Promise.all([...calls, others]);
});

test('many stores on mounts that hang leave threads to everybody else', async () => {
  const third = await room.addRemote('third');
  const stores = [
    await open([third.path]),
    await createSharedFiles({ mounts: [third.path], operationTimeoutMs: 1_000 }),
    await createSharedFiles({ mounts: [a.path, b.path], operationTimeoutMs: 1_000 }),
  ] as const;
  opened.push(stores[1], stores[2]);
  for (const mount of [a, b, third]) mount.hang();
  const calls = Array.from({ length: 8 }, () => [
    store.load('user'),
    stores[0].load('user'),
    stores[1].stat('file'),
    stores[2].stat('file'),
  ]).flat();
  const answers = Promise.allSettled(calls);
  await expectThreadsFree();
  for (const { status } of await answers) expect(status).toBe('rejected');
  await expectThreadsFree();
  for (const mount of [a, b, third]) mount.goOn();
  third.goOn();
  await stores[0].close();
});

test('handles that became stale are opened again, and the mount stays', async () => {
  await php(a, 'user', "$_SESSION['n'] = 1;");
  await store.resync();
  const session = await store.load('user', { lock: true });
  a.order('stale open');
  session.data['n'] = 2;
  expect((await store.save(session)).outcome).toBe('saved');
  expect(phaseOf(a)).toBe('healthy');
  expect((await store.load('user')).data).toEqual({ n: 2 });
  await expectMended(a);
  for (const mount of [a, b]) expect(await php(mount, 'user', "echo $_SESSION['n'];")).toBe('2');
});

test('a file that another machine replaces while it is open is opened again, on the only mount that there is', async () => {
  const only = await room.addRemote('only');
  await using single = await open([only.path]);
  const session = single.create();
  for (const [n, request] of [3, 4, 14, 15, 16].entries()) {
    session.data['n'] = n;
    await single.save(session);
    only.order(`stale ${request}`);
    const again = await single.load(session.id);
    expect(again.data, `request ${request}`).toEqual({ n });
    only.order(`stale ${request}`);
    again.data['other'] = n;
    await single.save(again);
    expect((await single.load(session.id)).data).toEqual({ n, other: n });
    again.data['other'] = undefined;
    await single.save(again);
  }
  expect(single.status()).toMatchObject([{ health: { phase: 'healthy' } }]);
});

test('what a mount takes and refuses when it is flushed is not saved there', async () => {
  await php(a, 'user', "$_SESSION['n'] = 1;");
  await store.resync();
  a.order('refuse 20 28');
  expect(await count('user', 2)).toEqual([b.path]);
  expect(phaseOf(a)).toBe('impaired full');
  a.obeyed();
  await expectMended(a);
  expect(await php(a, 'user', "echo $_SESSION['n'];")).toBe('2');
});

test.each([
  ['renaming', 12],
  ['writing', 16],
  ['flushing', 20],
])('a shared file whose mount hangs when %s it gets what was written last', async (_moment, request) => {
  const files = await createSharedFiles({
    mounts: [a.path, b.path],
    operationTimeoutMs: 1_000,
    monitorIntervalMs: 100,
  });
  opened.push(files);
  await files.write('page', 'one');
  a.order(`stop ${request}`);
  expect((await files.write('page', 'two')).mounts).toEqual([b.path]);
  await a.isStopped();
  expect((await files.write('page', 'three')).mounts).toEqual([b.path]);
  await expectThreadsFree();
  a.goOn();
  await eventually('the mount has it', () => readFileSync(join(a.behind, 'page'), 'utf8') === 'three');
  expect(readFileSync(join(b.behind, 'page'), 'utf8')).toBe('three');
  expect((await files.checksums('page')).size).toBe(2);
});

test('a mount that is stale as a whole is left alone until it is mounted again', async () => {
  await php(a, 'user', "$_SESSION['n'] = 1;");
  await store.resync();
  a.order('stale all');
  expect(await count('user', 2)).toEqual([b.path]);
  expect(phaseOf(a)).toBe('down failing');
  a.obeyed();
  await expectMended(a);
  expect(await php(a, 'user', "echo $_SESSION['n'];")).toBe('2');
});

test('a mount whose server died comes back when it is mounted again', async () => {
  await php(a, 'user', "$_SESSION['n'] = 1;");
  await store.resync();
  a.hang();
  expect(await count('user', 2)).toEqual([b.path]);
  await a.kill();
  expect(await count('user', 3)).toEqual([b.path]);
  await a.mount();
  await expectMended(a);
  expect(await php(a, 'user', "echo $_SESSION['n'];")).toBe('3');
});

test.each(['first', 'second'])(
  'while the %s of two mounts hangs, commands tell it and end with their exit code',
  async (which) => {
    await php(a, 'user', "$_SESSION['n'] = 1;");
    await store.resync();
    const config = join(servers.folder, 'stormlamp.config.json');
    writeFileSync(
      config,
      JSON.stringify({ sessions: { mounts: [a.path, b.path], operationTimeoutMs: 1_000 } }),
    );
    const [victim, other] = which === 'first' ? [a, b] : [b, a];
    victim.hang();
    for (const command of ['status', 'doctor --no-php', 'session get user']) {
      const args = [...command.split(' '), '--config', config, '--json'];
      const { code, signal, stdout } = await stormlamp(args, { timeoutMs: 40_000 });
      expect([command, code, signal]).toEqual([command, 1, null]);
      expect(JSON.parse(stdout)).toMatchObject({ ok: false });
      expect([command, stdout]).toEqual([command, expect.stringContaining(victim.path)]);
      if (command.startsWith('session'))
        expect(JSON.parse(stdout)).toMatchObject({
          copies: expect.arrayContaining([expect.objectContaining({ node: other.path, state: 'held' })]),
          data: { n: 1 },
        });
    }
    victim.goOn();
    await expectMended(victim);
  },
);
