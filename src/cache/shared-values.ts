/** Values on memcached with what stands beside them: reads and writes both in one go. */
import type { CallOptions } from '../common/deadline.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { exptimeOf } from '../memcached/exptime.js';
import type { MemcachedItem, MemcachedNode, StoreOptions, StoreResult } from '../memcached/memcached-node.js';
import type { CacheKeys } from './cache-keys.js';
import type { CacheTags, TagGenerations } from './cache-tags.js';
import type { StoredCacheValue } from './php-cache-value.js';
import { readRefreshFlags } from './refresh-mark.js';
import { NODE_DOWN, type SharedLevel } from './shared-level.js';
import { type CacheVersion, storeOver } from './store-over.js';
import {
  isTooMuchToNote,
  MOST_TAGS,
  type NotedGenerations,
  type NotedVersion,
  notedTags,
  writeTagNote,
} from './tag-note.js';

const TOO_LARGE = { status: 'too-large' } as const;
const NO_TAGS: ReadonlyMap<string, string> = new Map();

/** A value, and the tags that it was stored with. */
export interface TaggedCacheValue extends StoredCacheValue {
  /** All of them, whichever the reader asked for. */
  readonly tags: readonly string[];
}

/** What a reader found under a key. */
export interface FoundValue {
  /** Undefined when there is none, or none that can be believed. */
  readonly value: TaggedCacheValue | undefined;
  /** What is there, whether it can be believed or not. */
  readonly version: CacheVersion;
}

/** What became of a store: `exists` when something else was there than it may replace, `not-found` when that was gone. */
export type CacheStoreResult = StoreResult | { readonly status: 'too-large' | 'node-down' };

/** The values of one cache. */
export class SharedValues {
  readonly #shared: SharedLevel;
  readonly #keys: CacheKeys;
  readonly #tags: CacheTags;
  readonly #maxBytes: number;

  /** Values in `shared`, named by `keys`, of at most `maxBytes`. */
  constructor(shared: SharedLevel, keys: CacheKeys, tags: CacheTags, maxBytes: number) {
    this.#shared = shared;
    this.#keys = keys;
    this.#tags = tags;
    this.#maxBytes = maxBytes;
  }

  /**
   * A value of which no tag was voided since it was stored.
   *
   * @param tags what it must have been stored with
   * @returns NODE_DOWN when its node, or that of one of these tags, cannot be reached: then nothing can be stored, either
   */
  async read(
    name: string,
    tags: readonly string[],
    call?: CallOptions,
  ): Promise<FoundValue | typeof NODE_DOWN> {
    const { key, place } = this.#keys.value(name);
    const keys = [key, this.#keys.tagsOf(name).key];
    const [found, asked] = await Promise.all([
      this.#shared.on(place, call, (node, options) => node.getMany(keys, options)),
      tags.length === 0 ? {} : this.#tags.generations(tags, call),
    ]);
    if (found === NODE_DOWN || asked === undefined) return NODE_DOWN;
    const [item = null, note] = found;
    if (item === null) return { value: undefined, version: 'nothing' };
    return { value: await this.#believed(item, note?.value, asked, call), version: item.cas };
  }

  async #believed(
    { value, flags, cas }: MemcachedItem,
    note: Buffer | undefined,
    asked: NonNullable<TagGenerations>,
    call: CallOptions | undefined,
  ): Promise<TaggedCacheValue | undefined> {
    const noted = readRefreshFlags(flags, 0).tagged ? notedTags(note, cas) : NO_TAGS;
    // Its note is not there yet, was thrown out, or tells of another version: nothing says whether its tags were voided.
    if (noted === undefined) return undefined;
    // Nearly all readers give the tags that the value has; the others are worth a second question.
    const others = [...noted.keys()].filter((tag) => !Object.hasOwn(asked, tag));
    if (others.length > MOST_TAGS) return undefined;
    const rest = others.length === 0 ? {} : await this.#generationsOfNoted(others, call);
    if (rest === undefined) return undefined;
    const present = Object.entries({ ...asked, ...rest });
    if (!present.every(([tag, generation]) => noted.get(tag) === generation)) return undefined;
    return { value, flags, tags: [...noted.keys()] };
  }

  // A note is what a node says: its tags need not be names that anybody could have given.
  async #generationsOfNoted(tags: readonly string[], call: CallOptions | undefined): Promise<TagGenerations> {
    try {
      return await this.#tags.generations(tags, call);
    } catch (error) {
      if (isStormlampError(error, ErrorCode.INVALID_KEY)) return undefined;
      throw error;
    }
  }

