import session, { MemoryStore, type SessionData } from 'express-session';
import { describe, expect, test } from 'vitest';
import { type ExpressStore, expressStoreConformance } from '../../../../src/testing/index.js';

describe('a store of another package keeps all promises', () => {
  for (const { name, run } of expressStoreConformance(() => new MemoryStore())) test(name, run);
});

/** The promises that a store breaks. */
async function broken(open: () => ExpressStore): Promise<readonly string[]> {
  const cases = expressStoreConformance(open, { timeoutMs: 200 });
  const results = await Promise.allSettled(cases.map(({ run }) => run()));
  return cases.flatMap(({ name }, at) => (results[at]?.status === 'rejected' ? [name] : []));
}

class WithTouch extends session.MemoryStore {
  override touch(id: string, data: SessionData, done?: () => void): void {
    this.set(id, data, done);
  }
}
class Twice extends session.MemoryStore {
  override get(id: string, done: (error?: unknown, data?: SessionData | null) => void): void {
    super.get(id, (error, data) => {
      done(error, data);
      done(error, data);
    });
  }
}
class Mute extends session.MemoryStore {
  override destroy(): void {}
}
class Shared extends session.MemoryStore {
  readonly #kept = new Map<string, SessionData>();
  override get(id: string, done: (error?: unknown, data?: SessionData | null) => void): void {
    done(null, this.#kept.get(id) ?? null);
  }
  override set(id: string, data: SessionData, done?: () => void): void {
    this.#kept.set(id, data);
    done?.();
  }
  override destroy(id: string, done?: () => void): void {
    this.#kept.delete(id);
    done?.();
  }
}

test.each<[string, () => ExpressStore, readonly string[]]>([
  [
    'whose touch writes',
    () => new WithTouch(),
    ['a touch keeps what is there, whatever it is given', 'a touch makes nothing'],
  ],
  [
    'that keeps the object itself',
    () => new Shared(),
    ['what was got is a copy', 'a session whose cookie has expired is gone'],
  ],
])('a store %s is found out', async (_, open, names) => {
  expect(await broken(open)).toEqual(names);
});

test('a store that calls back twice, or never, breaks every promise that asks it', async () => {
  expect(await broken(() => new Twice())).toContain('a set replaces the whole session');
  expect(await broken(() => new Mute())).toContain('a destroyed session is gone, and can be destroyed again');
});
