/** A memcached node that exists in this process only. */
import type { NodeBreaker } from '../../breaker/node-breaker.js';
import { systemClock } from '../../common/clock.js';
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { RELATIVE_EXPTIME_LIMIT } from '../../memcached/exptime.js';
import type {
  MemcachedItem,
  MemcachedNode,
  StoreOptions,
  StoreResult,
} from '../../memcached/memcached-node.js';

interface Stored extends MemcachedItem {
  /** By the wall clock, milliseconds; infinite for an item that never expires. */
  readonly expiresAt: number;
}

type Breakers = { readonly get: NodeBreaker; readonly set: NodeBreaker } | undefined;

/** The items of one node; every client of it has a {@link FakeMemcachedNode} over them. */
export class FakeMemcached {
  /** Its name: `host:port`. */
  readonly id: NodeId;
  /** Whether it answers. */
  isUp = true;
  readonly #items = new Map<string, Stored>();
  #versions = 0n;

  /** Makes an empty node. */
  constructor(id: NodeId) {
    this.id = id;
  }

  /** The keys of what it holds. */
  get keys(): readonly string[] {
    return [...this.#items.keys()].filter((key) => this.read(key) !== undefined);
  }

  /** An item that has not expired. */
  read(key: string): Stored | undefined {
    const item = this.#items.get(key);
    if (item === undefined || item.expiresAt > systemClock.wall()) return item;
    this.#items.delete(key);
    return undefined;
  }

  /** Whether an item ends by itself, or is gone. */
  endsByItself(key: string): boolean {
    return this.read(key)?.expiresAt !== Number.POSITIVE_INFINITY;
  }

  /** Stores an item. */
  write(key: string, value: Buffer, flags: number, exptime: number): StoreResult {
    this.#versions += 1n;
    const cas = this.#versions;
    this.#items.set(key, { value: Buffer.from(value), flags, cas, expiresAt: expiryOf(exptime) });
    return { status: 'stored', cas };
  }

  /** Removes an item. */
  remove(key: string): void {
    this.#items.delete(key);
  }

  /** Takes over everything that `other` holds, as a real store fills a node that was away. */
  copyFrom(other: FakeMemcached, isWanted: (key: string) => boolean): void {
    for (const key of this.keys) if (isWanted(key)) this.#items.delete(key);
    for (const key of other.keys) {
      const item = other.read(key);
      if (item === undefined || !isWanted(key)) continue;
      this.#versions += 1n;
      this.#items.set(key, { ...item, cas: this.#versions });
    }
  }
}

/** A client of a {@link FakeMemcached}, with the breakers of its store. */
export class FakeMemcachedNode implements MemcachedNode {
  readonly #server: FakeMemcached;
  readonly #breakers: Breakers;

  /** Connects to nothing. */
  constructor(server: FakeMemcached, breakers: Breakers) {
    this.#server = server;
    this.#breakers = breakers;
  }

  /** See {@link MemcachedNode.id}. */
  get id(): NodeId {
    return this.#server.id;
  }

  /** See {@link MemcachedNode.available}. */
  get available(): boolean {
    return this.#breakers === undefined || (this.#breakers.get.allows && this.#breakers.set.allows);
  }

  /** See {@link MemcachedNode.clockAheadMs}: it has the clock of this machine. */
  get clockAheadMs(): number {
    return 0;
  }

  /** See {@link MemcachedNode.get}. */
  get(key: string): Promise<MemcachedItem | null> {
    return this.#call('get', () => this.#server.read(key) ?? null);
  }

  /** See {@link MemcachedNode.getMany}. */
  getMany(keys: readonly string[]): Promise<readonly (MemcachedItem | null)[]> {
    return this.#call('get', () => keys.map((key) => this.#server.read(key) ?? null));
  }

  /** See {@link MemcachedNode.peek}. */
  peek(key: string): Promise<MemcachedItem | null> {
    return this.#call(undefined, () => this.#server.read(key) ?? null);
  }

  /** See {@link MemcachedNode.assertFits}: everything does. */
  assertFits(): void {}

