/** What express-session asks of every store, as cases that any test runner can run. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ConformanceCase } from './session-store-conformance.js';

// biome-ignore lint/suspicious/noExplicitAny: every store has types of its own for sessions and callbacks.
type Any = any;

/** The part of an express-session `Store` that is asked. */
export interface ExpressStore {
  /** Reads a session. */
  get(sid: string, callback: Any): Any;
  /** Saves a session. */
  set(sid: string, session: Any, callback?: Any): Any;
  /** Removes a session. */
  destroy(sid: string, callback?: Any): Any;
  /** Renews the life of a session. */
  touch?(sid: string, session: Any, callback?: Any): Any;
}

/** What an express-session store under test is like. */
export interface ExpressStoreConformanceOptions {
  /** Ends a store that `open` gave; called after every case. Default: nothing. */
  readonly close?: ((store: ExpressStore) => unknown) | undefined;
  /** Whether a session ends when its cookie says so. Default true; false for stores with a lifetime of their own. */
  readonly expires?: boolean | undefined;
  /** Whether an empty object stays one. Default true; false for PHP's format, in which it is an empty list. */
  readonly emptyObjects?: boolean | undefined;
  /** How long a case waits for a callback, milliseconds. Default 10 000. */
  readonly timeoutMs?: number | undefined;
}

interface Client {
  readonly store: ExpressStore;
  get(id: string): Promise<Record<string, unknown> | null>;
  set(id: string, variables: object): Promise<void>;
  call(method: 'destroy' | 'touch', id: string, session?: object): Promise<void>;
}
type Story = (client: Client, id: string) => Promise<void>;

/**
 * The promises of an express-session store, one case each. `open` is called for every case and gives a store, empty or not;
 * ids are random, and what a case stored it removes: `for (const { name, run } of expressStoreConformance(openStore)) test(name, run)`.
 * Cases about `touch` pass for a store that has none: express-session does without it.
 */
export function expressStoreConformance(
  open: () => Promise<ExpressStore> | ExpressStore,
  options: ExpressStoreConformanceOptions = {},
): readonly ConformanceCase[] {
  const { close, expires = true, emptyObjects = true, timeoutMs = 10_000 } = options;
  const stories = { ...STORIES, ...(expires ? EXPIRING : {}), ...(emptyObjects ? EMPTY : {}) };
  return Object.entries(stories).map(([name, story]) => ({
    name,
    run: async () => {
      const store = await open();
      const client = clientOf(store, timeoutMs);
      const id = newId();
      try {
        await story(client, id);
        await client.call('destroy', id);
      } finally {
        await close?.(store);
      }
    },
  }));
}

const STORIES: Readonly<Record<string, Story>> = {
  'it tells events, and can make sessions': async ({ store }) => {
    for (const method of ['on', 'emit', 'regenerate', 'createSession'])
      assert.equal(typeof (store as unknown as Record<string, unknown>)[method], 'function', method);
  },
  'a session that nobody set is not there, and that is no error': async ({ get }, id) => {
    assert.equal(await get(id), null);
  },
  'what was set is got, with its kinds, and with a cookie': async ({ get, set }, id) => {
    const variables = {
      text: 'Grüße, 世界 \u0000 "\\',
      count: 42,
      share: 0.5,
      yes: true,
      nothing: null,
      list: [1, 'two', [3]],
      map: { name: 'ada', deep: { er: [] } },
    };
    await set(id, variables);
    const { cookie, ...rest } = (await get(id)) ?? {};
    assert.deepEqual(rest, variables);
    assert.equal(typeof cookie, 'object');
  },
  'a session without variables is a session': async ({ get, set }, id) => {
    await set(id, {});
    assert.notEqual(await get(id), null);
  },
  'a set replaces the whole session': async ({ get, set }, id) => {
    await set(id, { user: 'ada', cart: [1] });
    await set(id, { user: 'bob' });
    const { cookie: _, ...rest } = (await get(id)) ?? {};
    assert.deepEqual(rest, { user: 'bob' });
  },
  'what was got is a copy': async ({ get, set }, id) => {
    await set(id, { cart: ['lamp'] });
    const { cart } = (await get(id)) ?? {};
    (cart as string[]).push('candle');
    assert.deepEqual((await get(id))?.['cart'], ['lamp']);
  },
  'a destroyed session is gone, and can be destroyed again': async ({ get, set, call }, id) => {
    await set(id, { user: 'ada' });
    await call('destroy', id);
    assert.equal(await get(id), null);
    await call('destroy', id);
  },
  'a touch keeps what is there, whatever it is given': async ({ get, set, call }, id) => {
    await set(id, { n: 2 });
    await call('touch', id, { n: 1 });
    assert.equal((await get(id))?.['n'], 2);
  },
  'a touch makes nothing': async ({ get, call }, id) => {
    await call('touch', id, { n: 1 });
    assert.equal(await get(id), null);
  },
  'the ids of express-session are taken, and kept apart': async ({ get, set, call }) => {
    const ids = Array.from({ length: 20 }, newId);
    await Promise.all(ids.map((id, n) => set(id, { n })));
    assert.deepEqual(
      await Promise.all(ids.map(async (id) => (await get(id))?.['n'])),
      ids.map((_, n) => n),
    );
    await Promise.all(ids.map((id) => call('destroy', id)));
  },
  'a large session is kept': async ({ get, set }, id) => {
    const text = 'ü'.repeat(50_000);
    await set(id, { text });
    assert.equal((await get(id))?.['text'], text);
  },
  'names of variables make no prototypes': async ({ get, set }, id) => {
    await set(id, JSON.parse('{"__proto__":{"admin":true},"user":"ada"}') as object);
    const got = await get(id);
    assert.equal(got?.['user'], 'ada');
    assert.equal(got?.['admin'], undefined);
    assert.equal(({} as Record<string, unknown>)['admin'], undefined);
  },
  'a callback may be left out': async ({ store, get, set }, id) => {
    store.set(id, sessionOf({ n: 1 }));
    await until('it is set', async () => (await get(id)) !== null);
    store.touch?.(id, sessionOf({ n: 1 }));
    store.destroy(id);
    await until('it is destroyed', async () => (await get(id)) === null);
    await set(id, {});
  },
};

