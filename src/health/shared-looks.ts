/**
 * Lets one of many processes look at the nodes for all of them: the one that leads publishes what it sees, the others read that,
 * and look for themselves only while nothing new is published.
 */
import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../common/clock.js';
import type { NodeId } from '../common/node-address.js';
import { type Observation, provesLife } from '../topology/node-description.js';
import type { ObservationBoard } from './observation-board.js';
import { readLooks, type SuccessfulLook, writeLooks } from './published-look.js';

/** What {@link SharedLooks} needs. */
export interface SharedLooksOptions {
  /** Where observations are published. */
  readonly board: ObservationBoard;
  /** Longest time between two looks, milliseconds; as often the board is written or read. */
  readonly intervalMs: number;
  /** Told what another process saw, where its look succeeded. */
  readonly onObservation: (observation: SuccessfulLook) => void;
  /** Told whether this process has to look for itself; if not, it has to at what is not among `published`. */
  readonly setActive: (active: boolean, published: ReadonlySet<NodeId>) => void;
  /** Source of time. */
  readonly clock?: Clock | undefined;
  /** Uniform in [0, 1), for the jitter. */
  readonly random?: (() => number) | undefined;
}

const NONE: ReadonlySet<NodeId> = new Set();

/** What is published has to change within so many intervals. */
const STALE_INTERVALS = 3;

/** Without a leader everybody looks for himself after so many intervals. */
const PATIENCE_INTERVALS = 6;

/** Shares the looks of one process until it is closed. */
export class SharedLooks {
  readonly #options: SharedLooksOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #own = new Map<NodeId, Observation>();
  readonly #id = randomUUID();
  #count = 0;
  #isLeader = false;
  #isActive = true;
  #isClosed = false;
  /** What was read last: who published it, and the how many-th it was. */
  #last: { readonly publisher: string; readonly count: number } | undefined;
  #lastReadAt: number | undefined;
  #freshAt: number;
  #timer: NodeJS.Timeout | undefined;

  /** Begins to read, or to publish, after a part of an interval. */
  constructor(options: SharedLooksOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#freshAt = this.#clock.now();
    this.#plan(0.5 * this.#random());
  }

  /** Whether this process looks for all. */
  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** Notes what this process saw itself. */
  note(observation: Observation): void {
    this.#own.set(observation.node, observation);
  }

  /** Stops; another process takes over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#options.board.close().catch(() => undefined);
  }

  #plan(intervals = 0.8 + 0.2 * this.#random()): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#turn(), intervals * this.#options.intervalMs);
    this.#timer.unref();
  }

  async #turn(): Promise<void> {
    try {
      if (this.#isLeader) await this.#lead();
      else await this.#follow();
    } catch {
      // Without the board everybody looks for himself.
      this.#isLeader = false;
      this.#last = undefined;
      this.#setActive(true);
    }
    this.#plan();
  }

  async #lead(): Promise<void> {
    const { board } = this.#options;
    this.#isLeader = await this.#askToLead();
    if (!this.#isLeader || this.#isClosed) return;
    this.#count += 1;
    await board.publish(
      writeLooks({ publisher: this.#id, count: this.#count }, this.#own.values(), this.#clock.now()),
    );
  }

  /** A process that every node refuses has nothing to tell: it lets its right run out, for one that is let in. */
  async #askToLead(): Promise<boolean> {
    const own = [...this.#own.values()];
    const isRefused = own.length > 0 && own.every((look) => !look.ok && provesLife(look.failure));
    return !isRefused && (await this.#options.board.lead());
  }

  async #follow(): Promise<void> {
    const { board, intervalMs, onObservation } = this.#options;
    const begun = this.#clock.now();
    const text = await board.read();
    if (this.#isClosed) return;
    const before = this.#lastReadAt;
    this.#lastReadAt = begun;
    // It was published after the last read, which had an earlier one of the same process: earlier than that it cannot be.
    const published = text === undefined ? undefined : readLooks(text, before ?? begun);
    const last = this.#last;
    if (published === undefined) this.#last = undefined;
    else if (last?.publisher !== published.publisher) {
      // Of another process, or from before a silence, nobody knows how old it is: a memcached that was away has old ones.
      this.#last = published;
      if (last === undefined) this.#freshAt = begun;
    } else if (published.count > last.count) {
      this.#last = published;
      this.#freshAt = begun;
      if (before === undefined) return;
      this.#setActive(false, new Set(published.looks.map(({ observation }) => observation.node)));
      for (const { observation } of published.looks) onObservation(observation);
      return;
    }
    const staleMs = this.#clock.now() - this.#freshAt;
    if (staleMs <= STALE_INTERVALS * intervalMs) return;
    this.#isLeader = await this.#askToLead();
    // Who does not lead gives the new leader a moment, so that not everybody looks at once.
    if (this.#isLeader || staleMs > PATIENCE_INTERVALS * intervalMs) this.#setActive(true);
  }

  #setActive(active: boolean, published: ReadonlySet<NodeId> = NONE): void {
    if (this.#isClosed || (active && this.#isActive)) return;
    this.#isActive = active;
    this.#options.setActive(active, published);
  }
}
