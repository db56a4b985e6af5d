/** Keeps this process's right to write: looks at all voters again and again, and lets writes through while a majority agrees. */
import type { Clock } from '../../common/clock.js';
import type { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';
import type { WriteGate } from '../../mysql/write-gate.js';
import type { VoterCount } from '../detector/detector-input.js';
import { type Lease, leaseOf, type VoterReading } from '../protocol/client-lease.js';
import { votedNode } from '../protocol/voted-node.js';
import { tookEverything } from './epoch-start.js';
import type { LeaseEvents, LeaseKeeperOptions } from './lease-keeper-options.js';
import { leaseMissing } from './lease-missing.js';
import { VoterPoll } from './voter-poll.js';

/** Writes that wait for the right to write, at most. */
const WAITING_LIMIT = 10_000;
/** How far the clocks may drift apart between two looks before that counts as a jump, milliseconds. */
const CLOCK_SLACK_MS = 250;
/** While the right is searched for, looks are so far apart at most, milliseconds. */
const SLOW_MS = 250;
/** Share of the time of the search that passes between two looks: what is found late by this is not noticed beside the search. */
const SEARCH_SHARE = 0.05;
/** How far apart looks at a voter that fails are at most, milliseconds: every one of them makes a new connection. */
const SLOWEST_MS = 1_000;
/** Longest time of one look, milliseconds: an answer that is late counts as long as the lease that it gives. */
const LOOK_MS = 2_500;
/** How often a primary that was replaced is asked whether it has a new epoch, milliseconds. */
const EPOCH_MS = 5_000;

/** Why a voter cannot be asked, and for how many looks in a row. */
interface Failures {
  readonly why: string;
  readonly count: number;
}

/** The client's side of the protocol; see {@link leaseOf}. */
export class LeaseKeeper extends SafeEmitter<LeaseEvents> implements WriteGate {
  readonly #options: LeaseKeeperOptions;
  readonly #clock: Clock;
  readonly #polls: readonly VoterPoll[];
  readonly #readings = new Map<NodeId, VoterReading>();
  readonly #failures = new Map<NodeId, Failures>();
  readonly #timers = new Map<VoterPoll, NodeJS.Timeout>();
  readonly #waiting = new Set<() => void>();
  readonly #marginMs: number;
  #granted: Lease | undefined;
  /** What the votes give when the locks are left aside. */
  #seen: Lease | undefined;
  /** Ends of the granted and of the present lease; numbers of their own because every write compares them. */
  #coveredUntil = Number.NEGATIVE_INFINITY;
  #admittedUntil = Number.NEGATIVE_INFINITY;
  #wallUntil = Number.NEGATIVE_INFINITY;
  /** How far the wall clock is ahead of the monotonic one. */
  #wallAhead: number;
  #end: NodeJS.Timeout | undefined;
  #open = false;
  #searchingSince: number;
  /** The latest epoch of a primary that the right was ever for: an earlier one is that of a primary which was replaced. */
  #epoch = 0;
  /** Nodes that get nothing, and why. */
  readonly #refused = new Map<NodeId, string>();
  /** Nodes whose epoch was found to be an earlier one. */
  readonly #replaced = new Map<NodeId, number>();
  /** The epoch in which the right to each node was had last, where it is known. */
  readonly #epochs = new Map<NodeId, number>();
  #epochOf: NodeId | undefined;
  #epochTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** Begins to look at the voters. */
  constructor(options: LeaseKeeperOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock;
    this.#searchingSince = options.clock.now();
    this.#wallAhead = options.clock.wall() - options.clock.now();
    // What is sent in the last moments would be answered when the right is over.
    this.#marginMs = options.rules.handoverMs / 3;
    this.#polls = options.voters.map((voter) => new VoterPoll(voter, options.cluster, options.sourceOf));
    options.voters.forEach((voter, index) => {
      const poll = this.#polls[index];
      if (poll !== undefined) void this.#look(voter.id, poll);
    });
  }

  /** The node that the right is, or was last, for. */
  get node(): NodeId | undefined {
    return this.#granted?.primary;
  }

  /** The present right; undefined while there is none. */
  get lease(): Lease | undefined {
    const now = this.#clock.now();
    return this.#granted !== undefined && now < this.#coveredUntil ? this.#granted : undefined;
  }

  /** The node that a majority has voted for within the last `ms`, while nobody changes the primary; undefined when there is none. */
  seenWithin(ms: number): NodeId | undefined {
    const { voters } = this.#options.rules;
    const seen = leaseOf(this.#readings.values(), { voters, leaseMs: ms, handoverMs: ms }, this.#epoch);
    if (seen === undefined || seen.until <= this.#clock.now()) return undefined;
    return seen.primary === this.lease?.primary ? seen.primary : undefined;
  }

  /**
   * The node that a majority votes for, itself among them, also while somebody changes the primary: what writers may be told that know
   * no lease. undefined when there is none.
   */
  get voted(): NodeId | undefined {
    const now = this.#clock.now();
    // What was read before a jump of the clock is older than it looks.
    if (this.#closed || this.#clock.wall() - now - this.#wallAhead > CLOCK_SLACK_MS) return undefined;
    return this.#seen !== undefined && this.#seen.until > now ? this.#seen.primary : undefined;
  }

  /** The newest reading of each voter. */
  get readings(): ReadonlyMap<NodeId, VoterReading> {
    return this.#readings;
  }

  /** How many voters answer now; one look that fails is no verdict while the answer before is younger than a lease. */
  get reachable(): number {
    const since = this.#clock.now() - this.#options.rules.leaseMs;
    const recent = [...this.#readings].filter(
      ([voter, { sentAt }]) => sentAt > since && (this.#failures.get(voter)?.count ?? 0) < 2,
    );
    return recent.length;
  }

  /** Whether nobody is at work on any voter, as far as their answers of the last lease say. */
  get calm(): boolean {
    const since = this.#clock.now() - this.#options.rules.leaseMs;
    return [...this.#readings.values()].every(({ lock, sentAt }) => lock === 'free' || sentAt < since);
  }

  /** The node that `voter` votes for, null when for none; undefined when it has not answered within a lease. */
  voteOf(voter: NodeId): NodeId | null | undefined {
    return this.votes.get(voter);
  }

  /** How many voters there are, answer, and were never looked at, and whom most of them vote for. */
  get count(): VoterCount {
    const { voters } = this.#options;
    const unasked = voters.filter(({ id }) => !this.#readings.has(id) && !this.#failures.has(id)).length;
    const { votes } = this;
    const votedFor = votedNode(votes, voters.length);
    return { total: voters.length, reachable: this.reachable, unasked, votedFor, votes };
  }

  /** The votes of all voters that have answered within a lease; null for none. */
  get votes(): ReadonlyMap<NodeId, NodeId | null> {
    const since = this.#clock.now() - this.#options.rules.leaseMs;
    const recent = [...this.#readings].filter(([, { sentAt }]) => sentAt >= since);
    return new Map(recent.map(([voter, { vote }]) => [voter, vote]));
  }

  admits(node: NodeId): boolean {
    return (
      this.#granted?.primary === node &&
      this.#clock.now() < this.#admittedUntil &&
      this.#clock.wall() < this.#wallUntil
    );
  }

  covers(node: NodeId): boolean {
    // Monotonic time stands still while a machine is suspended, wall time does not.
    return (
      this.#granted?.primary === node &&
      this.#clock.now() < this.#coveredUntil &&
      this.#clock.wall() < this.#wallUntil
    );
  }

  async wait(deadline: Deadline): Promise<NodeId> {
    for (;;) {
      if (this.#closed) throw new StormlampError(ErrorCode.CLOSED, 'The failover manager was closed');
      const { node } = this;
      if (node !== undefined && this.admits(node)) return node;
      if (this.#waiting.size >= WAITING_LIMIT) {
        const message = `More than ${WAITING_LIMIT} writes wait for the right to write`;
        throw new StormlampError(ErrorCode.POOL_QUEUE_FULL, message);
      }
      try {
        deadline.check('Waiting for the right to write');
        await this.#change(deadline);
      } catch (error) {
        throw isStormlampError(error, ErrorCode.TIMEOUT) ? this.missing() : error;
      }
    }
  }

  async settle(node: NodeId, deadline: Deadline): Promise<boolean> {
    const before = this.#epochs.get(node);
    const ended = this.#coveredUntil;
    const { leaseMs } = this.#options.rules;
    try {
      const next = await this.wait(deadline.within(leaseMs));
      // Going away and coming back takes two leases: within one the right was never anybody else's.
      if (next === node && this.#clock.now() - ended < leaseMs) return true;
      const after = await this.#options.epochAt(next);
      return next === node ? (after?.epoch ?? 0) === before : tookEverything(node, before, after);
    } catch {
      return false;
    }
  }

  /** The error of a write that may not be sent, naming what every voter says. */
  missing(): StormlampError {
    const { voters, rules } = this.#options;
    return leaseMissing(
      voters.map(({ id }) => id),
      this.#readings,
      new Map([...this.#failures].map(([voter, { why }]) => [voter, why])),
      rules,
      this.#clock.now(),
      { epoch: this.#epoch, refused: this.#refused },
    );
  }

  /** Grants nothing to `node`, whatever the voters say; `why` undefined takes that back. */
  refuse(node: NodeId, why: string | undefined): void {
    if (why === undefined) this.#refused.delete(node);
    else this.#refused.set(node, why);
    if (!this.#closed) this.#decide();
  }

  /** Resolves when a majority votes for a node, or every voter was looked at. Never rejects. */
  async asked(): Promise<void> {
    while (!this.#closed && this.voted === undefined && this.count.unasked !== 0)
      await new Promise<void>((resolve) => void this.once('readings', () => resolve()));
  }

  /** Looks at all voters now. */
  hurry(): void {
    this.#searchingSince = this.#clock.now();
    this.#options.voters.forEach((voter, index) => {
      const poll = this.#polls[index];
      const timer = poll === undefined ? undefined : this.#timers.get(poll);
      if (poll === undefined || timer === undefined) return;
      clearTimeout(timer);
      this.#timers.delete(poll);
      void this.#look(voter.id, poll);
    });
  }

  /** Stops looking; who waits gets `ERR_CLOSED`, and nothing may be written any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#epochTimer);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    clearTimeout(this.#end);
    for (const poll of this.#polls) poll.close();
    this.#coveredUntil = Number.NEGATIVE_INFINITY;
    this.#admittedUntil = Number.NEGATIVE_INFINITY;
    this.#wake();
  }

  async #look(voter: NodeId, poll: VoterPoll): Promise<void> {
    const { leaseMs } = this.#options.rules;
    try {
      const reading = await poll.look(Math.min(leaseMs / 2, LOOK_MS));
      if (this.#closed) return;
      this.#readings.set(voter, { ...reading, epoch: reading.epoch ?? this.#replaced.get(voter) });
      this.#failures.delete(voter);
    } catch (error) {
      if (this.#closed) return;
      const count = (this.#failures.get(voter)?.count ?? 0) + 1;
      this.#failures.set(voter, { why: describeError(error), count });
    }
    this.#decide();
    const timer = setTimeout(() => {
      this.#timers.delete(poll);
      void this.#look(voter, poll);
    }, this.#pauseMs(voter));
    timer.unref();
    this.#timers.set(poll, timer);
  }

  #pauseMs(voter: NodeId): number {
    const { leaseMs, handoverMs } = this.#options.rules;
    const fastMs = handoverMs / 5;
    const count = this.#failures.get(voter)?.count ?? 0;
    const calm = this.#open && this.calm;
    const searchedMs = this.#clock.now() - this.#searchingSince;
    const busyMs = this.#open ? fastMs : Math.min(SLOW_MS, Math.max(fastMs, SEARCH_SHARE * searchedMs));
    const usualMs = calm ? leaseMs / 4 : busyMs;
    const pauseMs = Math.max(
      usualMs,
      count === 0 ? 0 : Math.min(SLOWEST_MS, fastMs * 2 ** Math.min(count, 10)),
    );
    return pauseMs * (0.8 + 0.2 * Math.random());
  }

  #decide(): void {
    const now = this.#clock.now();
    this.#noteClocks(now);
    const present = leaseOf(this.#counting(), this.#options.rules, this.#epoch);
    if (present === undefined || present.until <= now) this.#admittedUntil = Number.NEGATIVE_INFINITY;
    else {
      const same = this.#granted?.primary === present.primary;
      // What was granted once stays granted: whoever changes the primary waits for it.
      const until = same ? Math.max(this.#coveredUntil, present.until) : present.until;
      this.#granted = { primary: present.primary, until };
      this.#epoch = Math.max(this.#epoch, this.#readings.get(present.primary)?.epoch ?? 0);
      this.#coveredUntil = until;
      this.#wallUntil = until + this.#wallAhead + CLOCK_SLACK_MS;
      this.#admittedUntil = present.until - this.#marginMs;
    }
    this.#countVotes();
    clearTimeout(this.#end);
    this.#tell();
    this.publish('readings', this.#readings);
    if (!this.#open) return;
    this.#end = setTimeout(() => this.#tell(), Math.max(0, this.#admittedUntil - now));
    this.#end.unref();
  }

  #countVotes(): void {
    const open = this.#counting().map((reading) => ({ ...reading, lock: 'free' as const }));
    this.#seen = leaseOf(open, this.#options.rules, this.#epoch);
  }

  #counting(): readonly VoterReading[] {
    return [...this.#readings.values()].filter(({ vote }) => !this.#refused.has(vote ?? ''));
  }

  /** Monotonic time stands still while a machine is suspended: what was read before a jump is older than it looks. */
  #noteClocks(now: number): void {
    const ahead = this.#clock.wall() - now;
    if (ahead - this.#wallAhead > CLOCK_SLACK_MS) {
      this.#readings.clear();
      this.#coveredUntil = Number.NEGATIVE_INFINITY;
      this.#searchingSince = now;
    }
    this.#wallAhead = ahead;
  }

  #tell(): void {
    const { node } = this;
    if (node === undefined || this.#closed) return;
    const open = this.admits(node);
    if (open) this.#wake();
    if (open === this.#open) return;
    this.#open = open;
    if (open) {
      // One that was away for longer than a lease may have come back with older data.
      const away = this.#clock.now() - this.#searchingSince > this.#options.rules.leaseMs;
      if (node !== this.#epochOf || away) void this.#learnEpoch(node);
      this.publish('lease-gained', { node });
    }
    if (!open) {
      this.#searchingSince = this.#clock.now();
      this.publish('lease-lost', { node, why: this.missing().message });
    }
  }

  /** Whoever may not read the epoch when it looks asks for it once, with the account that acts. */
  async #learnEpoch(node: NodeId): Promise<void> {
    this.#epochOf = node;
    this.#epochs.delete(node);
    try {
      const epoch = (await this.#options.epochAt(node))?.epoch ?? 0;
      if (this.#closed) return;
      if (epoch < this.#epoch) {
        this.#replaced.set(node, epoch);
        const reading = this.#readings.get(node);
        if (reading !== undefined) this.#readings.set(node, { ...reading, epoch });
        this.#decide();
        clearTimeout(this.#epochTimer);
        this.#epochTimer = setTimeout(() => void this.#learnEpoch(node), EPOCH_MS);
        this.#epochTimer.unref();
        return;
      }
      this.#replaced.delete(node);
      this.#epoch = epoch;
      this.#countVotes();
      if (this.covers(node)) this.#epochs.set(node, epoch);
    } catch {
      this.#epochOf = undefined;
    }
  }

  #change(deadline: Deadline): Promise<void> {
    let wake = (): void => {};
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    return deadline.race('Waiting for the right to write', changed).finally(() => this.#waiting.delete(wake));
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
