/** Keeps this process's right to write: looks at all voters again and again, and lets writes through while a majority agrees. */
import type { Clock } from '../../common/clock.js';
import type { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';
import type { WriteGate } from '../../mysql/write-gate.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import { type Lease, type LeaseRules, leaseOf, type VoterReading } from '../protocol/client-lease.js';
import type { Voter } from '../voters.js';
import { type EpochStart, tookEverything } from './epoch-start.js';
import { leaseMissing } from './lease-missing.js';
import { VoterPoll } from './voter-poll.js';

/** The events of a {@link LeaseKeeper}. */
export interface LeaseEvents {
  /** Writes may be sent to `node`; told when they could not before, or went elsewhere. */
  'lease-gained': { readonly node: NodeId };
  /** No writes may be sent to `node` any more. */
  'lease-lost': { readonly node: NodeId; readonly why: string };
  /** The newest readings, whenever one was added. */
  readings: ReadonlyMap<NodeId, VoterReading>;
}

/** What a keeper needs. */
export interface LeaseKeeperOptions {
  /** The name of the cluster. */
  readonly cluster: string;
  /** All voters. */
  readonly voters: readonly Voter[];
  /** The numbers that all processes agree on. */
  readonly rules: LeaseRules;
  /** Knows a replica's source. */
  readonly sourceOf: (channel: ReplicationChannel) => NodeId | undefined;
  /** Source of time. */
  readonly clock: Clock;
  /** The epoch of `node`, which takes writes now, and the change that began it. */
  readonly epochAt: (node: NodeId) => Promise<EpochStart | undefined>;
}

/** Writes that wait for the right to write, at most. */
const WAITING_LIMIT = 10_000;
/** How far the clocks may drift apart between two looks before that counts as a jump, milliseconds. */
const CLOCK_SLACK_MS = 250;
/** How long a search for the right goes on at the fast pace, milliseconds; then at the slow one. */
const HURRY_MS = 30_000;
const SLOW_HURRY_MS = 250;

/** The client's side of the protocol; see {@link leaseOf}. */
export class LeaseKeeper extends SafeEmitter<LeaseEvents> implements WriteGate {
  readonly #options: LeaseKeeperOptions;
  readonly #clock: Clock;
  readonly #polls: readonly VoterPoll[];
  readonly #readings = new Map<NodeId, VoterReading>();
  readonly #failures = new Map<NodeId, string>();
  readonly #timers = new Map<VoterPoll, NodeJS.Timeout>();
  readonly #waiting = new Set<() => void>();
  readonly #marginMs: number;
  #granted: Lease | undefined;
  /** Ends of the granted and of the present lease; numbers of their own because every write compares them. */
  #coveredUntil = Number.NEGATIVE_INFINITY;
  #admittedUntil = Number.NEGATIVE_INFINITY;
  #wallUntil = Number.NEGATIVE_INFINITY;
  /** How far the wall clock is ahead of the monotonic one. */
  #wallAhead: number;
  #end: NodeJS.Timeout | undefined;
  #open = false;
  #searchingSince: number;
  /** The epoch in which the right to each node was had last, where it is known. */
  readonly #epochs = new Map<NodeId, number>();
  #epochOf: NodeId | undefined;
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

  /** The newest reading of each voter. */
  get readings(): ReadonlyMap<NodeId, VoterReading> {
    return this.#readings;
  }

  /** How many voters answer now. */
  get reachable(): number {
    const since = this.#clock.now() - this.#options.rules.leaseMs;
    const recent = [...this.#readings].filter(
      ([voter, { sentAt }]) => sentAt > since && !this.#failures.has(voter),
    );
    return recent.length;
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
      this.#failures,
      rules,
      this.#clock.now(),
    );
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
      const reading = await poll.look(Math.min(leaseMs / 2, 1_000));
      if (this.#closed) return;
      this.#readings.set(voter, reading);
      this.#failures.delete(voter);
    } catch (error) {
      if (this.#closed) return;
      this.#failures.set(voter, describeError(error));
    }
    this.#decide();
    const timer = setTimeout(() => {
      this.#timers.delete(poll);
      void this.#look(voter, poll);
    }, this.#pauseMs());
    timer.unref();
    this.#timers.set(poll, timer);
  }

  #pauseMs(): number {
    const { leaseMs, handoverMs } = this.#options.rules;
    const calm = this.#open && [...this.#readings.values()].every(({ lock }) => lock === 'free');
    const searching = this.#clock.now() - this.#searchingSince < HURRY_MS;
    const fast = searching || this.#open ? handoverMs / 5 : SLOW_HURRY_MS;
    return (calm ? leaseMs / 4 : fast) * (0.8 + 0.2 * Math.random());
  }

  #decide(): void {
    const now = this.#clock.now();
    this.#noteClocks(now);
    const present = leaseOf(this.#readings.values(), this.#options.rules);
    if (present === undefined || present.until <= now) this.#admittedUntil = Number.NEGATIVE_INFINITY;
    else {
      const same = this.#granted?.primary === present.primary;
      // What was granted once stays granted: whoever changes the primary waits for it.
      const until = same ? Math.max(this.#coveredUntil, present.until) : present.until;
      this.#granted = { primary: present.primary, until };
      this.#coveredUntil = until;
      this.#wallUntil = until + this.#wallAhead + CLOCK_SLACK_MS;
      this.#admittedUntil = present.until - this.#marginMs;
    }
    clearTimeout(this.#end);
    this.#tell();
    this.publish('readings', this.#readings);
    if (!this.#open) return;
    this.#end = setTimeout(() => this.#tell(), Math.max(0, this.#admittedUntil - now));
    this.#end.unref();
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
      if (node !== this.#epochOf) void this.#learnEpoch(node);
      this.publish('lease-gained', { node });
    }
    if (!open) {
      this.#searchingSince = this.#clock.now();
      this.publish('lease-lost', { node, why: this.missing().message });
    }
  }

  async #learnEpoch(node: NodeId): Promise<void> {
    this.#epochOf = node;
    this.#epochs.delete(node);
    try {
      const start = await this.#options.epochAt(node);
      if (this.covers(node)) this.#epochs.set(node, start?.epoch ?? 0);
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
