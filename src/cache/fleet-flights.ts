/** One process makes a missing value while all others wait for it: whoever may is who could put a mark beside the value. */
import { randomBytes } from 'node:crypto';
import { pause } from '../common/backoff.js';
import { outsideRequests } from '../common/outside-requests.js';
import { Ticker } from '../common/ticker.js';
import type { MemcachedItem } from '../memcached/memcached-node.js';
import type { CacheKeys } from './cache-keys.js';
import { NODE_DOWN, type SharedLevel } from './shared-level.js';

/** The right to make a value. */
export interface Flight {
  /** Whether nobody revoked it: what was made under it may be stored. NODE_DOWN where nobody can tell. */
  stillOurs(): Promise<boolean | typeof NODE_DOWN>;
  /**
   * Gives it back, once; whether nobody had revoked it until then: what was stored under it may stay. False where nobody can tell.
   * Never rejects.
   */
  end(): Promise<boolean>;
}

/** Whose turn it is. */
export type FlightTurn<T> =
  | { readonly kind: 'ours'; readonly flight: Flight }
  | { readonly kind: 'made-elsewhere'; readonly value: T };

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;
/** A maker that takes longer than so many times `flightMs` hangs, and its mark ends. */
const LONGEST_FLIGHTS = 60;

/** A flight that nobody can revoke: the node did not answer when it began, whatever it does later. */
const ALONE: Flight = Object.freeze({
  stillOurs: async (): Promise<typeof NODE_DOWN> => NODE_DOWN,
  end: async () => false,
});

/** The flights of one cache. */
export class FleetFlights {
  readonly #shared: SharedLevel;
  readonly #keys: CacheKeys;
  readonly #flightMs: number;
  readonly #waitMs: number;

  /** Flights in `shared`, named by `keys`. */
  constructor(
    shared: SharedLevel,
    keys: CacheKeys,
    limits: { readonly flightMs: number; readonly waitMs: number },
  ) {
    this.#shared = shared;
    this.#keys = keys;
    this.#flightMs = limits.flightMs;
    this.#waitMs = limits.waitMs;
  }

