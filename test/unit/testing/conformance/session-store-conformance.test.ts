import { describe, expect, test } from 'vitest';
import type { SessionStorePort } from '../../../../src/index.js';
import { fakeCluster, sessionStoreConformance } from '../../../../src/testing/index.js';

async function openStore(): Promise<SessionStorePort> {
  return (await fakeCluster({ replicas: 0 })).cluster.sessions;
}

describe('the store on memcached, over nodes in this process', () => {
  for (const { name, run } of sessionStoreConformance(openStore)) test(name, run);
});

/** The cases that a store breaks when one of its methods is another one. */
async function broken(change: (store: SessionStorePort) => Partial<SessionStorePort>): Promise<string[]> {
  const cases = sessionStoreConformance(async () => {
    const store = await openStore();
    return new Proxy(store, {
      get: (target, name) => {
        const own = change(target) as Readonly<Record<string | symbol, unknown>>;
        const value = own[name] ?? Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  });
  const outcomes = await Promise.allSettled(cases.map(({ run }) => run()));
  return cases.filter((_, at) => outcomes[at]?.status === 'rejected').map(({ name }) => name);
}

describe('a store that breaks a promise is found', () => {
  test('saves that are lost', async () => {
    const names = await broken(() => ({ save: async () => ({ outcome: 'saved', copies: ['a'] }) }));
    expect(names).toContain('what was saved is loaded, with its kinds');
  });

  test('destroys that do nothing', async () => {
    const names = await broken(() => ({ destroy: async () => undefined }));
    expect(names).toContain('a destroyed session is gone, and can be destroyed again');
    expect(names).toContain('a session that was destroyed meanwhile is not brought back by a save');
  });

  test('saves that overwrite', async () => {
    const names = await broken((store) => ({
      save: async (session, options) => {
        const pairs = Object.entries(session.data).map(
          ([name, value]) => `${name}|s:1:"${String(value)[0]}";`,
        );
        return store.writeRaw(session.id, Buffer.from(pairs.join('')), options);
      },
    }));
    expect(names).toContain('two requests that change different variables lose nothing');
    expect(names).toContain('twenty requests at once lose nothing');
  });

  test('regenerated ids whose old session stays', async () => {
    const names = await broken((store) => ({
      regenerate: (session) => store.regenerate(session, { graceMs: 60_000 }),
    }));
    expect(names).toEqual(['a regenerated session has a new id and what it had']);
  });
});
