/** A session lives as long as it is used, and ends a lifetime later. */
import assert from 'node:assert/strict';
import type { SessionStorePort } from '../../session/session-store-port.js';
import { pause, type Story, saved, until } from './story.js';

/** Lives are counted in whole seconds by some stores. */
const ROUNDING_MS = 1_000;
/** Looks that came too late to tell anything are made again, so often. */
const ATTEMPTS = 10;

/** Stories about sessions that live for `lifetimeMs`; `collect` removes those that are over, where the store does not. */
export function lifeStories(
  lifetimeMs: number,
  collect: (store: SessionStorePort) => unknown = () => undefined,
): Readonly<Record<string, Story>> {
  const isThere = async (store: SessionStorePort, id: string): Promise<boolean> => {
    await collect(store);
    return (await store.load(id)).exists;
  };
  /** Whether a session was there until `forMs` after it was saved; undefined when a look came too late to tell. */
  const lives = async (
    store: SessionStorePort,
    forMs: number,
    use?: (id: string) => Promise<void>,
  ): Promise<boolean | undefined> => {
    const began = performance.now();
    const id = await saved(store, { user: 'ada' });
    let usedAt = began;
    while (performance.now() - began < forMs) {
      await pause(lifetimeMs / 20);
      if (use !== undefined) {
        const at = performance.now();
        await use(id);
        usedAt = at;
      }
      if (await isThere(store, id)) continue;
      return performance.now() - usedAt < lifetimeMs - ROUNDING_MS ? false : undefined;
    }
    return true;
  };
  const mustLive = async (...life: Parameters<typeof lives>): Promise<void> => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const lived = await lives(...life);
      if (lived === undefined) continue;
      assert.ok(lived, `a session lives for ${lifetimeMs} ms after its last use`);
      return;
    }
    assert.fail(`No look came within ${lifetimeMs - ROUNDING_MS} ms: give a longer \`lifetimeMs\``);
  };
  return {
    'a session that nobody uses lives for its lifetime, and ends': async (store, { timeoutMs }) => {
      const id = await saved(store, { user: 'ada' });
      await mustLive(store, lifetimeMs - ROUNDING_MS);
      await until('the session is over', lifetimeMs + timeoutMs, async () => !(await isThere(store, id)));
    },
    'a touch renews the life of a session': async (store) => {
      await mustLive(store, lifetimeMs + ROUNDING_MS, (id) => store.touch(id));
    },
  };
}
