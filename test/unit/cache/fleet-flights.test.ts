import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CacheKeys } from '../../../src/cache/cache-keys.js';
import { FleetFlights, type Flight } from '../../../src/cache/fleet-flights.js';
import type { SharedLevel } from '../../../src/cache/shared-level.js';
import type {
  MemcachedItem,
  MemcachedNode,
  StoreOptions,
  StoreResult,
} from '../../../src/memcached/memcached-node.js';

const LIMITS = { flightMs: 10_000, waitMs: 2_000 };
const MARK = 'cache.report~make';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What a flight needs of a memcached node, by the clock of the test. */
class MarksNode {
  readonly #items = new Map<string, { readonly value: Buffer; readonly cas: bigint; endsAt: number }>();
  readonly #versioned: boolean;
  #versions = 0n;

  constructor(versioned = true) {
    this.#versioned = versioned;
  }

  async add(key: string, value: Buffer, { exptime }: StoreOptions): Promise<StoreResult> {
    if (this.#living(key) !== undefined) return { status: 'exists' };
    if (this.#versioned) this.#versions += 1n;
    this.#items.set(key, { value, cas: this.#versions, endsAt: performance.now() + exptime * 1_000 });
    return { status: 'stored', cas: this.#versions };
  }

  async get(key: string): Promise<MemcachedItem | null> {
    const item = this.#living(key);
    return item === undefined ? null : { value: item.value, flags: 0, cas: item.cas };
  }

  async getAndTouch(key: string, exptime: number): Promise<MemcachedItem | null> {
    const item = this.#living(key);
    if (item !== undefined) item.endsAt = performance.now() + exptime * 1_000;
    return await this.get(key);
  }

  async delete(key: string, options: { readonly cas?: bigint } = {}): Promise<string> {
    const item = this.#living(key);
    if (options.cas === 0n) throw new Error('A version to compare with, of a server that keeps none');
    if (item === undefined) return 'not-found';
    if (options.cas !== undefined && options.cas !== item.cas) return 'exists';
    this.#items.delete(key);
    return 'deleted';
  }

  has(key: string): boolean {
    return this.#living(key) !== undefined;
  }

  #living(key: string) {
    const item = this.#items.get(key);
    return item !== undefined && item.endsAt > performance.now() ? item : undefined;
  }
}

function fleetOn(node: MarksNode): FleetFlights {
  const shared = {
    on: (_place: string, _call: unknown, work: (node: MemcachedNode, call: object) => Promise<unknown>) =>
      work(node as unknown as MemcachedNode, {}),
  } as unknown as SharedLevel;
  return new FleetFlights(shared, new CacheKeys('cache.'), LIMITS);
}

async function takenOn(node: MarksNode, lifeMs = 0): Promise<Flight> {
  const fleet = fleetOn(node);
  const flight = await fleet.tryTake('report', fleet.longestRefreshMs(lifeMs));
  if (flight === undefined) throw new Error('It is not free');
  return flight;
}

test('who takes longer than a flight keeps it, and nobody else takes it', async () => {
  const node = new MarksNode();
  const flight = await takenOn(node);
  await vi.advanceTimersByTimeAsync(20 * LIMITS.flightMs);
  expect(await flight.stillOurs()).toBe(true);
  expect(await fleetOn(node).tryTake('report', LIMITS.flightMs)).toBeUndefined();
  expect([await flight.end(), await flight.end()]).toEqual([true, true]);
  expect(node.has(MARK)).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

test('a server that keeps no versions is left without a mark, too', async () => {
  const node = new MarksNode(false);
  const flight = await takenOn(node);
  await flight.end();
  expect(node.has(MARK)).toBe(false);
});

test('a process that died holds nobody up for longer than a flight', async () => {
  const node = new MarksNode();
  await takenOn(node);
  vi.clearAllTimers();
  await vi.advanceTimersByTimeAsync(LIMITS.flightMs + 2_000);
  expect(await fleetOn(node).tryTake('report', LIMITS.flightMs)).toBeDefined();
});

test('a maker that hangs keeps it for sixty flights', async () => {
  const node = new MarksNode();
  const flight = await takenOn(node);
  await vi.advanceTimersByTimeAsync(62 * LIMITS.flightMs);
  expect(await flight.stillOurs()).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

test('a maker that hangs while it makes a value anew keeps it for one life of that value', async () => {
  for (const [lifeMs, keptMs] of [
    [60_000, 60_000],
    [1_000, LIMITS.flightMs],
    [86_400_000, 60 * LIMITS.flightMs],
  ] as const) {
    const node = new MarksNode();
    const flight = await takenOn(node, lifeMs);
    await vi.advanceTimersByTimeAsync(keptMs);
    expect(await flight.stillOurs()).toBe(true);
    await vi.advanceTimersByTimeAsync(LIMITS.flightMs + 2_000);
    expect(await flight.stillOurs()).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  }
});

test('what was revoked stays so, however long it takes', async () => {
  const node = new MarksNode();
  const fleet = fleetOn(node);
  const flight = await takenOn(node);
  await fleet.revoke('report');
  await vi.advanceTimersByTimeAsync(LIMITS.flightMs);
  expect(await flight.stillOurs()).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
  const next = await takenOn(node);
  expect(await flight.end()).toBe(false);
  expect(await next.stillOurs()).toBe(true);
  expect(await next.end()).toBe(true);
});

test('a look that fails under a new mark leaves none behind', async () => {
  const node = new MarksNode();
  const look = async (): Promise<never> => {
    throw new Error('The answer is late');
  };
  await expect(fleetOn(node).take('report', look)).rejects.toThrow('late');
  expect(node.has(MARK)).toBe(false);
});
