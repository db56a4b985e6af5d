/** The level in this process: the most recently used values, bounded in number and in bytes. */
import type { StoredCacheValue } from './php-cache-value.js';

/** A value in the process. */
export interface LocalEntry extends StoredCacheValue {
  /** The tags that it was stored with. */
  readonly tags: readonly string[];
  /** When it is too old for this level, by the monotonic clock in milliseconds. */
  readonly expiresAt: number;
}

/** What an entry costs beside its key and value, roughly. */
const ENTRY_BYTES = 256;

/** A least-recently-used map of stored values. */
export class LocalLevel {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  // A Map keeps the order of insertion: the first is the one that was not used for longest.
  readonly #entries = new Map<string, LocalEntry>();
  #bytes = 0;
  #evicted = 0;

  /** @param bounds how many entries and bytes it may hold */
  constructor(bounds: { readonly maxEntries: number; readonly maxBytes: number }) {
    this.#maxEntries = bounds.maxEntries;
    this.#maxBytes = bounds.maxBytes;
  }

  /** How many values it holds. */
  get size(): number {
    return this.#entries.size;
  }

  /** What they take in memory, in bytes, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many values had to go for lack of room. */
  get evicted(): number {
    return this.#evicted;
  }

  /** The value under `key`, if it is there and not too old at `now`. */
  get(key: string, now: number): LocalEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.expiresAt <= now) {
      this.#bytes -= costOf(key, entry);
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry;
  }

  /** Keeps a value; one that takes more than an eighth of the room is not kept, for it would push too many others out. */
  set(key: string, entry: LocalEntry): void {
    this.delete(key);
    const cost = costOf(key, entry);
    if (this.#maxEntries === 0 || cost > this.#maxBytes / 8) return;
    this.#entries.set(key, { ...entry, value: onItsOwn(entry.value) });
    this.#bytes += cost;
    while (this.#entries.size > this.#maxEntries || this.#bytes > this.#maxBytes) {
      const [oldest] = this.#entries.keys();
      if (oldest === undefined) return;
      this.delete(oldest);
      this.#evicted += 1;
    }
  }

  /** Forgets a value. */
  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= costOf(key, entry);
  }

  /** Forgets every value with this tag. */
  deleteTag(tag: string): void {
    for (const [key, { tags }] of this.#entries) if (tags.includes(tag)) this.delete(key);
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}

// What came over the network is a part of all that came with it, and holds that in memory.
function onItsOwn(value: Buffer): Buffer {
  if (value.buffer.byteLength <= 2 * value.length) return value;
  const copy = Buffer.allocUnsafeSlow(value.length);
  value.copy(copy);
  return copy;
}

function costOf(key: string, { value, tags }: LocalEntry): number {
  return ENTRY_BYTES + 2 * key.length + value.length + tags.reduce((sum, tag) => sum + 2 * tag.length, 0);
}
