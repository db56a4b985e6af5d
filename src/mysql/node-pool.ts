/**
 * The connections to one node. Connections that were used a moment ago are lent from a stack, without a promise or a
 * question; those that rested longer are in generic-pool, which makes, checks and evicts connections. The queue, the
 * deadlines, the size and the pauses after failures are decided here, because generic-pool cannot: there, a failing
 * connection is tried again at once for ever, a waiter that gave up blocks those behind it, and the size is fixed.
 */
import { setMaxListeners } from 'node:events';
import { type Clock, systemClock } from '../common/clock.js';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { ConnectionFactory } from './connection-factory.js';
import { type ConnectHooks, ConnectionMaker } from './connection-maker.js';
import { HotStack } from './hot-stack.js';
import { LATE_AFTER_MS } from './late-attempts.js';
import type { PhysicalConnection } from './physical-connection.js';
import { type PoolStats, poolClosed, poolQueueFull, poolTimeout, reportLeak } from './pool-errors.js';
import type { ResolvedPoolOptions } from './pool-options.js';
import { FailedSlot, type PoolSlot, PoolSlots } from './pool-slot.js';
import { PoolTimers } from './pool-timers.js';
import { classifyServerError } from './server-error.js';
import { checkLimit, SlotStore } from './slot-store.js';
import { WaiterQueue } from './waiter-queue.js';

/** What a {@link NodePool} is made of. */
export interface NodePoolOptions extends ConnectHooks {
  /** The node. */
  readonly node: NodeId;
  /** Makes the connections. */
  readonly factory: ConnectionFactory;
  /** Sizes and times. */
  readonly settings: ResolvedPoolOptions;
  /** Source of time. */
  readonly clock?: Clock | undefined;
}

/** The pool of one node. */
export class NodePool {
  /** The node. */
  readonly node: NodeId;
  readonly #settings: ResolvedPoolOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #maker: ConnectionMaker;
  readonly #store: SlotStore;
  readonly #queue = new WaiterQueue<PhysicalConnection>();
  readonly #slots = new PoolSlots();
  readonly #hot: HotStack;
  readonly #timers = new PoolTimers();
  #max: number;
  #min: number;
  #generation = 0;
  /** Connections asked of the store and not delivered yet. */
  #coming = 0;
  #phase: 'open' | 'closing' | 'closed' = 'open';
  #onQuiet: (() => void) | undefined;
  #emptied: Promise<void> | undefined;

