/** Values on memcached with what stands beside them: reads and writes both in one go. */
import type { CallOptions } from '../common/deadline.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { exptimeOf } from '../memcached/exptime.js';
import type { CacheKeys } from './cache-keys.js';
import { type CacheTags, notedTags, type TagGenerations, tagNote } from './cache-tags.js';
import type { StoredCacheValue } from './php-cache-value.js';
import { readRefreshFlags } from './refresh-mark.js';
import { NODE_DOWN, type SharedLevel } from './shared-level.js';

/** A reader does not ask for more tags that it did not name: what a node says must not cost it any number of questions. */
const MAX_OTHERS = 10_000;
const NO_TAGS: ReadonlyMap<string, string> = new Map();

/** A value, and the tags that it was stored with. */
export interface TaggedCacheValue extends StoredCacheValue {
  /** All of them, whichever the reader asked for. */
  readonly tags: readonly string[];
}

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
  ): Promise<TaggedCacheValue | typeof NODE_DOWN | undefined> {
    const { key, place } = this.#keys.value(name);
    const keys = [key, this.#keys.tagsOf(name).key];
    const [found, asked] = await Promise.all([
      this.#shared.on(place, call, (node, options) => node.getMany(keys, options)),
      tags.length === 0 ? {} : this.#tags.generations(tags, call),
    ]);
    if (found === NODE_DOWN || asked === undefined) return NODE_DOWN;
    const [item = null, note] = found;
    if (item === null) return undefined;
    const noted = readRefreshFlags(item.flags, 0).tagged ? notedTags(note?.value, item.cas) : NO_TAGS;
    // Its note is not there yet, was thrown out, or tells of another version: nothing says whether its tags were voided.
    if (noted === undefined) return undefined;
    // Nearly all readers give the tags that the value has; the others are worth a second question.
    const others = [...noted.keys()].filter((tag) => !tags.includes(tag));
    if (others.length > MAX_OTHERS) return undefined;
    const rest = others.length === 0 ? {} : await this.#generationsOfNoted(others, call);
    if (rest === undefined) return undefined;
    const present = Object.entries({ ...asked, ...rest });
    if (!present.every(([tag, generation]) => noted.get(tag) === generation)) return undefined;
    return { value: item.value, flags: item.flags, tags: [...noted.keys()] };
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

  /** Stores a value, and the generations of its tags beside it; its flags say whether there are any. */
  async write(
    name: string,
    { value, flags }: StoredCacheValue,
    ttlMs: number,
    generations: Readonly<Record<string, string>>,
    call?: CallOptions,
  ): Promise<'stored' | 'too-large' | 'node-down'> {
    const { key, place } = this.#keys.value(name);
    const exptime = exptimeOf(ttlMs);
    if (value.length > this.#maxBytes) return await this.#tooLarge(name, call);
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
      return await this.#tooLarge(name, call);
    }
  }

  async #tooLarge(name: string, call: CallOptions | undefined): Promise<'too-large'> {
    // What is stored there was to be replaced.
    await this.remove(name, call);
    return 'too-large';
  }

  /** Removes a value; false when its node is down. */
  async remove(name: string, call?: CallOptions): Promise<boolean> {
    const { key, place } = this.#keys.value(name);
    const done = await this.#shared.on(place, call, (node, options) => node.delete(key, options));
    return done !== NODE_DOWN;
  }
}