  /**
   * Takes the right to make a value, or waits for whoever has it until `look` finds what they made. Where that cannot be found, as
   * what was `seen` or a later look says, nobody is waited for.
   */
  async take<T>(
    name: string,
    look: () => Promise<T | typeof NODE_DOWN | undefined>,
    seen?: typeof NODE_DOWN,
  ): Promise<FlightTurn<T>> {
    if (seen === NODE_DOWN) return { kind: 'ours', flight: ALONE };
    const until = performance.now() + this.#waitMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5)) {
      const flight = await this.#add(name, LONGEST_FLIGHTS * this.#flightMs);
      if (flight !== undefined) {
        // It may have been made, and the mark removed, since it was found to be missing.
        const value = flight === ALONE ? undefined : await orEnd(flight, look);
        if (value === undefined || value === NODE_DOWN) return { kind: 'ours', flight };
        await flight.end();
        return { kind: 'made-elsewhere', value };
      }
      if (performance.now() >= until) {
        const beside = await this.#beside(name);
        if (beside !== undefined) return { kind: 'ours', flight: beside };
        continue;
      }
      await pause(pauseMs);
      const value = await look();
      if (value === NODE_DOWN) return { kind: 'ours', flight: ALONE };
      if (value !== undefined) return { kind: 'made-elsewhere', value };
    }
  }

  /**
   * Takes the right to make a value anew if it is free.
   *
   * @param longestMs it is a maker that hangs who has it for longer, see {@link FleetFlights.longestRefreshMs}
   */
  async tryTake(name: string, longestMs: number): Promise<Flight | undefined> {
    const flight = await this.#add(name, longestMs);
    return flight === ALONE ? undefined : flight;
  }

  /**
   * How long a value that lives for `lifeMs` may take to be made anew, in milliseconds. While its maker hangs nobody else does, and
   * all wait at its end: that shall not be so for a second time.
   */
  longestRefreshMs(lifeMs: number): number {
    const life = lifeMs === 0 ? Number.POSITIVE_INFINITY : lifeMs;
    return Math.min(LONGEST_FLIGHTS * this.#flightMs, Math.max(this.#flightMs, life));
  }

  /** Takes the right from whoever has it: what they make is not stored. False when its node is down: it may be stored then. */
  async revoke(name: string): Promise<boolean> {
    const { key, place } = this.#keys.flightOf(name);
    const done = await this.#shared.on(place, undefined, (node, call) => node.delete(key, call));
    return done !== NODE_DOWN;
  }

  /**
   * Takes the right from whoever has it, and then does `remove`, which tells whether the value is removed: none that is being made takes
   * its place.
   *
   * @returns whether both are done
   */
  async revokeAndRemove(name: string, remove: () => Promise<boolean>): Promise<boolean> {
    // The maker first: it must not store after the value was removed.
    if (await this.revoke(name)) return await remove();
    // A node that answers now, as it did not before, has what the maker may have stored since.
    return (await remove()) && (await this.revoke(name)) && (await remove());
  }

  // Whoever has it takes too long: what is made beside it is stored as long as nobody takes that right away.
  async #beside(name: string): Promise<Flight | undefined> {
    const { key, place } = this.#keys.flightOf(name);
    const markThere = () => this.#shared.on(place, undefined, (node, options) => node.get(key, options));
    const theirs = await markThere();
    if (theirs === NODE_DOWN) return ALONE;
    if (theirs === null) return undefined;
    return {
      stillOurs: async () => isMark(await markThere(), theirs.value),
      end: once(async () => isMark(await markThere(), theirs.value) === true),
    };
  }

  async #add(name: string, longestMs: number): Promise<Flight | undefined> {
    const { key, place } = this.#keys.flightOf(name);
    const mark = Buffer.from(randomBytes(9).toString('base64url'));
    const seconds = Math.ceil(this.#flightMs / 1000);
    // memcached counts whole seconds, the first of which has begun already.
    const exptime = seconds + 1;
    const added = await this.#shared.on(place, undefined, (node, options) =>
      node.add(key, mark, { ...options, exptime }),
    );
    if (added === NODE_DOWN) return ALONE;
    if (added.status !== 'stored') return undefined;
    let { cas } = added;
    const renewUntil = performance.now() + longestMs;
    const renewal: Ticker = outsideRequests(
      () =>
        new Ticker((seconds * 1000) / 3, async () => {
          if (performance.now() > renewUntil) return void renewal.close();
          const found = await this.#shared.on(place, undefined, (node, options) =>
            node.getAndTouch(key, exptime, options),
          );
          if (found === NODE_DOWN) return;
          if (found?.value.equals(mark) === true) cas = found.cas;
          else void renewal.close();
        }),
    );
    return {
      stillOurs: async () =>
        isMark(await this.#shared.on(place, undefined, (node, options) => node.get(key, options)), mark),
      end: once(async () => {
        await renewal.close();
        // Without versions it may be somebody else's by now, who then does not store what they make.
        const done = await this.#shared.on(place, undefined, (node, options) =>
          node.delete(key, cas === 0n ? options : { ...options, cas }),
        );
        return done === 'deleted';
      }),
    };
  }
}

/** Whether what was found is this mark. */
function isMark(found: MemcachedItem | typeof NODE_DOWN | null, mark: Buffer): boolean | typeof NODE_DOWN {
  return found === NODE_DOWN ? NODE_DOWN : found?.value.equals(mark) === true;
}

/** The end of a flight, however often it is asked for. */
function once(end: () => Promise<boolean>): () => Promise<boolean> {
  let ended: Promise<boolean> | undefined;
  return () => {
    ended ??= end().catch(() => false);
    return ended;
  };
}

/** A flight that nobody gets to end would hold everybody up. */
async function orEnd<T>(flight: Flight, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await flight.end();
    throw error;
  }
}