  /**
   * Stores a value, and the generations of its tags beside it; its flags say whether there are any.
   *
   * @param over what it may replace: PHP, who asks nobody, may have stored or removed something since that was seen
   */
  async write(
    name: string,
    { value, flags }: StoredCacheValue,
    ttlMs: number,
    generations: NotedGenerations,
    over: CacheVersion | 'anything',
    call?: CallOptions,
  ): Promise<CacheStoreResult> {
    const { key, place } = this.#keys.value(name);
    const noteKey = this.#keys.tagsOf(name).key;
    const exptime = exptimeOf(ttlMs);
    const isTagged = Object.keys(generations).length > 0;
    if (value.length > this.#maxBytes || (isTagged && isTooMuchToNote(generations))) {
      return await this.#tooLarge(name, over, call);
    }
    try {
      const done = await this.#shared.on(place, call, async (node, options) => {
        const [result, seen] = await Promise.all([
          storeOver(over, node, key, value, { ...options, flags, exptime }),
          isTagged ? node.get(noteKey, options) : null,
        ]);
        if (result.status !== 'stored' || !isTagged) return result;
        const version = { key, noteKey, cas: result.cas, generations };
        const isNoted = await noteOrRemove(node, version, seen, { ...options, exptime });
        return isNoted ? result : TOO_LARGE;
      });
      return done === NODE_DOWN ? { status: 'node-down' } : done;
    } catch (error) {
      if (!isStormlampError(error, ErrorCode.SESSION_TOO_LARGE)) throw error;
      return await this.#tooLarge(name, over, call);
    }
  }

  async #tooLarge(
    name: string,
    over: CacheVersion | 'anything',
    call: CallOptions | undefined,
  ): Promise<CacheStoreResult> {
    // What is stored there was to be replaced.
    await this.remove(name, call, over);
    return TOO_LARGE;
  }

  /** Removes a value, or only what was seen there; false when its node is down. */
  async remove(
    name: string,
    call?: CallOptions,
    only: CacheVersion | 'anything' = 'anything',
  ): Promise<boolean> {
    if (only === 'nothing') return true;
    const { key, place } = this.#keys.value(name);
    const done = await this.#shared.on(place, call, (node, options) =>
      node.delete(key, only === 'anything' || only === 0n ? options : { ...options, cas: only }),
    );
    return done !== NODE_DOWN;
  }
}

/** What can be believed of what was found. */
export function believedOf(found: FoundValue | typeof NODE_DOWN): TaggedCacheValue | undefined {
  return found === NODE_DOWN ? undefined : found.value;
}

/** A value whose note its node does not take is not left to PHP, who would read it, either. */
async function noteOrRemove(
  node: MemcachedNode,
  version: NotedVersion,
  seen: MemcachedItem | null,
  options: StoreOptions,
): Promise<boolean> {
  const { key, cas } = version;
  try {
    await writeTagNote(node, version, seen, options);
    return true;
  } catch (error) {
    if (!isStormlampError(error, ErrorCode.SESSION_TOO_LARGE)) throw error;
    const { signal, timeoutMs } = options;
    await node.delete(key, cas === 0n ? { signal, timeoutMs } : { signal, timeoutMs, cas });
    return false;
  }
}
