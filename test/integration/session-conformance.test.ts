/** Our own session stores keep what every session store promises. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionStore } from '../../src/express/index.js';
import { createSessionStore, type FileSessionStore, type SessionStorePort } from '../../src/index.js';
import {
  type ExpressStore,
  expressStoreConformance,
  type LocalCluster,
  sessionStoreConformance,
  startLocalCluster,
} from '../../src/testing/index.js';

let servers: LocalCluster;
let folder: string;
beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, php: false });
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-sessions-'));
});
afterAll(async () => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  await servers?.close();
});

function nodes(): string[] {
  return servers.memcached.map(({ id }) => id);
}

function mounts(count: number): string[] {
  return Array.from({ length: count }, (_, at) => {
    const mount = join(folder, `${count}-${at}`);
    mkdirSync(mount, { recursive: true });
    return mount;
  });
}

const stores: Readonly<Record<string, () => Promise<SessionStorePort>>> = {
  'memcached as php-memcached uses it': () => createSessionStore({ nodes: nodes() }),
  'memcached as pecl-memcache uses it': () => createSessionStore({ nodes: nodes(), handler: 'memcache' }),
  'files on one mount': () => createSessionStore({ mounts: mounts(1) }),
  'files on two mounts': () => createSessionStore({ mounts: mounts(2) }),
};

/** For a machine that has much else to do. */
const PATIENT = { timeoutMs: 60_000 };

describe.each(Object.entries(stores))('%s', (_name, open) => {
  for (const { name, run } of sessionStoreConformance(open, PATIENT)) test(name, run);

  test('only bytes can be written raw, and bytes of any kind', async () => {
    const store = await open();
    const { id } = store.create();
    for (const wrong of ['n|i:1;', undefined, { length: 6 }] as unknown[] as Buffer[])
      await expect(store.writeRaw(id, wrong)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    expect(await store.readRaw(id)).toBeNull();
    const room = new Uint8Array(Buffer.from('xxn|i:1;xx'));
    await store.writeRaw(id, room.subarray(2, 8));
    expect(String(await store.readRaw(id))).toBe('n|i:1;');
    await store.close();
  });

  const opened = new Map<ExpressStore, SessionStorePort>();
  const openForExpress = async (): Promise<ExpressStore> => {
    const store = await open();
    const forExpress = sessionStore(store);
    opened.set(forExpress, store);
    return forExpress;
  };
  const close = (store: ExpressStore) => opened.get(store)?.close();
  for (const { name, run } of expressStoreConformance(openForExpress, {
    close,
    expires: false,
    emptyObjects: false,
  }))
    test(`for express-session: ${name}`, run);
});

describe('memcached, the last write wins', () => {
  const open = () => createSessionStore({ nodes: nodes(), conflict: 'last-write-wins' });
  const excused = [
    // Nothing is locked and nothing is read before a write.
    'a session that somebody has locked is waited for, and not longer than the call may take',
    'a session that was destroyed meanwhile is not brought back by a save',
  ];
  for (const { name, run } of sessionStoreConformance(open, { ...PATIENT, merges: false }))
    if (!excused.includes(name)) test(name, run);
});

describe.concurrent('lives of sessions', () => {
  const lifetimeMs = 3_000;
  const short: Readonly<Record<string, () => Promise<SessionStorePort>>> = {
    'memcached as php-memcached uses it': () => createSessionStore({ nodes: nodes(), lifetimeMs }),
    'memcached as pecl-memcache uses it': () =>
      createSessionStore({ nodes: nodes(), handler: 'memcache', lifetimeMs }),
    'files on two mounts': () => createSessionStore({ mounts: mounts(2), lifetimeMs }),
  };
  const collect = (store: SessionStorePort) =>
    'collect' in store ? (store as FileSessionStore).collect() : undefined;
  for (const [kind, open] of Object.entries(short))
    for (const { name, run } of sessionStoreConformance(open, { ...PATIENT, lifetimeMs, collect }))
      if (/ life/.test(name)) test(`${kind}: ${name}`, run);
});
