/** Two levels of cache: one in the process, one on memcached that PHP's `Memcached` class shares. Made by `createTieredCache`. */
import { aborted, type CallOptions, Deadline } from '../common/deadline.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type {
  CacheEvents,
  CacheReadOptions,
  CacheStats,
  CacheWrapOptions,
  CacheWriteOptions,
  MakeCacheValue,
} from './cache-calls.js';
import { CacheKeys } from './cache-keys.js';
import type { ResolvedCacheOptions } from './cache-options.js';
import { CacheTags } from './cache-tags.js';
import { type CacheChange, ChangeLog } from './change-log.js';
import { checkCacheCall, checkTags } from './check-cache-call.js';
import { FleetFlights, type Flight } from './fleet-flights.js';
import { LocalFlights, settledWithin } from './local-flights.js';
import { LocalLevel } from './local-level.js';
import {
  type CachePlan,
  cachePlan,
  isAbsent,
  isDue,
  keepMs,
  markedValue,
  surelyLeftMs,
  ttlOf,
} from './marked-value.js';
import { decodeCacheValue, type StoredCacheValue } from './php-cache-value.js';
import { Refreshes } from './refreshes.js';
import { NODE_DOWN, SharedLevel } from './shared-level.js';
import { believedOf, type CacheStoreResult, type FoundValue, SharedValues } from './shared-values.js';
import type { CacheVersion } from './store-over.js';
import type { NotedGenerations } from './tag-note.js';

type Making = () => Promise<unknown> | unknown;
/** What a value that is made may replace, and how long what was believed there does not end by itself. */
interface Replaced {
  readonly version: CacheVersion;
  readonly surelyUntil: number;
}
/** Nothing that was believed: when it is gone, it is only missing. */
const NO_TIME = Number.NEGATIVE_INFINITY;

