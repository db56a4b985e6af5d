/** One place in a node's pool: a connection and where it is, or the failure to make one. */
import type { PhysicalConnection } from './physical-connection.js';

/** Where a connection of a pool is. */
export type SlotState =
  /** With a borrower. */
  | 'lent'
  /** Just made. */
  | 'new'
  /** Neither lent nor ready: it is being reset or asked for a sign of life. */
  | 'busy'
  /** Used a moment ago: may be lent without a question. */
  | 'hot'
  /** Unused for a while: asked for a sign of life before it is lent. */
  | 'cold'
  /** Out of the pool. */
  | 'gone';

/** A connection in the pool. Times are monotonic milliseconds. */
export class PoolSlot {
  /** The connection. */
  readonly connection: PhysicalConnection;
  /** When the connection is too old to be lent again. */
  readonly expiresAt: number;
  /** Where it is; changed by {@link PoolSlots} only. */
  state: SlotState = 'new';
  /** When it was given back. */
  idleSince = 0;
  /** When it was lent. */
  lentAt = 0;
  /** Whether it was told that this loan takes too long. */
  isReported = false;

  /** Puts a new connection into a slot. */
  constructor(connection: PhysicalConnection, expiresAt: number) {
    this.connection = connection;
    this.expiresAt = expiresAt;
  }
}

/** Stands in for a connection that could not be made, so that the reason reaches whoever asked for it. */
export class FailedSlot {
  /** Why there is no connection. */
  readonly error: unknown;
  /** Whether it was a late one of which nobody waits to hear, because another connection was made meanwhile. */
  readonly isOutdated: boolean;

  /** Keeps the reason. */
  constructor(error: unknown, isOutdated = false) {
    this.error = error;
    this.isOutdated = isOutdated;
  }
}

/** All connections of a pool, with a count for those in use. */
export class PoolSlots {
  /** Connections that are with borrowers. */
  lent = 0;
  /** Connections that are neither lent nor ready. */
  busy = 0;
  readonly #slots = new Map<PhysicalConnection, PoolSlot>();

  /** Open connections. */
  get size(): number {
    return this.#slots.size;
  }

  /** All slots; those that are removed meanwhile are left out. */
  all(): Iterable<PoolSlot> {
    return this.#slots.values();
  }

  /** The slot of `connection`, if it is of this pool. */
  of(connection: PhysicalConnection): PoolSlot | undefined {
    return this.#slots.get(connection);
  }

  /** Takes a new slot in, as `busy`. */
  add(slot: PoolSlot): void {
    this.#slots.set(slot.connection, slot);
    this.move(slot, 'busy');
  }

  /** Notes where a slot is now. `gone` takes it out. */
  move(slot: PoolSlot, state: SlotState): void {
    if (!this.#slots.has(slot.connection)) return;
    if (slot.state === 'lent') this.lent -= 1;
    else if (slot.state === 'busy') this.busy -= 1;
    if (state === 'lent') this.lent += 1;
    else if (state === 'busy') this.busy += 1;
    else if (state === 'gone') this.#slots.delete(slot.connection);
    slot.state = state;
  }
}