  /** Makes an empty pool; with `min`, connections are opened at once. */
  constructor(options: NodePoolOptions) {
    const { settings, factory } = options;
    this.node = options.node;
    this.#settings = settings;
    this.#clock = options.clock ?? systemClock;
    this.#hot = new HotStack(settings.validateAfterIdleMs);
    this.#max = settings.max;
    this.#min = settings.min;
    const { signal } = this.#abort;
    setMaxListeners(0, signal);
    this.#maker = new ConnectionMaker({
      factory,
      hooks: options,
      onLate: () => this.#openForWaiters(),
      limitMs: settings.acquireTimeoutMs,
      lifetimeMs: settings.maxLifetimeMs,
      signal,
      clock: this.#clock,
    });
    this.#store = new SlotStore({
      settings,
      slots: this.#slots,
      make: () => this.#maker.make(this.#generation),
      isFit: (slot) => this.#isFit(slot, this.#clock.now()),
      // One silent connection makes the others suspect: nobody shall wait for each of them in turn.
      onSilent: () => {
        for (const slot of this.#slots.all()) this.#closeIdle(slot);
      },
    });
    this.#keepMinimum();
  }

  /**
   * Why the server refused the account, or its database, when a connection was made last; undefined when it did not, and while
   * there are others.
   */
  get refusal(): Error | undefined {
    if (this.#slots.size > 0) return undefined;
    const { lastError } = this.#maker;
    return isStormlampError(lastError, ErrorCode.ACCESS_DENIED) ? lastError : undefined;
  }

  /** How full the pool is. */
  get stats(): PoolStats {
    const { size, lent, busy } = this.#slots;
    const borrowed = lent + busy;
    return { total: size, idle: size - borrowed, borrowed, waiting: this.#queue.size, max: this.#max };
  }

  /** Connections that are with borrowers now. */
  get inFlight(): number {
    return this.#slots.lent;
  }

  /** A connection that can be lent at once, without a question to the server; undefined when there is none. */
  tryAcquire(): PhysicalConnection | undefined {
    if (this.#phase !== 'open') return undefined;
    const now = this.#clock.now();
    for (let slot = this.#hot.pop(now); slot !== undefined; slot = this.#hot.pop(now)) {
      if (this.#isFit(slot, now)) return this.#lend(slot, now);
      this.#drop(slot);
    }
    if (this.#hot.size > 0) this.#coolDown(now);
    return undefined;
  }

  /**
   * A connection, at the latest at the deadline or after `acquireTimeoutMs`. Give it back with {@link NodePool.release} or
   * {@link NodePool.discard}.
   *
   * Rejects with `ERR_NODE_UNREACHABLE`, `ERR_ACCESS_DENIED` or `ERR_PROTOCOL` as soon as it is known that the node cannot
   * be connected to, with `ERR_POOL_TIMEOUT`, `ERR_POOL_QUEUE_FULL`, `ERR_ABORTED`, `ERR_CLOSED`, or with what
   * `admitConnect` throws.
   */
  acquire(deadline: Deadline): Promise<PhysicalConnection> {
    const ready = this.tryAcquire();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#phase !== 'open') return Promise.reject(poolClosed(this.node));
    const { acquireTimeoutMs, maxQueue } = this.#settings;
    // Connections that are being made or reset are for callers who wait without standing in a queue for others.
    const soon = { made: this.#coming, reset: this.#slots.busy };
    if (this.#queue.size >= maxQueue + soon.made + soon.reset && !this.#mayOpen()) {
      return Promise.reject(poolQueueFull(this.node, this.#max, maxQueue, soon));
    }
    const waiting = this.#queue.wait({
      deadline,
      limitMs: acquireTimeoutMs,
      what: `Waiting for a connection to node ${this.node}`,
      expired: (waitedMs) => poolTimeout(this.node, waitedMs, this.stats, this.#maker),
    });
    this.#openForWaiters();
    return waiting;
  }

  /** Takes a connection back; it is reset first if it was touched. A connection that is not lent is left alone. */
  release(connection: PhysicalConnection): void {
    const slot = this.#slots.of(connection);
    if (slot?.state !== 'lent') return;
    this.#slots.move(slot, 'busy');
    if (connection.touched && this.#isFit(slot, this.#clock.now())) {
      this.#check(slot, connection.reset(checkLimit()));
    } else this.#settle(slot);
  }

  /** Takes a connection back that must not be used again. */
  discard(connection: PhysicalConnection): void {
    const slot = this.#slots.of(connection);
    if (slot?.state !== 'lent') return;
    // What closed one connection may have closed the others: they are asked for a sign of life before they are lent.
    if (connection.lost !== undefined) this.#coolDown(Number.POSITIVE_INFINITY);
    connection.destroy();
    this.#drop(slot);
    this.#openForWaiters();
    this.#noteQuiet();
  }

  /** Closes all connections, for example because the node's role changed: idle ones now, lent ones when they come back. */
  retire(): void {
    this.#generation += 1;
    for (const slot of this.#slots.all()) this.#closeIdle(slot);
    this.#keepMinimum();
  }

  /** Changes the size. Connections that are too many are closed when nobody uses them. */
  resize(size: { readonly max?: number; readonly min?: number }): void {
    this.#max = Math.max(1, size.max ?? this.#max);
    this.#min = Math.min(size.min ?? this.#min, this.#max);
    let surplus = this.#slots.size - this.#max;
    for (const slot of this.#slots.all()) {
      if (surplus > 0 && this.#closeIdle(slot)) surplus -= 1;
    }
    this.#keepMinimum();
    this.#openForWaiters();
  }

  /** Lets the next caller try to connect at once, because somebody else knows that the node is reachable again. */
  nodeReachable(): void {
    this.#maker.reachable();
    this.#keepMinimum();
    this.#openForWaiters();
  }

  /** Takes no new callers, waits for those that are there and for all lent connections, then closes; at the latest at the deadline. */
  async close(deadline: Deadline): Promise<void> {
    if (this.#phase === 'open') {
      this.#phase = 'closing';
      const quiet = new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
        this.#noteQuiet();
      });
      await deadline.race(`Closing the connections to node ${this.node}`, quiet).catch(() => undefined);
    }
    this.#emptied ??= this.#empty();
    await this.#emptied;
  }

  /** Closes everything now: callers who wait get `ERR_CLOSED`, borrowers lose their connections. */
  destroy(): void {
    for (const slot of this.#slots.all()) slot.connection.destroy();
    this.#emptied ??= this.#empty();
  }

  /** Connections that come soon: one that is late may never do so, and another is made beside it. */
  get #expected(): number {
    return Math.max(0, this.#coming - this.#maker.late);
  }

  #mayOpen(): boolean {
    // A connection that rests in the store needs a borrower's place only; a new one needs room as well.
    const { lent, busy } = this.#slots;
    const taken = lent + busy + this.#hot.size + this.#coming;
    return taken < this.#max && (this.#store.available > 0 || this.#store.size < this.#max);
  }

  #openForWaiters(): void {
    while (this.#queue.size > this.#expected && this.#mayOpen()) this.#open();
  }

  #keepMinimum(): void {
    if (this.#min > 0) this.#startSweeping();
    if (this.#phase !== 'open' || this.#maker.pauseMs > 0) return;
    while (this.#slots.size + this.#coming < this.#min && this.#mayOpen()) this.#open();
  }

  #open(): void {
    this.#coming += 1;
    const refused = (): void => {
      this.#coming -= 1;
    };
    this.#store.take().then((slot) => this.#arrived(slot), refused);
  }

  #arrived(slot: PoolSlot | FailedSlot): void {
    this.#coming -= 1;
    if (slot instanceof FailedSlot) {
      this.#store.drop(slot);
      this.#failed(slot);
      return;
    }
    if (slot.state === 'new') {
      this.#slots.add(slot);
      slot.connection.onLost(() => {
        if (this.#closeIdle(slot)) this.#openForWaiters();
      });
      this.#startSweeping();
    }
    this.#settle(slot);
  }

  /** A connection could not be made: callers for whom no other is coming are told why. */
  #failed({ error, isOutdated }: FailedSlot): void {
    const othersWillCome = this.#slots.lent + this.#slots.busy > 0;
    if (isOutdated) this.#openForWaiters();
    else if (othersWillCome && classifyServerError(error).kind === 'overload') {
      this.#timers.retryIn(this.#maker.pauseMs + 1, () => this.#openForWaiters());
    } else {
      this.#queue.turnAway(error, this.#coming);
      // Those who still wait do so for one that is late.
      if (this.#queue.size > this.#expected) {
        this.#timers.retryIn(this.#maker.pauseMs + LATE_AFTER_MS, () => this.#openForWaiters());
      }
    }
    this.#noteQuiet();
  }

  /** Waits for a reset or a sign of life. */
  #check(slot: PoolSlot, work: Promise<void>): void {
    work.then(
      () => this.#settle(slot),
      () => {
        slot.connection.destroy();
        this.#settle(slot);
      },
    );
  }

  /** Gives a connection that is ready to the next caller, or lets it rest, or closes it. */
  #settle(slot: PoolSlot): void {
    const now = this.#clock.now();
    if (!this.#isFit(slot, now) || this.#slots.size > this.#max) {
      this.#drop(slot);
      this.#openForWaiters();
    } else if (this.#queue.size > 0) this.#queue.serve(this.#lend(slot, now));
    else {
      this.#slots.move(slot, 'hot');
      this.#hot.push(slot, now);
    }
    this.#noteQuiet();
  }

  #lend(slot: PoolSlot, now: number): PhysicalConnection {
    this.#slots.move(slot, 'lent');
    slot.lentAt = now;
    slot.isReported = false;
    slot.connection.borrower = undefined;
    return slot.connection;
  }

  #isFit(slot: PoolSlot, now: number): boolean {
    const { connection } = slot;
    return (
      slot.state !== 'gone' &&
      this.#phase !== 'closed' &&
      connection.lost === undefined &&
      connection.generation === this.#generation &&
      now < slot.expiresAt
    );
  }

  /** Takes a slot that is not in the store out of the pool. */
  #drop(slot: PoolSlot): void {
    this.#slots.move(slot, 'gone');
    this.#store.drop(slot);
  }

  /** Closes a connection that nobody uses; false for the others. */
  #closeIdle(slot: PoolSlot): boolean {
    if (slot.state === 'hot') {
      this.#hot.remove(slot);
      this.#drop(slot);
      return true;
    }
    if (slot.state !== 'cold') return false;
    // The store cannot give up what rests in it: it finds an empty slot later.
    void this.#store.end(slot);
    return true;
  }

  /** Moves connections that rested long enough to the store, the oldest first, so that the newest is lent first. */
  #coolDown(now: number, keep = 0): void {
    for (const slot of this.#hot.takeRested(now, keep)) {
      this.#slots.move(slot, 'cold');
      this.#store.rest(slot);
    }
  }

  #startSweeping(): void {
    if (this.#phase === 'closed') return;
    const interval = Math.min(1_000, Math.max(50, this.#settings.validateAfterIdleMs / 2));
    this.#timers.startSweeping(interval, () => this.#sweep(this.#clock.now()));
  }

  #sweep(now: number): void {
    const { leakAfterMs } = this.#settings;
    for (const slot of this.#slots.all()) {
      if (slot.state === 'hot' && !this.#isFit(slot, now)) this.#closeIdle(slot);
      if (leakAfterMs > 0) reportLeak(slot, now, leakAfterMs);
    }
    this.#coolDown(now, this.#min);
    // Those that stay for `min` are kept ready by a sign of life instead.
    for (const slot of this.#hot.takeRested(now)) {
      this.#slots.move(slot, 'busy');
      this.#check(slot, slot.connection.ping(checkLimit()));
    }
    this.#keepMinimum();
    if (this.#slots.size === 0 && this.#min === 0) this.#timers.stopSweeping();
  }

  #noteQuiet(): void {
    if (this.#phase !== 'closing' || this.#queue.size > 0) return;
    if (this.#slots.lent + this.#slots.busy === 0) this.#onQuiet?.();
  }

  async #empty(): Promise<void> {
    this.#phase = 'closed';
    this.#onQuiet?.();
    this.#timers.stop();
    this.#queue.turnAway(poolClosed(this.node));
    this.#abort.abort();
    for (const slot of this.#slots.all()) {
      if (this.#closeIdle(slot)) continue;
      slot.connection.destroy();
      this.#drop(slot);
    }
    await this.#store.close();
  }
}
