/** Sessions and shared files that more than one mount must take, on two real mounts of which one goes wrong. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSharedFiles, type SharedFiles } from '../../src/files/shared-files.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { FileSessionStore } from '../../src/session/file-session-store.js';
import { type FaultyMount, MountRoom } from './mount-room.js';

const SOME_KB = 'x'.repeat(20_000);

let room: MountRoom;
let a: FaultyMount;
let b: FaultyMount;

beforeEach(async () => {
  room = await MountRoom.open();
  [a, b] = [await room.add('a', '4m'), await room.add('b', '400k')];
});
afterEach(async () => {
  await room?.close();
});

describe.each(['majority', 'all'] as const)("sessions with acks: '%s'", (acks) => {
  let store: FileSessionStore;
  const fileOn = (mount: FaultyMount, id: string): string => join(mount.path, `sess_${id}`);

  beforeEach(async () => {
    store = await createSessionStore({ mounts: [a.path, b.path], acks, monitorIntervalMs: 60_000 });
  });
  afterEach(async () => {
    await store?.close();
  });

  test.each([
    ['away', 'unmount', 'mount'],
    ['read-only', 'readOnly', 'writable'],
  ] as const)(
    'with a mount %s a save changes nothing, and a logout is done, and told',
    async (_what, harm, heal) => {
      const session = store.create();
      session.data['n'] = 1;
      await store.save(session);
      const before = readFileSync(fileOn(a, session.id));
      await b[harm]();
      session.data['n'] = 2;
      const refused = { code: 'ERR_STORE_DOWN', message: expect.stringMatching(/nothing was changed/) };
      await expect(store.save(session)).rejects.toMatchObject(refused);
      await expect(store.writeRaw(session.id, Buffer.from('n|i:3;'))).rejects.toMatchObject(refused);
      expect(readFileSync(fileOn(a, session.id))).toEqual(before);
      expect((await store.load(session.id)).data).toEqual({ n: 1 });
      await expect(store.destroy(session.id)).rejects.toMatchObject({
        code: 'ERR_OUTCOME_UNKNOWN',
        message: expect.stringContaining(`on ${a.path} alone`),
      });
      expect((await store.load(session.id)).exists).toBe(false);
      await b[heal]();
      await store.checkMounts();
      for (const mount of [a, b]) expect(existsSync(fileOn(mount, session.id))).toBe(false);
    },
  );

  test('what one mount has no room for is on the other one, and told; then nothing is changed', async () => {
    const session = store.create();
    session.data['n'] = 1;
    await store.save(session);
    await b.fill();
    Object.assign(session.data, { n: 2, pad: SOME_KB });
    await expect(store.save(session)).rejects.toMatchObject({
      code: 'ERR_OUTCOME_UNKNOWN',
      message: expect.stringContaining(`on ${a.path} alone`),
    });
    expect((await store.load(session.id)).data).toEqual({ n: 2, pad: SOME_KB });
    session.data['n'] = 3;
    await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
    expect((await store.load(session.id)).data['n']).toBe(2);
    await b.empty();
    await store.checkMounts();
    expect((await store.save(session)).copies).toEqual([a.path, b.path]);
    for (const mount of [a, b]) expect(readFileSync(fileOn(mount, session.id), 'utf8')).toContain('n|i:3;');
  });
});

describe("shared files with acks: 'all'", () => {
  let files: SharedFiles;
  const on = (mount: FaultyMount): string => join(mount.path, 'page');

  beforeEach(async () => {
    files = await createSharedFiles({ mounts: [a.path, b.path], acks: 'all', monitorIntervalMs: 60_000 });
    await files.write('page', 'old');
  });
  afterEach(async () => {
    await files?.close();
  });

  test.each([
    ['away', 'unmount'],
    ['read-only', 'readOnly'],
    ['full', 'fill'],
  ] as const)('with a mount %s a write changes nothing', async (_what, harm) => {
    await b[harm]();
    await expect(files.write('page', SOME_KB)).rejects.toMatchObject({
      code: 'ERR_STORE_DOWN',
      message: expect.stringMatching(/nothing was changed/),
    });
    expect(readFileSync(on(a), 'utf8')).toBe('old');
    // By now it is known that the mount takes nothing.
    await expect(files.delete('page')).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
    expect(readFileSync(on(a), 'utf8')).toBe('old');
  });

  test('a deletion of which one mount has no room for the note is done on the other one, and told', async () => {
    await b.fill();
    await expect(files.delete('page')).rejects.toMatchObject({
      code: 'ERR_OUTCOME_UNKNOWN',
      message: expect.stringContaining(`on ${a.path} alone`),
    });
    expect(existsSync(on(a))).toBe(false);
    expect(await files.stat('page')).toBeUndefined();
    await b.empty();
    await files.checkMounts();
    expect(existsSync(on(b))).toBe(false);
  });
});
