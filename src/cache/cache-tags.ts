/**
 * Tags: each has a generation on memcached, and a value is only believed while the generations are those that it was stored
 * with. To void a tag is to give it a new generation; a generation that was evicted, or deleted by PHP, voids it as well.
 */
import { randomBytes } from 'node:crypto';
import type { CallOptions } from '../common/deadline.js';
import type { CacheKeys } from './cache-keys.js';
import { NODE_DOWN, type SharedLevel } from './shared-level.js';
import { storeOver } from './store-over.js';

/** The generations of some tags; undefined when one of them cannot be had, so that nothing with these tags can be believed. */
export type TagGenerations = Readonly<Record<string, string>> | undefined;

const LONGEST_GENERATION = 32;
const GENERATION = /^[\w-]{1,32}$/;

/** The tags of one cache. */
export class CacheTags {
  readonly #shared: SharedLevel;
  readonly #keys: CacheKeys;

  /** Tags in `shared`, named by `keys`. */
  constructor(shared: SharedLevel, keys: CacheKeys) {
    this.#shared = shared;
    this.#keys = keys;
  }

  /** The present generations; a tag that has none gets one. */
  async generations(tags: readonly string[], call?: CallOptions): Promise<TagGenerations> {
    const found = await Promise.all(tags.map((tag) => this.#generation(tag, call)));
    if (found.includes(undefined)) return undefined;
    return Object.fromEntries(tags.map((tag, index) => [tag, found[index] as string]));
  }

  /** Gives a tag a new generation; false when its node is down, and then its values cannot be read with the tag either. */
  async renew(tag: string, call?: CallOptions): Promise<boolean> {
    const { key, place } = this.#keys.tag(tag);
    const done = await this.#shared.on(place, call, (node, options) =>
      node.set(key, newGeneration(), { ...options, exptime: 0 }),
    );
    return done !== NODE_DOWN;
  }

  async #generation(tag: string, call: CallOptions | undefined): Promise<string | undefined> {
    const { key, place } = this.#keys.tag(tag);
    const found = await this.#shared.on(place, call, async (node, options) => {
      const item = await node.get(key, options);
      if (item !== null && isGeneration(item.value)) return item.value;
      // PHP may have put something else there: that voids the tag as well.
      const value = newGeneration();
      const over = item === null ? 'nothing' : item.cas;
      const stored = await storeOver(over, node, key, value, { ...options, exptime: 0 });
      return stored.status === 'stored' ? value : ((await node.get(key, options))?.value ?? null);
    });
    if (found === NODE_DOWN || found === null) return undefined;
    return isGeneration(found) ? found.toString('latin1') : undefined;
  }
}

function isGeneration(value: Buffer): boolean {
  return GENERATION.test(value.toString('latin1', 0, LONGEST_GENERATION + 1));
}

function newGeneration(): Buffer {
  return Buffer.from(randomBytes(12).toString('base64url'));
}
