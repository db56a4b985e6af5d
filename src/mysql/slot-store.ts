/** generic-pool: makes the connections of one node, keeps those that rest, and checks and evicts them. */
import genericPool, { type Options, type Pool } from 'generic-pool';
import { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { ResolvedPoolOptions } from './pool-options.js';
import { FailedSlot, type PoolSlot, type PoolSlots } from './pool-slot.js';

/** What a {@link SlotStore} needs of the pool that it belongs to. */
export interface SlotStoreParts {
  /** The pool's times. */
  readonly settings: ResolvedPoolOptions;
  /** The connections of the pool. */
  readonly slots: PoolSlots;
  /** Makes a connection. Never rejects: generic-pool would try again at once, for ever. */
  make(): Promise<PoolSlot | FailedSlot>;
  /** Whether a connection may be lent again. */
  isFit(slot: PoolSlot): boolean;
  /** A connection that rested gave no sign of life in time. */
  onSilent(): void;
}

/** Limit of a sign of life, of a reset, and of saying goodbye, in milliseconds. */
const CHECK_LIMIT_MS = 1_000;

/** A new limit for what is done between two borrowers. */
export function checkLimit(): Deadline {
  return Deadline.of({ timeoutMs: CHECK_LIMIT_MS });
}

/** Where the connections of one node come from, and where they rest. */
export class SlotStore {
  readonly #parts: SlotStoreParts;
  readonly #pool: Pool<PoolSlot | FailedSlot>;

  /** Makes an empty store. */
  constructor(parts: SlotStoreParts) {
    this.#parts = parts;
    this.#pool = genericPool.createPool(
      {
        create: () => parts.make(),
        validate: (slot) => this.#validate(slot),
        destroy: (slot) => this.end(slot),
      },
      storeOptions(parts.settings),
    );
  }

  /** Connections that rest here. */
  get available(): number {
    return this.#pool.available;
  }

  /** Connections that were made and not ended. */
  get size(): number {
    return this.#pool.size;
  }

  /** A connection that rested and gave a sign of life, or a new one, or the reason why there is none. */
  take(): Promise<PoolSlot | FailedSlot> {
    return this.#pool.acquire();
  }

  /** Lets a connection rest. */
  rest(slot: PoolSlot): void {
    void this.#pool.release(slot);
  }

  /** Ends a connection that does not rest here. */
  drop(slot: PoolSlot | FailedSlot): void {
    // It refuses what it destroyed or is still checking; both end by themselves.
    this.#pool.destroy(slot).catch(() => undefined);
  }

  /** Ends a connection; one that rests here is found to be gone later. */
  async end(slot: PoolSlot | FailedSlot): Promise<void> {
    if (slot instanceof FailedSlot) return;
    this.#parts.slots.move(slot, 'gone');
    await slot.connection.end(checkLimit());
  }

  /** Takes the eviction timer away and waits for goodbyes, which are limited. */
  async close(): Promise<void> {
    await this.#pool.drain();
    await this.#pool.clear();
  }

  /** Never rejects, and never takes long: generic-pool has no answer to either. */
  async #validate(slot: PoolSlot | FailedSlot): Promise<boolean> {
    // A failure must pass for good: refusing it would make generic-pool try again at once.
    if (slot instanceof FailedSlot || slot.state === 'new') return true;
    if (!this.#parts.isFit(slot)) return false;
    this.#parts.slots.move(slot, 'busy');
    try {
      await slot.connection.ping(checkLimit());
      return true;
    } catch (error) {
      slot.connection.destroy();
      if (isStormlampError(error, ErrorCode.TIMEOUT)) this.#parts.onSilent();
      return false;
    }
  }
}

/** All that generic-pool reads, so that none of its own defaults (of which 0 cannot be set) remains. */
function storeOptions(settings: ResolvedPoolOptions): Options {
  const { idleTimeoutMs, validateAfterIdleMs } = settings;
  return {
    // The size is decided by the node's pool: generic-pool cannot change it.
    max: Number.MAX_SAFE_INTEGER,
    min: 0,
    fifo: false,
    testOnBorrow: true,
    testOnReturn: false,
    autostart: true,
    // A connection comes here after it rested for `validateAfterIdleMs`.
    idleTimeoutMillis: Math.max(1, idleTimeoutMs - validateAfterIdleMs),
    evictionRunIntervalMillis: idleTimeoutMs === 0 ? 0 : Math.min(1_000, Math.max(50, idleTimeoutMs / 4)),
    numTestsPerEvictionRun: 65_535,
  };
}
