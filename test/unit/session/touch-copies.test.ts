/** Copies of a session whose dates are renewed, or that are brought alike, while PHP writes: what it wrote gets to every mount. */
import fs, {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findFlock } from '../../../src/files/flock.js';
import { createSessionStore } from '../../../src/session/create-session-store.js';
import type { FileSessionStore } from '../../../src/session/file-session-store.js';

const ID = 'abcdefghijklmnopqrstuvwxyz';
let root: string;
let store: FileSessionStore;
const copyOn = (mount: 'a' | 'b'): string => join(root, mount, `sess_${ID}`);
const contents = (mount: 'a' | 'b'): string => readFileSync(copyOn(mount), 'utf8');

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-touch-'));
  const mounts = ['a', 'b'].map((name) => join(root, name));
  for (const mount of mounts) mkdirSync(mount);
  store = await createSessionStore({ mounts, monitorIntervalMs: 600_000, operationTimeoutMs: 60_000 });
  await store.writeRaw(ID, Buffer.from('n|i:1;'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

/** Opens the first copy and tries its lock, as PHP does. */
async function pageOfPhp(): Promise<{ locked: boolean; write(n: number): void; end(): void }> {
  const fd = openSync(copyOn('a'), 'r+');
  const locked = await (await findFlock()).tryLock(fd, 'exclusive');
  return {
    locked,
    write: (n) => {
      ftruncateSync(fd, 0);
      writeSync(fd, `n|i:${n};`, 0);
    },
    end: () => closeSync(fd),
  };
}

/** Runs `work` right before a file gets a new date, once, however it is dated. */
async function beforeTheDate(work: () => Promise<void>): Promise<void> {
  let done = false;
  const once = async (): Promise<void> => {
    if (done) return;
    done = true;
    await work();
  };
  const { utimes } = fs.promises;
  vi.spyOn(fs.promises, 'utimes').mockImplementation(async (...given) => {
    await once();
    return utimes(...given);
  });
  const handle = await fs.promises.open(copyOn('b'));
  const prototype = Object.getPrototypeOf(handle) as fs.promises.FileHandle;
  await handle.close();
  const ofHandle = prototype.utimes;
  vi.spyOn(prototype, 'utimes').mockImplementation(async function (this: fs.promises.FileHandle, ...given) {
    await once();
    return ofHandle.apply(this, given);
  });
  syncBuiltinESMExports();
}

test('what PHP writes between the look at a copy and its new date is brought to the other mount', async () => {
  let waiting: Awaited<ReturnType<typeof pageOfPhp>> | undefined;
  let met = false;
  await beforeTheDate(async () => {
    met = true;
    const page = await pageOfPhp();
    if (page.locked) {
      page.write(2);
      page.end();
    } else waiting = page;
  });
  await store.touch(ID);
  // It had to wait for the lock, and gets it now.
  waiting?.write(2);
  waiting?.end();
  expect(met).toBe(true);
  expect([contents('a'), contents('b')]).toEqual(['n|i:2;', 'n|i:1;']);
  expect(await store.resync()).toMatchObject({ copied: 1, unreached: [] });
  expect(contents('b')).toBe('n|i:2;');
});

test('a session that a page of PHP holds gets a longer life without a wait, and what the page writes is brought', async () => {
  const old = new Date(1_700_000_000_000);
  for (const mount of ['a', 'b'] as const) utimesSync(copyOn(mount), old, old);
  const page = await pageOfPhp();
  expect(page.locked).toBe(true);
  await store.touch(ID);
  for (const mount of ['a', 'b'] as const)
    expect(Date.now() - statSync(copyOn(mount)).mtimeMs).toBeLessThan(86_400_000);
  // The worst case: the very date that its copy has already.
  const { mtimeMs } = statSync(copyOn('a'));
  page.write(2);
  utimesSync(copyOn('a'), mtimeMs / 1000, mtimeMs / 1000);
  page.end();
  expect(await store.resync()).toMatchObject({ copied: 1 });
  expect(contents('b')).toBe('n|i:2;');
});

test('what PHP writes twice within one tick of the clock is brought, also when it was brought in between', async () => {
  const tick = Date.now() / 1000 - 0.001_234;
  for (const n of [2, 3]) {
    const page = await pageOfPhp();
    page.write(n);
    utimesSync(copyOn('a'), tick, tick);
    page.end();
    await store.resync();
  }
  expect([contents('a'), contents('b')]).toEqual(['n|i:3;', 'n|i:3;']);
});

test('copies that were touched together are alike: nobody opens them', async () => {
  await store.touch(ID);
  const [a, b] = [statSync(copyOn('a')), statSync(copyOn('b'))];
  expect(a.mtimeMs).toBe(b.mtimeMs);
  await store.resync();
  expect(statSync(copyOn('b')).ctimeMs).toBe(b.ctimeMs);
});

test('of a touch that a file itself refused nothing is remembered, as its mount has nothing to make up for', async () => {
  rmSync(copyOn('a'));
  fs.symlinkSync(copyOn('b'), copyOn('a'));
  const missed: unknown[] = [];
  store.on('copy-missed', ({ operation, node }) => void missed.push([operation, node]));
  await store.touch(ID);
  expect(missed).toEqual([['touch', join(root, 'a')]]);
  expect(fs.existsSync(join(root, 'b', '.stormlamp', 'missed'))).toBe(false);
});

test('a resync names the mounts that it could not reach', async () => {
  const mark = join(root, 'b', '.stormlamp', 'mount.json');
  fs.renameSync(mark, `${mark}.away`);
  expect(await store.resync()).toMatchObject({ looked: 1, unreached: [join(root, 'b')] });
  fs.renameSync(`${mark}.away`, mark);
  expect(await store.resync()).toMatchObject({ looked: 1, unreached: [] });
});