/** See the head of this file. Values are copies: what a caller does with one changes no other. */
export class TieredCache extends SafeEmitter<CacheEvents> {
  readonly #options: ResolvedCacheOptions;
  readonly #keys: CacheKeys;
  readonly #local: LocalLevel;
  readonly #shared: SharedLevel;
  readonly #values: SharedValues;
  readonly #tags: CacheTags;
  readonly #log: ChangeLog;
  readonly #fleet: FleetFlights;
  readonly #flights = new LocalFlights<StoredCacheValue>();
  readonly #refreshes = new Refreshes();
  readonly #counts = {
    localHits: 0,
    sharedHits: 0,
    misses: 0,
    made: 0,
    refreshed: 0,
    waited: 0,
    nodeFailures: 0,
  };
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(options: ResolvedCacheOptions) {
    super();
    this.#options = options;
    this.#keys = new CacheKeys(options.prefix);
    this.#local = new LocalLevel(options.local);
    this.#shared = new SharedLevel(options, (node, error) => {
      this.#counts.nodeFailures += 1;
      this.publish('node-failed', { node, error });
    });
    this.#tags = new CacheTags(this.#shared, this.#keys);
    this.#values = new SharedValues(this.#shared, this.#keys, this.#tags, options.format.maxBytes);
    this.#log = new ChangeLog(this.#shared, this.#keys, options.pollMs, (change) => this.#forget(change));
    this.#fleet = new FleetFlights(this.#shared, this.#keys, options);
    if (options.local.maxEntries > 0) this.#log.start();
  }

  /**
   * Reads a value; undefined when there is none, or when its node is down.
   *
   * @throws StormlampError `ERR_INVALID_KEY`, `ERR_CLOSED`, `ERR_ABORTED`; with `onNodeDown: 'throw'` the node's error.
   */
  async get<T = unknown>(key: string, options: CacheReadOptions = {}): Promise<T | undefined> {
    this.#check(key, options);
    const near = this.#fromProcess(key, options.tags ?? []);
    const stored = near ?? believedOf(await this.#fromShared(key, options));
    if (stored === undefined) this.#counts.misses += 1;
    return this.#decode(key, stored) as T | undefined;
  }

  /**
   * Reads a value, or makes and stores it. However many ask for a missing value, in this process or in any other, it is made
   * once, and they all get it; one that is near the end of its life is served while it is made anew.
   *
   * @param make makes the value; what it rejects with is what the call rejects with, and is not stored. What it reads from a
   * replica that is behind is what everybody gets: let it read on the primary
   * @throws StormlampError `ERR_INVALID_KEY`, `ERR_PHP_VALUE` (PHP has no such value), `ERR_CLOSED`, `ERR_ABORTED`, `ERR_TIMEOUT`
   * (of `timeoutMs`); with `onNodeDown: 'throw'` the node's error.
   */
  async wrap<T>(key: string, make: MakeCacheValue<T>, options: CacheWrapOptions = {}): Promise<T> {
    this.#check(key, options);
    const plan = cachePlan(options, this.#options);
    const near = this.#fromProcess(key, plan.tags);
    if (near !== undefined) {
      if (isDue(near, this.#options)) this.#refreshLater(key, make, plan);
      const value = this.#decode(key, near);
      if (value !== undefined || isAbsent(near)) return value as T;
    }
    for (let tried = 0; tried < 2; tried += 1) {
      const stored = await this.#flight(key, make, plan, options);
      const value = this.#decode(key, stored);
      if (value !== undefined || isAbsent(stored)) return value as T;
      // What is stored cannot be read: somebody else's, or damaged.
      await this.#values.remove(key, options);
    }
    // It comes back, or cannot be removed.
    return this.#decode(key, markedValue(await make(), plan, this.#options)) as T;
  }

  /**
   * Stores a value for PHP and for all processes. undefined stores the answer "there is none", for the cache's `negativeTtlMs`;
   * where that is 0 it is {@link TieredCache.delete}.
   *
   * @returns whether it is stored: not when its node is down, or when it is larger than the node or `maxValueBytes` takes
   * @throws StormlampError as {@link TieredCache.wrap}.
   */
  async set(key: string, value: unknown, options: CacheWriteOptions = {}): Promise<boolean> {
    this.#check(key, options);
    const plan = cachePlan(options, this.#options);
    if (value === undefined && plan.negativeTtlMs === 0) return await this.delete(key, options);
    const stored = markedValue(value, plan, this.#options);
    const version = this.#log.version;
    const work = async (): Promise<boolean> => {
      const generations = plan.tags.length === 0 ? {} : await this.#tags.generations(plan.tags, options);
      // Whoever makes the value at the moment must not put an older one over this.
      await this.#fleet.revoke(key);
      if (generations !== undefined) {
        const { status } = await this.#store(key, stored, plan, generations, 'anything', options);
        return status === 'stored';
      }
      await this.#values.remove(key, options);
      return false;
    };
    return await this.#log.carryOut({ keys: [key], tags: [] }, work, (done) => {
      if (done && version === this.#log.version) this.#keep(key, stored, plan);
    });
  }

  /** Removes a value everywhere; one that is being made is not stored either. False when its node may not have done both. Errors: as `get`. */
  async delete(key: string, options: CallOptions = {}): Promise<boolean> {
    this.#check(key, options);
    const remove = (): Promise<boolean> => this.#values.remove(key, options);
    const work = (): Promise<boolean> => this.#fleet.revokeAndRemove(key, remove);
    return await this.#log.carryOut({ keys: [key], tags: [] }, work);
  }

  /** Voids every value that was stored with one of these tags, everywhere. False when the node of a tag is down. Errors: as `get`. */
  async invalidateTags(tags: readonly string[], options: CallOptions = {}): Promise<boolean> {
    this.#assertOpen();
    checkTags(tags);
    for (const tag of tags) this.#keys.tag(tag);
    return await this.#log.carryOut({ keys: [], tags }, async () => {
      const renewed = await Promise.allSettled(tags.map((tag) => this.#tags.renew(tag, options)));
      const failed = renewed.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return renewed.every((one) => one.status === 'fulfilled' && one.value);
    });
  }

  /** Counts since the start. */
  stats(): CacheStats {
    const { size, bytes, evicted } = this.#local;
    return { ...this.#counts, localEntries: size, localBytes: bytes, localEvicted: evicted };
  }

  /** Waits for values that are being made, up to `flightMs`, and for changes, then closes the connections. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Same as {@link TieredCache.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await settledWithin(this.#options.flightMs, [...this.#flights.all(), ...this.#refreshes.all()]);
    await this.#log.close();
    await this.#shared.close();
    this.#local.clear();
  }

  #fromProcess(key: string, tags: readonly string[]): StoredCacheValue | undefined {
    const entry = this.#local.get(key, performance.now());
    if (entry === undefined || !tags.every((tag) => entry.tags.includes(tag))) return undefined;
    this.#counts.localHits += 1;
    return entry;
  }

  async #fromShared(key: string, options: CacheReadOptions): Promise<FoundValue | typeof NODE_DOWN> {
    const tags = options.tags ?? [];
    const version = this.#log.version;
    const found = await this.#values.read(key, tags, options);
    const stored = believedOf(found);
    if (stored === undefined) return found;
    this.#counts.sharedHits += 1;
    if (version === this.#log.version) {
      this.#keepFor(key, stored, stored.tags, keepMs(stored, this.#options));
    }
    return found;
  }

  /** The value from the shared level or from `make`; whoever asks meanwhile gets the same, and nobody's abort is another's. */
  #flight(key: string, make: Making, plan: CachePlan, options: CallOptions): Promise<StoredCacheValue> {
    const flight = this.#flights.join(key, plan.tags, this.#options.flightMs, () =>
      this.#load(key, make, plan),
    );
    const { signal, timeoutMs } = options;
    return signal === undefined && timeoutMs === undefined
      ? flight
      : Deadline.of(options).race(`Waiting for the cached value`, flight);
  }

  async #load(key: string, make: Making, plan: CachePlan): Promise<StoredCacheValue> {
    let version: CacheVersion = 'nothing';
    const look = async (): Promise<StoredCacheValue | typeof NODE_DOWN | undefined> => {
      const found = await this.#fromShared(key, { tags: plan.tags });
      if (found === NODE_DOWN) return found;
      version = found.version;
      return found.value;
    };
    const found = await look();
    if (found !== undefined && found !== NODE_DOWN) {
      if (isDue(found, this.#options)) this.#refreshLater(key, make, plan);
      return found;
    }
    const turn = await this.#fleet.take(key, look, found);
    if (turn.kind === 'made-elsewhere') {
      this.#counts.waited += 1;
      return turn.value;
    }
    this.#counts.misses += 1;
    this.#counts.made += 1;
    try {
      return await this.#make(key, make, plan, turn.flight, { version, surelyUntil: NO_TIME });
    } finally {
      await turn.flight.end();
    }
  }

  /** Makes a value under a flight, and stores it unless it was revoked, or PHP stored or removed one, meanwhile. */
  async #make(
    key: string,
    make: Making,
    plan: CachePlan,
    flight: Flight,
    over: Replaced,
  ): Promise<StoredCacheValue> {
    // Before the value is made: a tag that is voided while it is made voids it.
    const generations = plan.tags.length === 0 ? {} : await this.#tags.generations(plan.tags);
    const version = this.#log.version;
    const value = await make();
    const stored = markedValue(value, plan, this.#options);
    if (generations === undefined) return stored;
    try {
      const ours = await flight.stillOurs();
      if (ours === false) return stored;
      const done = await this.#storeMade(key, stored, plan, generations, over, ours);
      if (done.status === 'stored' && done.cas !== 0n && !(await flight.end())) {
        // It was revoked just before it was stored: what was to be removed may have been so already.
        const change: CacheChange = { keys: [key], tags: [] };
        await this.#log.carryOut(change, () => this.#values.remove(key, undefined, done.cas));
      } else if (done.status === 'exists' || done.status === 'not-found') this.#local.delete(key);
      else if (version === this.#log.version) this.#keep(key, stored, plan);
    } catch (error) {
      // It took longer than the end of the cache waits, and is made nevertheless.
      if (!isStormlampError(error, ErrorCode.CLOSED)) throw error;
    }
    return stored;
  }

  async #storeMade(
    key: string,
    stored: StoredCacheValue,
    plan: CachePlan,
    generations: NotedGenerations,
    over: Replaced,
    ours: true | typeof NODE_DOWN,
  ): Promise<CacheStoreResult> {
    if (isAbsent(stored) && plan.negativeTtlMs === 0) {
      // There may be one that was to be made anew.
      await this.#values.remove(key, undefined, over.version);
      return { status: 'not-found' };
    }
    // Whoever removed it meanwhile could not tell its maker: it is for this process only, which is told of changes.
    if (ours === NODE_DOWN) return { status: 'node-down' };
    const done = await this.#store(key, stored, plan, generations, over.version);
    if (done.status !== 'not-found' || performance.now() <= over.surelyUntil) return done;
    // What was there may have come to its end, or somebody removed it.
    return await this.#store(key, stored, plan, generations, 'nothing');
  }

  #refreshLater(key: string, make: Making, plan: CachePlan): void {
    if (this.#closing !== undefined) return;
    const longestMs = this.#fleet.longestRefreshMs(plan.ttlMs);
    const work = (): Promise<void> => this.#refresh(key, make, plan, longestMs);
    this.#refreshes.begin(key, longestMs, work, (error) => this.publish('refresh-failed', { key, error }));
  }

  async #refresh(key: string, make: Making, plan: CachePlan, longestMs: number): Promise<void> {
    const flight = await this.#fleet.tryTake(key, longestMs);
    if (flight === undefined) return;
    try {
      const found = await this.#fromShared(key, { tags: plan.tags });
      if (found === NODE_DOWN) return;
      const { value, version } = found;
      // Somebody else may have made it anew already.
      if (value !== undefined && !isDue(value, this.#options)) return;
      this.#counts.refreshed += 1;
      const leftMs = value === undefined ? NO_TIME : surelyLeftMs(value, plan.ttlMs, this.#options);
      await this.#make(key, make, plan, flight, { version, surelyUntil: performance.now() + leftMs });
    } finally {
      await flight.end();
    }
  }

  async #store(
    key: string,
    stored: StoredCacheValue,
    plan: CachePlan,
    generations: NotedGenerations,
    over: CacheVersion | 'anything',
    call?: CallOptions,
  ): Promise<CacheStoreResult> {
    const done = await this.#values.write(key, stored, ttlOf(stored, plan), generations, over, call);
    if (done.status === 'too-large') this.publish('value-too-large', { key, bytes: stored.value.length });
    return done;
  }

  #keep(key: string, stored: StoredCacheValue, plan: CachePlan): void {
    const ttlMs = ttlOf(stored, plan);
    const { local } = this.#options;
    this.#keepFor(key, stored, plan.tags, ttlMs === 0 ? local.ttlMs : Math.min(ttlMs, local.ttlMs));
  }

  #keepFor(key: string, { value, flags }: StoredCacheValue, tags: readonly string[], ttlMs: number): void {
    this.#local.set(key, { value, flags, tags, expiresAt: performance.now() + ttlMs });
  }

  #decode(key: string, stored: StoredCacheValue | undefined): unknown {
    if (stored === undefined || isAbsent(stored)) return undefined;
    try {
      return decodeCacheValue(stored, this.#options.format.maxBytes);
    } catch (error) {
      this.publish('value-unreadable', { key, error });
      this.#local.delete(key);
      return undefined;
    }
  }

  #forget(change: CacheChange | undefined): void {
    if (change === undefined) {
      this.#local.clear();
      this.#flights.clear();
    }
    for (const key of change?.keys ?? []) {
      this.#local.delete(key);
      this.#flights.delete(key);
    }
    for (const tag of change?.tags ?? []) {
      this.#local.deleteTag(tag);
      this.#flights.deleteTag(tag);
    }
  }

  #check(key: string, options: CacheReadOptions): void {
    this.#assertOpen();
    this.#keys.value(key);
    checkCacheCall(options);
    const { tags = [], signal } = options;
    for (const tag of tags) this.#keys.tag(tag);
    if (signal?.aborted === true) throw aborted('The cache', signal.reason);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StormlampError(ErrorCode.CLOSED, 'The cache is closed');
  }
}
