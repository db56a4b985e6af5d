import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { loadSession } from '../../../src/express/index.js';
import {
  type CustomSessionOptions,
  createCustomSessionStore,
  type SessionBackend,
  type SessionBackendLock,
} from '../../../src/index.js';
import { sessionStoreConformance } from '../../../src/testing/index.js';

const LIFETIME_MS = 3_000;

type Rows = Map<string, { bytes: Uint8Array; endsAt: number }>;

/** A backend as somebody might write it. */
function mapBackend(rows: Rows = new Map()): SessionBackend & { readonly rows: Rows } {
  const live = (key: string): { bytes: Uint8Array; endsAt: number } | undefined => {
    const row = rows.get(key);
    return row !== undefined && row.endsAt > Date.now() ? row : undefined;
  };
  return {
    rows,
    name: 'map',
    read: (key) => live(key)?.bytes,
    write: (key, bytes, endsAt) => rows.set(key, { bytes, endsAt }),
    touch: (key, endsAt) => {
      const row = live(key);
      if (row !== undefined) row.endsAt = endsAt;
    },
    remove: (key) => rows.delete(key),
  };
}

function storeOver(change: Partial<SessionBackend> = {}, options: CustomSessionOptions = {}) {
  return createCustomSessionStore({ ...mapBackend(), ...change }, options);
}

async function newSession(store: ReturnType<typeof storeOver>) {
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  return session;
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('a store over a map of its own keeps every promise', () => {
  const cases = sessionStoreConformance(
    () => createCustomSessionStore(mapBackend(), { lifetimeMs: LIFETIME_MS }),
    { lifetimeMs: LIFETIME_MS, timeoutMs: 60_000 },
  );
  for (const { name, run } of cases) test.concurrent(name, { timeout: 120_000 }, run);
});

test('it stands behind the middleware', async () => {
  const backend = mapBackend();
  const store = createCustomSessionStore(backend);
  const server = createServer(async (request, response) => {
    const http = await loadSession(store, request, response);
    const before = String(http.session['visits'] ?? 0);
    http.session['visits'] = Number(before) + 1;
    await http.save();
    response.end(before);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    const first = await fetch(url);
    expect(await first.text()).toBe('0');
    const cookie = String(first.headers.get('set-cookie')).split(';', 1)[0] as string;
    const second = await fetch(url, { headers: { cookie } });
    expect(await second.text()).toBe('1');
    expect([...backend.rows.values()].map(({ bytes }) => String(bytes))).toEqual(['visits|i:2;']);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await store.close();
  }
});

test('two processes that share a backend and its lock lose no change', async () => {
  const rows: Rows = new Map();
  const waiting = new Map<string, Promise<void>>();
  const lock = async (key: string): Promise<SessionBackendLock> => {
    const before = waiting.get(key);
    let release = (): void => undefined;
    waiting.set(
      key,
      new Promise((done) => {
        release = done;
      }),
    );
    await before;
    return { release };
  };
  const slow = { ...mapBackend(rows), lock };
  const read = slow.read.bind(slow);
  const stores = [0, 1].map(() =>
    createCustomSessionStore({
      ...slow,
      read: async (key, call) => {
        await new Promise(setImmediate);
        return read(key, call);
      },
    }),
  );
  const [one, other] = stores as [(typeof stores)[0], (typeof stores)[0]];
  const { id } = await newSession(one);
  await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      const store = at % 2 === 0 ? one : other;
      const session = await store.load(id);
      session.data[`v${at}`] = at;
      await store.save(session);
    }),
  );
  expect(Object.keys((await one.load(id)).data)).toHaveLength(21);
});

test('what was saved under a lock that was lost is saved once more', async () => {
  let taken = 0;
  const rows: Rows = new Map();
  const backend = mapBackend(rows);
  const store = createCustomSessionStore({
    ...backend,
    lock: () => {
      taken += 1;
      const lost = taken === 1;
      return {
        get lost() {
          return lost;
        },
        release: () => {
          // Somebody who had the lock meanwhile writes back what it had read.
          if (lost) for (const row of rows.values()) row.bytes = Buffer.from('other|i:1;');
        },
      };
    },
  });
  const session = await newSession(store);
  expect(taken).toBe(2);
  expect((await store.load(session.id)).data).toEqual({ other: 1, user: 'ada' });
});