  /** See {@link MemcachedNode.getAndTouch}. */
  async getAndTouch(key: string, exptime: number): Promise<MemcachedItem | null> {
    await this.touch(key, exptime);
    return this.get(key);
  }

  /** See {@link MemcachedNode.set}. */
  set(key: string, value: Buffer, { exptime, flags = 0, cas }: StoreOptions): Promise<StoreResult> {
    return this.#call('set', () => {
      const item = this.#server.read(key);
      if (cas !== undefined && item === undefined) return { status: 'not-found' };
      if (cas !== undefined && item?.cas !== cas) return { status: 'exists' };
      return this.#server.write(key, value, flags, exptime);
    });
  }

  /** See {@link MemcachedNode.add}. */
  add(key: string, value: Buffer, { exptime, flags = 0 }: StoreOptions): Promise<StoreResult> {
    return this.#call('set', () =>
      this.#server.read(key) === undefined
        ? this.#server.write(key, value, flags, exptime)
        : { status: 'exists' },
    );
  }

  /** See {@link MemcachedNode.replace}. */
  replace(key: string, value: Buffer, { exptime, flags = 0 }: StoreOptions): Promise<StoreResult> {
    return this.#call('set', () =>
      this.#server.read(key) === undefined
        ? { status: 'not-found' }
        : this.#server.write(key, value, flags, exptime),
    );
  }

  /** See {@link MemcachedNode.delete}. */
  delete(key: string, { cas }: { readonly cas?: bigint } = {}): Promise<'deleted' | 'not-found' | 'exists'> {
    return this.#call('set', () => {
      const item = this.#server.read(key);
      if (item === undefined) return 'not-found';
      if (cas !== undefined && item.cas !== cas) return 'exists';
      this.#server.remove(key);
      return 'deleted';
    });
  }

  /** See {@link MemcachedNode.touch}. */
  touch(key: string, exptime: number): Promise<'touched' | 'not-found'> {
    return this.#call('set', () => {
      const item = this.#server.read(key);
      if (item === undefined) return 'not-found';
      this.#server.write(key, item.value, item.flags, exptime);
      return 'touched';
    });
  }

  /** See {@link MemcachedNode.increment}. */
  increment(
    key: string,
    delta: bigint,
    { initial, exptime }: { readonly initial: bigint; readonly exptime: number },
  ): Promise<bigint> {
    return this.#call('set', () => {
      const item = this.#server.read(key);
      const value = item === undefined ? initial : BigInt(item.value.toString('latin1')) + delta;
      this.#server.write(key, Buffer.from(String(value)), item?.flags ?? 0, exptime);
      return value;
    });
  }

  /** See {@link MemcachedNode.version}. */
  version(): Promise<string> {
    return this.#call(undefined, () => '1.6.0-fake');
  }

  /** See {@link MemcachedNode.stats}. */
  stats(): Promise<ReadonlyMap<string, string>> {
    return this.#call(
      undefined,
      () =>
        new Map([
          ['pid', '1'],
          ['time', '1'],
          ['uptime', '0'],
          ['curr_items', String(this.#server.keys.length)],
        ]),
    );
  }

  /** See {@link MemcachedNode.close}. */
  async close(): Promise<void> {}

  /** See {@link MemcachedNode.destroy}. */
  destroy(): void {}

  async #call<T>(gate: 'get' | 'set' | undefined, work: () => T): Promise<T> {
    const ticket = gate === undefined ? undefined : this.#breakers?.[gate].admit();
    if (this.#server.isUp) {
      ticket?.success();
      return work();
    }
    const { id } = this.#server;
    const cause = Object.assign(new Error(`connect ECONNREFUSED ${id}`), { code: 'ECONNREFUSED' });
    const error = new StormlampError(ErrorCode.NODE_UNREACHABLE, `memcached node ${id} cannot be reached`, {
      node: id,
      cause,
    });
    ticket?.failure(error);
    throw error;
  }
}

function expiryOf(exptime: number): number {
  if (exptime === 0) return Number.POSITIVE_INFINITY;
  return exptime <= RELATIVE_EXPTIME_LIMIT ? systemClock.wall() + exptime * 1000 : exptime * 1000;
}
