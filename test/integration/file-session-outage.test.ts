/** What happened to a session while some machine could not reach a mount: ends, collections, uses, and saves on either side. */
import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { FileSessionStore } from '../../src/session/file-session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type FaultyMount, MountRoom } from './mount-room.js';

const LIFETIME_MS = 1_440_000;

let servers: LocalCluster;
let room: MountRoom;
/** As this machine sees them. */
let a: FaultyMount;
let b: FaultyMount;
/** The first one as the machine of PHP sees it, which never loses it. */
let ofPhp: FaultyMount;
let store: FileSessionStore;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 0 });
});
afterAll(async () => {
  await servers?.close();
});
beforeEach(async () => {
  room = await MountRoom.open();
  [a, b] = [await room.add('a', '1m'), await room.add('b', '1m')];
  ofPhp = await a.seenBy('php');
  store = await openStore(a, b);
});
afterEach(async () => {
  await store?.close();
  await room?.close();
});

function openStore(...mounts: FaultyMount[]): Promise<FileSessionStore> {
  const paths = mounts.map(({ path }) => path);
  return createSessionStore({ mounts: paths, monitorIntervalMs: 600_000, lifetimeMs: LIFETIME_MS });
}

async function php(code: string, mount: FaultyMount = ofPhp): Promise<string> {
  const script = `<?php session_id('user'); if (!session_start()) { echo 'NO SESSION'; exit; } ${code}`;
  return (await servers.php(script, { ini: { 'session.save_path': mount.path } })).stdout;
}

const fileOn = (mount: FaultyMount): string => join(mount.path, 'sess_user');
const ageOn = (mount: FaultyMount): number => Date.now() - statSync(fileOn(mount)).mtimeMs;

/** Gives the copies the date of a use that was so long ago. */
function usedBefore(ms: number, ...mounts: FaultyMount[]): void {
  const seconds = (Date.now() - ms) / 1000;
  for (const mount of mounts) utimesSync(fileOn(mount), seconds, seconds);
}

async function begin(code: string): Promise<void> {
  await php(code);
  await store.resync();
}

async function save(by: FileSessionStore, values: Record<string, unknown>): Promise<void> {
  const session = await by.load('user');
  Object.assign(session.data, values);
  expect((await by.save(session)).outcome).toBe('saved');
}

/** Reads it in a process that has the mounts and has repaired nothing yet. */
async function read(): Promise<unknown> {
  await using other = await openStore(a, b);
  const { exists, data } = await other.load('user');
  return exists ? { ...data } : undefined;
}

describe.each([
  ['a logout', () => store.destroy('user')],
  ['a new id at once', async () => store.regenerate(await store.load('user'), { graceMs: 0 })],
])('%s while the first mount is away', (_, end) => {
  beforeEach(async () => {
    await begin("$_SESSION = ['user' => 'ada', 'n' => 1];");
    await a.unmount();
    await end();
  });

  test('stands over what PHP writes there into the session that was', async () => {
    expect(await php("$_SESSION['n']++; echo $_SESSION['n'];")).toBe('2');
    await a.mount();
    expect(await read()).toBeUndefined();
    await store.checkMounts();
    expect(await read()).toBeUndefined();
    expect([existsSync(fileOn(a)), existsSync(fileOn(b))]).toEqual([false, false]);
    expect(await php('echo json_encode($_SESSION);')).toBe('[]');
  });

  test('stands where a session was begun under that id meanwhile: nothing of the old one gets into it', async () => {
    await store.writeRaw('user', Buffer.from('m|i:1;'));
    await php("$_SESSION['n']++;");
    await a.mount();
    expect(await read()).toEqual({ m: 1 });
    await store.checkMounts();
    for (const mount of [a, b]) expect(readFileSync(fileOn(mount), 'latin1')).toBe('m|i:1;');
  });

  test('leaves a session alone that PHP begins anew under that id', async () => {
    await php(
      "session_destroy(); usleep(50000); session_id('user'); session_start(); $_SESSION = ['m' => 1]; usleep(50000);",
    );
    await a.mount();
    expect(await read()).toEqual({ m: 1 });
    await store.checkMounts();
    for (const mount of [a, b]) expect(readFileSync(fileOn(mount), 'latin1')).toBe('m|i:1;');
  });
});

describe('a collection while the first mount is away', () => {
  beforeEach(async () => {
    await begin("$_SESSION = ['n' => 1];");
    usedBefore(2 * LIFETIME_MS, a, b);
    await a.unmount();
  });

  test.each([
    ['changes', "$_SESSION['n']++;", 'n|i:2;'],
    ['only reads', '', 'n|i:1;'],
  ])('removes no session that PHP %s there before', async (_, code, contents) => {
    await php(code);
    expect(await store.collect()).toBe(1);
    await a.mount();
    expect(await read()).toBeDefined();
    await store.checkMounts();
    for (const mount of [a, b]) {
      expect(readFileSync(fileOn(mount), 'latin1')).toBe(contents);
      expect(ageOn(mount)).toBeLessThan(LIFETIME_MS);
    }
  });

  test('ends one that nobody uses, also where PHP wrote it after the other copy was used', async () => {
    await php("$_SESSION['n']++;");
    usedBefore(LIFETIME_MS + 60_000, ofPhp);
    expect(await store.collect()).toBe(1);
    await a.mount();
    expect(await read()).toBeUndefined();
    await store.checkMounts();
    expect([existsSync(fileOn(a)), existsSync(fileOn(b))]).toEqual([false, false]);
  });

  test('keeps what PHP has there beside what is begun anew on the others', async () => {
    await php("$_SESSION['p'] = 1;");
    await store.collect();
    await save(store, { m: 1 });
    await a.mount();
    expect(await read()).toEqual({ n: 1, p: 1, m: 1 });
    await store.checkMounts();
    for (const mount of [a, b])
      expect(await php('echo json_encode($_SESSION);', mount)).toBe('{"n":1,"p":1,"m":1}');
  });

  test('lets nothing of one that nobody used into what is begun anew on the others', async () => {
    await store.collect();
    await save(store, { m: 1 });
    await a.mount();
    expect(await read()).toEqual({ m: 1 });
    await store.checkMounts();
    for (const mount of [a, b]) expect(readFileSync(fileOn(mount), 'latin1')).toBe('m|i:1;');
  });
});