test.each<[string, Partial<SessionBackend>, CustomSessionOptions, string, RegExp]>([
  [
    'a lock that somebody holds',
    { lock: never },
    { lockWaitMs: 20 },
    'ERR_SESSION_LOCKED',
    /`lockWaitMs` \(20 ms\)/,
  ],
  [
    'a write that has no answer',
    { write: never },
    { operationTimeoutMs: 20 },
    'ERR_OUTCOME_UNKNOWN',
    /`write` of the session backend did not answer within `operationTimeoutMs` \(20 ms\), and may have been done/,
  ],
  [
    'a write that fails',
    { write: () => Promise.reject(new Error('disk full')) },
    {},
    'ERR_STORE_DOWN',
    /`write` of the session backend failed: disk full/,
  ],
])('a save tells of %s', async (_what, change, options, code, message) => {
  await expect(newSession(storeOver(change, options))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

test.each<[string, Partial<SessionBackend>, string, RegExp]>([
  [
    'that throws',
    {
      read: () => {
        throw new Error('no route');
      },
    },
    'ERR_STORE_DOWN',
    /`read` of the session backend failed: no route/,
  ],
  ['without an answer', { read: never }, 'ERR_STORE_DOWN', /did not answer within/],
  [
    'that gives text',
    { read: () => 'user|s:3:"ada";' as unknown as Buffer },
    'ERR_PROTOCOL',
    /must give a Uint8Array or null, and gave .*user/,
  ],
])('a load tells of a backend %s', async (_what, change, code, message) => {
  const store = storeOver(change, { operationTimeoutMs: 20 });
  await expect(store.load(store.create().id)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

test('the limit of a call, and its signal, are told to the backend', async () => {
  let aborted = false;
  const store = storeOver({
    read: (_key, { signal }) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return never();
    },
  });
  await expect(store.load(store.create().id, { timeoutMs: 20 })).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
  });
  expect(aborted).toBe(true);
});

test('a lock that comes after its caller gave up is given back, and the next one gets it', async () => {
  const gates: ((lock: SessionBackendLock) => void)[] = [];
  const released: number[] = [];
  const store = storeOver({ lock: () => new Promise((done) => gates.push(done)) }, { lockWaitMs: 20 });
  const session = store.create();
  session.data['a'] = 1;
  await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  gates[0]?.({ release: () => released.push(0) });
  await expect.poll(() => released).toEqual([0]);
  // One that cannot be given back ends nothing else.
  await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  gates[1]?.({
    release: () => {
      released.push(1);
      throw new Error('gone');
    },
  });
  await expect.poll(() => released).toEqual([0, 1]);
});

test('a request that waits longer for a lock of this process than `lockWaitMs` is told so, and stands in nobody’s way', async () => {
  const store = storeOver({}, { conflict: 'lock', lockWaitMs: 50 });
  const { id } = await newSession(store);
  const holder = await store.load(id);
  await expect(store.load(id)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  await expect(store.load(id, { timeoutMs: 10 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  const next = store.load(id);
  await holder.release();
  await (await next).release();
  await (await store.load(id)).release();
});

test('bytes that the caller goes on changing are stored as they were', async () => {
  const store = storeOver();
  const { id } = store.create();
  const bytes = Buffer.from('n|i:1;');
  await store.writeRaw(id, bytes);
  bytes.fill(0);
  expect(String(await store.readRaw(id))).toBe('n|i:1;');
});

test('a backend is closed once', async () => {
  let closed = 0;
  const store = storeOver({
    close: () => {
      closed += 1;
    },
  });
  await store.close();
  await store.close();
  expect(closed).toBe(1);
});

test.each<[string, unknown, unknown, RegExp]>([
  ['no backend', undefined, {}, /Expected `backend` to be an object/],
  ['a method that is missing', { ...mapBackend(), touch: undefined }, {}, /`backend.touch` to be a function/],
  ['a lock that is none', { ...mapBackend(), lock: true }, {}, /`backend.lock` to be a function, got `true`/],
  ['an option of copies', mapBackend(), { acks: 'all' }, /Unknown option `options.acks`/],
])('%s is refused', (_what, backend, options, message) => {
  expect(() => createCustomSessionStore(backend as SessionBackend, options as object)).toThrow(message);
});
