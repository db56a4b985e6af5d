/** Values on memcached with what stands beside them: reads and writes both in one go. */
import type { CallOptions } from '../common/deadline.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { exptimeOf } from '../memcached/exptime.js';
import type { CacheKeys } from './cache-keys.js';
import { type CacheTags, noteAgrees, tagNote } from './cache-tags.js';
import type { StoredCacheValue } from './php-cache-value.js';
import { NODE_DOWN, type SharedLevel } from './shared-level.js';

/** The values of one cache. */
export class SharedValues {
  readonly #shared: SharedLevel;
  readonly #keys: CacheKeys;
  readonly #tags: CacheTags;

  /** Values in `shared`, named by `keys`. */
  constructor(shared: SharedLevel, keys: CacheKeys, tags: CacheTags) {
    this.#shared = shared;
    this.#keys = keys;
    this.#tags = tags;
  }

  /** A value whose tags, if any, were not voided since it was stored. */
  async read(
    name: string,
    tags: readonly string[],
    call?: CallOptions,
  ): Promise<StoredCacheValue | undefined> {
    const { key, place } = this.#keys.value(name);
    if (tags.length === 0) {
      const item = await this.#shared.on(place, call, (node, options) => node.get(key, options));
      return item === NODE_DOWN || item === null ? undefined : item;
    }
    const [found, generations] = await Promise.all([
      this.#shared.on(place, call, (node, options) =>
        Promise.all([node.get(key, options), node.get(this.#keys.tagsOf(name).key, options)]),
      ),
      this.#tags.generations(tags, call),
    ]);
    if (found === NODE_DOWN || generations === undefined) return undefined;
    const [item, note] = found;
    if (item === null || !noteAgrees(note?.value, item.cas, generations)) return undefined;
    return item;
  }

  /** Stores a value, and the generations of its tags beside it. */
  async write(
    name: string,
    { value, flags }: StoredCacheValue,
    ttlMs: number,
    generations: Readonly<Record<string, string>>,
    call?: CallOptions,
  ): Promise<'stored' | 'too-large' | 'node-down'> {
    const { key, place } = this.#keys.value(name);
    const exptime = exptimeOf(ttlMs);
    try {
      const done = await this.#shared.on(place, call, async (node, options) => {
        const result = await node.set(key, value, { ...options, flags, exptime });
        if (result.status !== 'stored' || Object.keys(generations).length === 0) return;
        const note = tagNote(result.cas, generations);
        await node.set(this.#keys.tagsOf(name).key, note, { ...options, exptime });
      });
      return done === NODE_DOWN ? 'node-down' : 'stored';
    } catch (error) {
      if (!isStormlampError(error, ErrorCode.SESSION_TOO_LARGE)) throw error;
      // What is stored there was to be replaced.
      await this.remove(name, call);
      return 'too-large';
    }
  }

  /** Removes a value; false when its node is down. */
  async remove(name: string, call?: CallOptions): Promise<boolean> {
    const { key, place } = this.#keys.value(name);
    const done = await this.#shared.on(place, call, (node, options) => node.delete(key, options));
    return done !== NODE_DOWN;
  }
}
