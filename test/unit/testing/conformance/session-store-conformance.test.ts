import { describe, expect, test } from 'vitest';
import type { SessionStorePort } from '../../../../src/index.js';
import {
  type FakeCluster,
  fakeCluster,
  type SessionStoreConformanceOptions,
  sessionStoreConformance,
} from '../../../../src/testing/index.js';

const LIFETIME_MS = 3_000;

async function open(): Promise<FakeCluster> {
  return fakeCluster({ replicas: 0, sessions: { lifetimeMs: LIFETIME_MS } });
}

/** The cases over a store whose second copy can fail, with some of its methods replaced by `change`. */
function casesOf(
  change: (store: SessionStorePort) => Partial<SessionStorePort> = () => ({}),
  options: SessionStoreConformanceOptions = {},
): ReturnType<typeof sessionStoreConformance> {
  let fake: FakeCluster | undefined;
  return sessionStoreConformance(
    async () => {
      fake = await open();
      const store = fake.cluster.sessions;
      const own = change(store) as Readonly<Record<string | symbol, unknown>>;
      return new Proxy<SessionStorePort>(store, {
        get: (target, name) => {
          const value = own[name] ?? Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
    {
      lifetimeMs: LIFETIME_MS,
      failCopy: async () => {
        await fake?.kill('cache2');
        return { copy: 'cache2:11211', mend: () => fake?.start('cache2') };
      },
      ...options,
    },
  );
}

describe('the store on memcached, over nodes in this process', () => {
  for (const { name, run } of casesOf(undefined, { timeoutMs: 60_000 }))
    test(name, { timeout: 120_000 }, run);
});

test('a case over a store that hangs fails in time', async () => {
  const cases = casesOf(() => ({ load: () => new Promise(() => undefined) }), {
    timeoutMs: 100,
    lifetimeMs: undefined,
    failCopy: undefined,
  });
  const { run } = cases.find(({ name }) => name === 'a session that nobody saved is not there') ?? {};
  await expect(run?.()).rejects.toThrow('the store did not answer within 300 ms');
});

type Mutant = (store: SessionStorePort) => Partial<SessionStorePort>;

/** Passes on the options without `names`. */
function without(names: readonly string[], methods: readonly (keyof SessionStorePort)[]): Mutant {
  return (store) =>
    Object.fromEntries(
      methods.map((method) => [
        method,
        (target: never, options: object = {}) => {
          const kept = Object.entries(options).filter(([name]) => !names.includes(name));
          return (store[method] as (target: never, options: object) => unknown).call(
            store,
            target,
            Object.fromEntries(kept),
          );
        },
      ]),
    );
}

const CALLS = ['load', 'save', 'touch', 'regenerate'] as const;
let counter = 0;

/** Stores that break a promise, and the case that finds each. */
const MUTANTS: readonly (readonly [string, Mutant, string])[] = [
  [
    'saves are lost',
    () => ({ save: async () => ({ outcome: 'saved', copies: ['a'] }) }),
    'what was saved is loaded, with its kinds',
  ],
  [
    'destroys do nothing',
    () => ({ destroy: async () => undefined }),
    'a destroyed session is gone, and can be destroyed again',
  ],
  [
    'a destroyed session comes back',
    () => ({ destroy: async () => undefined }),
    'a session that was destroyed meanwhile is not brought back by a save',
  ],
  [
    'saves overwrite',
    (store) => ({
      save: async (session, options) => {
        const pairs = Object.entries(session.data).map(
          ([name, value]) => `${name}|s:1:"${String(value)[0]}";`,
        );
        return store.writeRaw(session.id, Buffer.from(pairs.join('')), options);
      },
    }),
    'two requests that change different variables lose nothing',
  ],
  [
    'the old session stays at once',
    (store) => ({ regenerate: (session) => store.regenerate(session, { graceMs: 60_000 }) }),
    'a regenerated session has a new id and what it had',
  ],
  [
    'the grace never ends',
    (store) => ({
      regenerate: (session, options) =>
        store.regenerate(session, { ...options, graceMs: options?.graceMs === 0 ? 0 : 10_000_000 }),
    }),
    'a regenerated session stays under its old id for the grace, and no longer',
  ],
  ['touches do nothing', () => ({ touch: async () => undefined }), 'a touch renews the life of a session'],
  [
    'sessions live for a second',
    (store) => {
      const born = new Map<string, number>();
      return {
        save: async (session, options) => {
          born.set(session.id, performance.now());
          return store.save(session, options);
        },
        load: async (id, options) => {
          if (performance.now() - (born.get(id) ?? Number.POSITIVE_INFINITY) > 1_000) await store.destroy(id);
          return store.load(id, options);
        },
      };
    },
    'a session that nobody uses lives for its lifetime, and ends',
  ],
  [
    'sessions never end',
    (store) => {
      const kept = new Map<string, Buffer | null>();
      return {
        save: async (session, options) => {
          const saved = await store.save(session, options);
          kept.set(session.id, await store.readRaw(session.id));
          return saved;
        },
        load: async (id, options) => {
          const bytes = kept.get(id) ?? null;
          // However long nobody looked.
          if (bytes !== null) await store.writeRaw(id, bytes);
          return store.load(id, options);
        },
      };
    },
    'a session that nobody uses lives for its lifetime, and ends',
  ],
  [
    'ids are compared without case',
    (store) => ({
      load: (id, options) => store.load(id.toLowerCase(), options),
      readRaw: (id, options) => store.readRaw(id.toLowerCase(), options),
      writeRaw: (id, bytes, options) => store.writeRaw(id.toLowerCase(), bytes, options),
      destroy: (id, options) => store.destroy(id.toLowerCase(), options),
    }),
    'ids that differ in case are different',
  ],
  [
    'zero bytes are dropped',
    (store) => ({
      readRaw: async (id, options) => {
        const bytes = await store.readRaw(id, options);
        return bytes && Buffer.from(bytes.filter((byte) => byte !== 0));
      },
    }),
    'bytes of every value are kept, also beside a change',
  ],
  [
    'bytes go through text',
    (store) => ({
      readRaw: async (id, options) => {
        const bytes = await store.readRaw(id, options);
        return bytes && Buffer.from(String(bytes));
      },
    }),
    'bytes of every value are kept, also beside a change',
  ],
  [
    'more than 64 kB are refused',
    (store) => ({
      writeRaw: async (id, bytes, options) => {
        if (bytes.length > 65_535) throw new Error('Data too long for column');
        return store.writeRaw(id, bytes, options);
      },
    }),
    'a large session is kept',
  ],
  [
    'more than 64 kB are not stored, without a word',
    (store) => ({
      save: async (session, options) =>
        JSON.stringify(session.data).length > 65_535
          ? { outcome: 'saved', copies: ['cache1:11211'] }
          : store.save(session, options),
    }),
    'a large session is kept',
  ],
  [
    'a signal that fired is ignored',
    without(['signal'], CALLS),
    'a call whose signal has fired does nothing',
  ],
  [
    'a signal that fires later is ignored',
    without(['signal'], ['load']),
    'a session that somebody has locked is waited for, and not longer than the call may take',
  ],
  [
    'the time of a call is ignored',
    without(['timeoutMs'], ['load', 'save', 'regenerate']),
    'a session that somebody has locked is waited for, and not longer than the call may take',
  ],
  [
    'options are not looked at',
    without(['timeoutMs', 'timeout'], ['touch']),
    'a call with options that are none is refused, and does nothing',
  ],
  [
    'locks are not taken',
    (store) => ({ load: (id, options) => store.load(id, { ...options, lock: false }) }),
    'a session that somebody has locked is waited for, and not longer than the call may take',
  ],
  [
    'a copy that failed is named',
    (store) => ({
      save: async (session, options) => ({
        ...(await store.save(session, options)),
        copies: ['cache1:11211', 'cache2:11211'],
      }),
    }),
    'a save names no copy that failed',
  ],
  [
    'ids are counted',
    (store) => ({
      create: () => {
        counter += 1;
        const id = `session${String(counter).padStart(20, '0')}`;
        return new Proxy(store.create(), {
          get: (session, name) => (name === 'id' ? id : Reflect.get(session, name)),
        });
      },
    }),
    'new sessions have ids of their own, which the store accepts',
  ],
];

describe.concurrent('a store that breaks a promise is found', () => {
  test.each(MUTANTS)('%s', { timeout: 120_000 }, async (_, mutant, promise) => {
    const found = casesOf(mutant, { timeoutMs: 5_000 }).find(({ name }) => name === promise);
    expect(found).toBeDefined();
    await expect(found?.run()).rejects.toThrow();
  });
});