const EXPIRING: Readonly<Record<string, Story>> = {
  'a session whose cookie has expired is gone': async ({ store, get }, id) => {
    const cookie = { originalMaxAge: 1_000, expires: new Date(Date.now() - 60_000) };
    await new Promise<void>((resolve, reject) => {
      store.set(id, { cookie, user: 'ada' }, (error: unknown) => (error == null ? resolve() : reject(error)));
    });
    assert.equal(await get(id), null);
  },
};

const EMPTY: Readonly<Record<string, Story>> = {
  'an empty object stays one': async ({ get, set }, id) => {
    await set(id, { map: {}, list: [{}, []] });
    const { map, list } = (await get(id)) ?? {};
    assert.deepEqual({ map, list }, { map: {}, list: [{}, []] });
  },
};

/** As express-session makes them: 24 random bytes. */
function newId(): string {
  return randomBytes(24).toString('base64url');
}

function sessionOf(variables: object): object {
  const cookie = { originalMaxAge: 3_600_000, expires: new Date(Date.now() + 3_600_000), path: '/' };
  return Object.defineProperties({ cookie }, Object.getOwnPropertyDescriptors(variables));
}

function clientOf(store: ExpressStore, timeoutMs: number): Client {
  const answerOf = (what: string, invoke: (callback: Any) => void): Promise<unknown> =>
    new Promise((resolve, reject) => {
      let calls = 0;
      const limit = setTimeout(
        () =>
          reject(new assert.AssertionError({ message: `${what} did not call back within ${timeoutMs} ms` })),
        timeoutMs,
      );
      invoke((error: unknown, value: unknown) => {
        calls += 1;
        clearTimeout(limit);
        if (calls > 1) reject(new assert.AssertionError({ message: `${what} called back twice` }));
        // Whoever calls back twice does so soon.
        else if (error == null) setTimeout(resolve, 0, value);
        else reject(error);
      });
    });
  return {
    store,
    get: async (id) => {
      try {
        const got = await answerOf('get', (done) => store.get(id, done));
        return (got ?? null) as Record<string, unknown> | null;
      } catch (error) {
        // express-session takes that for a session that is not there.
        if ((error as { readonly code?: unknown }).code === 'ENOENT') return null;
        throw error;
      }
    },
    set: async (id, variables) => {
      await answerOf('set', (done) => store.set(id, sessionOf(variables), done));
    },
    call: async (method, id, variables = {}) => {
      if (method === 'destroy') await answerOf(method, (done) => store.destroy(id, done));
      else if (store.touch !== undefined)
        await answerOf(method, (done) => store.touch?.(id, sessionOf(variables), done));
    },
  };
}

async function until(what: string, is: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await is())) {
    assert.ok(performance.now() < end, `${what} within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