describe('of two machines that lost a mount each', () => {
  let other: FileSessionStore;
  let third: FileSessionStore;
  /** The first mount as the third machine sees it. */
  let ofThird: FaultyMount;
  let lost: FaultyMount;

  beforeEach(async () => {
    await begin("$_SESSION = ['x' => 0, 'y' => 0];");
    lost = await b.seenBy('other');
    other = await openStore(ofPhp, lost);
    ofThird = await a.seenBy('third');
    third = await openStore(ofThird, await b.seenBy('third'));
    await a.unmount();
    await lost.unmount();
  });
  afterEach(async () => {
    await other?.close();
    await third?.close();
  });

  const saves = {
    'the first one': () => save(store, { x: 1 }),
    'the second one': () => save(other, { y: 1 }),
  };
  const cases = Object.keys(saves).flatMap((earlier) =>
    ['saves', 'repairs'].map((does) => [earlier, does] as const),
  );
  test.each(cases)('both saves are kept: %s was earlier, and a third %s', async (earlier, does) => {
    for (const work of Object.entries(saves).sort(([one]) => (one === earlier ? -1 : 1))) await work[1]();
    expect((await third.load('user')).data).toEqual({ x: 1, y: 1 });
    if (does === 'saves') await save(third, { z: 1 });
    await third.checkMounts();
    const expected = { x: 1, y: 1, ...(does === 'saves' ? { z: 1 } : {}) };
    await a.mount();
    await lost.mount();
    for (const one of [store, other, third]) {
      await one.checkMounts();
      expect((await one.load('user')).data).toEqual(expected);
    }
    expect(readFileSync(fileOn(a), 'latin1')).toBe(readFileSync(fileOn(b), 'latin1'));
  });

  test('both are kept where the first mount takes nothing when the other one is mended', async () => {
    await save(store, { x: 1 });
    await save(other, { y: 1 });
    await ofThird.readOnly();
    await third.checkMounts();
    expect((await third.load('user')).data).toEqual({ x: 1, y: 1 });
    await ofThird.writable();
    await third.checkMounts();
    for (const mount of [a, b].map(({ path }) => `${path}-third`))
      expect(readFileSync(join(mount, 'sess_user'), 'latin1')).toBe('x|i:1;y|i:1;');
  });

  test('and of PHP, which goes on', async () => {
    await save(store, { x: 1 });
    await save(other, { y: 1 });
    await php("$_SESSION['p'] = 1;");
    await save(third, { z: 1 });
    expect((await third.load('user')).data).toEqual({ x: 1, y: 1, z: 1, p: 1 });
  });
});

describe('the youngest date of use', () => {
  beforeEach(async () => {
    await begin("$_SESSION = ['n' => 1];");
    usedBefore(1_000_000, a, b);
  });

  test.each(['first', 'second'])('is brought to the %s mount, which missed it', async (which) => {
    const mount = which === 'first' ? a : b;
    await mount.unmount();
    await store.touch('user');
    await mount.mount();
    await store.checkMounts();
    for (const each of [a, b]) expect(ageOn(each)).toBeLessThan(500_000);
    await store.checkMounts();
    for (const each of [a, b]) expect(ageOn(each)).toBeLessThan(500_000);
  });

  test('goes with what PHP wrote meanwhile, and with what Node saves later', async () => {
    await a.unmount();
    await store.touch('user');
    await php("$_SESSION['p'] = 1;");
    await save(store, { m: 1 });
    usedBefore(1_000_000, ofPhp);
    await a.mount();
    await store.checkMounts();
    expect((await store.load('user')).data).toEqual({ n: 1, p: 1, m: 1 });
    for (const each of [a, b]) expect(ageOn(each)).toBeLessThan(500_000);
  });

  test.each(['first', 'second'])(
    'is not taken back by a walk where the %s mount has an older one',
    async (which) => {
      usedBefore(0, which === 'first' ? b : a);
      await store.resync();
      for (const each of [a, b]) expect(ageOn(each)).toBeLessThan(500_000);
    },
  );

  test('is not taken back where the first mount has other contents', async () => {
    await php("$_SESSION['p'] = 1;");
    usedBefore(1_000_000, a);
    usedBefore(0, b);
    await store.resync();
    for (const each of [a, b]) {
      expect(ageOn(each)).toBeLessThan(500_000);
      expect(readFileSync(fileOn(each), 'latin1')).toBe('n|i:1;p|i:1;');
    }
  });
});
