/**
 * Tells all processes of a cache which values they must forget. A counter on memcached, the generation, says how many changes
 * there were; the last few hundred of them stand beside it. Every process looks at the counter a few times a second; one that
 * cannot tell what it missed forgets everything.
 */
import { randomBytes } from 'node:crypto';
import { pause } from '../common/backoff.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { CacheKeys } from './cache-keys.js';
import { NODE_DOWN, type SharedLevel } from './shared-level.js';

/** What is told. */
export interface CacheChange {
  /** Keys whose values changed. */
  readonly keys: readonly string[];
  /** Tags whose values are void. */
  readonly tags: readonly string[];
}

/** Told of what changed; undefined is everything. */
export type OnChange = (change: CacheChange | undefined) => void;

const ENTRIES = 512;
const ENTRY_SECONDS = 600;
/** Small enough for one request, large enough for a burst. */
const CATCH_UP = 64;

/** One process's view of the log. */
export class ChangeLog {
  readonly #shared: SharedLevel;
  readonly #keys: CacheKeys;
  readonly #onChange: OnChange;
  readonly #pollMs: number;
  readonly #self: string = randomBytes(9).toString('base64url');
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();
  #running: Promise<void> = Promise.resolve();
  #seen: bigint | undefined;
  #version = 0;

  /** Makes a view; it looks at nothing before `start`. */
  constructor(shared: SharedLevel, keys: CacheKeys, pollMs: number, onChange: OnChange) {
    this.#shared = shared;
    this.#keys = keys;
    this.#pollMs = pollMs;
    this.#onChange = onChange;
  }

  /** Counts what this process was told: who read a value before a change must not keep it after that. */
  get version(): number {
    return this.#version;
  }

  /** Starts to look. */
  start(): void {
    this.#running = this.#watch();
  }

  /** Stops to look; resolves when all changes under way are made and told. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([this.#running, ...this.#underWay]);
  }

  /**
   * Makes a change, and tells all of it: this process before and after, the others when it is done, also where it ended with an
   * error, for it may have happened.
   *
   * @param onDone what is done with the result before anybody in this process reads again
   */
  async carryOut<T>(change: CacheChange, work: () => Promise<T>, onDone?: (result: T) => void): Promise<T> {
    const done = this.#carryOut(change, work, onDone);
    this.#underWay.add(done);
    try {
      return await done;
    } finally {
      this.#underWay.delete(done);
    }
  }

  async #carryOut<T>(
    change: CacheChange,
    work: () => Promise<T>,
    onDone: ((result: T) => void) | undefined,
  ): Promise<T> {
    this.#onChange(change);
    // Who reads the old value while this is under way may keep it: it is forgotten and counted in one go.
    try {
      const result = await work();
      this.#onChange(change);
      onDone?.(result);
      return result;
    } catch (error) {
      this.#onChange(change);
      throw error;
    } finally {
      await this.tell(change);
    }
  }

  /** Tells all others. When the node of the log is down they are not told: their values then live as long as they may. */
  async tell(change: CacheChange): Promise<void> {
    this.#version += 1;
    const { key, place } = this.#keys.log();
    await this.#shared.on(place, undefined, async (node, call) => {
      // A lost counter starts anew at a number that nobody has seen.
      const initial = BigInt(Date.now()) * 1_000n;
      const number = await node.increment(key, 1n, { ...call, initial, exptime: 0 });
      const entry = JSON.stringify({ by: this.#self, ...change });
      const options = { ...call, exptime: ENTRY_SECONDS };
      try {
        await node.set(this.#keys.logEntry(number, ENTRIES).key, Buffer.from(`${number} ${entry}`), options);
      } catch (error) {
        // Of a change without an entry the others know no more than that there was one, and forget everything.
        if (!isStormlampError(error, ErrorCode.SESSION_TOO_LARGE)) throw error;
      }
    });
  }

  /** Looks once, now. */
  async look(): Promise<void> {
    const { key, place } = this.#keys.log();
    const found = await this.#shared.on(place, undefined, (node, call) => node.get(key, call));
    if (found === NODE_DOWN) return;
    const number = found === null ? undefined : numberOf(found.value);
    const before = this.#seen;
    if (number === before) return;
    if (
      before === undefined ||
      number === undefined ||
      number < before ||
      number - before > BigInt(CATCH_UP)
    ) {
      this.#seen = number;
      return this.#forget(undefined);
    }
    const numbers = Array.from(
      { length: Number(number - before) },
      (_, index) => before + BigInt(index) + 1n,
    );
    const changes = await Promise.all(numbers.map((one) => this.#read(one)));
    // Only now: what could not be read is read by the next look.
    this.#seen = number;
    for (const change of changes) if (change !== 'own') this.#forget(change);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      // In "throw" mode a node that is down is an error here as well, and as little an obstacle.
      await this.look().catch(() => undefined);
      await pause(this.#pollMs * (0.9 + 0.2 * Math.random()), signal);
    }
  }

  async #read(number: bigint): Promise<CacheChange | 'own' | undefined> {
    const { key, place } = this.#keys.logEntry(number, ENTRIES);
    const found = await this.#shared.on(place, undefined, (node, call) => node.get(key, call));
    if (found === NODE_DOWN || found === null) return undefined;
    return parseEntry(found.value.toString('utf8'), number, this.#self);
  }

  #forget(change: CacheChange | undefined): void {
    this.#version += 1;
    this.#onChange(change);
  }
}

function numberOf(value: Buffer): bigint | undefined {
  const text = value.toString('latin1', 0, 32).trim();
  return /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

function parseEntry(text: string, number: bigint, self: string): CacheChange | 'own' | undefined {
  const at = text.indexOf(' ');
  if (text.slice(0, at) !== String(number)) return undefined;
  try {
    const entry = JSON.parse(text.slice(at + 1)) as { by?: unknown; keys?: unknown; tags?: unknown };
    if (entry.by === self) return 'own';
    return isTexts(entry.keys) && isTexts(entry.tags) ? { keys: entry.keys, tags: entry.tags } : undefined;
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
