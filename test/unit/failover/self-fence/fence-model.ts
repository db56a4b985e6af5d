/**
 * A primary that fences itself, in simulated time: processes that guard it, one that makes another node the primary, and a writer
 * beside it that knows nothing of either, with lost messages, cut networks, stalls and a server that is frozen. What is decided by
 * functions of the package is decided by them; what the event does in SQL is written here once more.
 */
import {
  type ChangeLock,
  type LeaseRules,
  leaseOf,
  type VoterReading,
} from '../../../../src/failover/protocol/client-lease.js';
import {
  fencedAfterMs,
  GUARD_ANSWER_MS,
  GUARD_TIMEOUT_S,
  guardWindowMs,
  STALL_S,
  TICK_S,
} from '../../../../src/failover/self-fence/fence-event.js';
import { EventQueue, mulberry32 } from '../protocol/simulated-time.js';

/** A rule that is left out, to see that it is needed. */
export type LeftOut =
  /** A failover waits until the old primary has fenced itself. */
  | 'wait-fence'
  /** After a stall of the server its event takes a guard's lock for one only at the next look. */
  | 'stall-rule'
  /** A guard renews only while it sees a majority of the last half lease. */
  | 'guard-freshness'
  /** A renewal that is executed late counts for nothing. */
  | 'renewal-in-time';

/** What is simulated. */
export interface FenceModelOptions {
  readonly seed: number;
  /** Whether anything goes wrong, and another primary is made. Default true. */
  readonly trouble?: boolean;
  readonly leftOut?: LeftOut;
}

/** What came of it. */
export interface FenceModelResult {
  /** When the old primary took writes although another node was the primary. */
  readonly violations: readonly string[];
  /** When another node became the primary; undefined when none did. */
  readonly promotedAt: number | undefined;
  /** When the old one made itself refuse writes, first; undefined when it never did. */
  readonly fencedAt: number | undefined;
}

const LEASE_MS = 2_000;
const SELF_FENCE_MS = 3_000;
const RULES: LeaseRules = { voters: 3, leaseMs: LEASE_MS, handoverMs: 300 };
const POLL_MS = LEASE_MS / 4;
const GUARD_TICK_MS = 500;
const GUARDS = 3;
const HORIZON_MS = 40_000;
const OLD = 'old';
const OTHERS = ['next', 'witness'];

/** The session of a guard on the old primary, as the server knows it. */
interface GuardSession {
  lastActivity: number;
  /** The process has closed its end, which a frozen server does not see. */
  isGone: boolean;
}

interface Guard {
  readonly cut: Set<string>;
  readonly readings: Map<string, VoterReading>;
  pausedUntil: number;
  session: GuardSession | undefined;
}

/** Runs one simulation. */
export function runFenceModel(options: FenceModelOptions): FenceModelResult {
  return new FenceModel(options).run();
}

class FenceModel {
  readonly #leftOut: LeftOut | undefined;
  readonly #trouble: boolean;
  readonly #random: () => number;
  readonly #queue = new EventQueue();
  readonly #guards: readonly Guard[];
  readonly #violations: string[] = [];
  #now = 0;
  /** The lock on the voters other than the old primary. */
  #lock: ChangeLock = 'free';
  #vote = OLD;
  #promotedAt: number | undefined;
  #fencedAt: number | undefined;
  /** The old primary: until when it is frozen, whose lock the guard's is, and what its event remembers. */
  #frozenUntil = 0;
  #holder: GuardSession | undefined;
  #isClosed = false;
  #well = 0;
  #looked = 0;

  constructor({ seed, leftOut, trouble = true }: FenceModelOptions) {
    this.#leftOut = leftOut;
    this.#trouble = trouble;
    this.#random = mulberry32(seed);
    this.#guards = Array.from({ length: GUARDS }, () => ({
      cut: new Set<string>(),
      readings: new Map<string, VoterReading>(),
      pausedUntil: 0,
      session: undefined,
    }));
  }

  run(): FenceModelResult {
    for (const guard of this.#guards) {
      this.#every(POLL_MS, () => this.#poll(guard), guard);
      this.#every(GUARD_TICK_MS, () => this.#guard(guard), guard);
    }
    this.#after(0, () => this.#look());
    if (this.#trouble) this.#plague();
    for (
      let next = this.#queue.next();
      next !== undefined && next.at <= HORIZON_MS;
      next = this.#queue.next()
    ) {
      this.#now = next.at;
      next.run();
    }
    return { violations: this.#violations, promotedAt: this.#promotedAt, fencedAt: this.#fencedAt };
  }

  /** At some time networks are cut, processes and the server stall, and somebody who cannot reach the old primary takes over. */
  #plague(): void {
    const begin = 5_000 + 5_000 * this.#random();
    for (const guard of this.#guards) {
      for (const voter of [OLD, ...OTHERS])
        if (this.#random() < 0.5) this.#at(begin + 3_000 * this.#random(), () => guard.cut.add(voter));
      if (this.#random() < 0.3) {
        const length = 8_000 * this.#random() ** 2;
        this.#at(begin + 4_000 * this.#random(), () => {
          guard.pausedUntil = this.#now + length;
        });
      }
    }
    if (this.#random() < 0.5) {
      const length = 12_000 * this.#random();
      this.#at(begin + 3_000 * this.#random(), () => {
        this.#frozenUntil = this.#now + length;
      });
    }
    this.#at(begin + 3_000 * this.#random(), () => {
      this.#lock = 'promote';
      const wait = this.#leftOut === 'wait-fence' ? LEASE_MS : fencedAfterMs(LEASE_MS, SELF_FENCE_MS);
      this.#after(wait, () => {
        this.#vote = 'next';
        this.#lock = 'free';
        this.#promotedAt = this.#now;
        this.#judge();
      });
    });
  }

  #poll(guard: Guard): void {
    const sentAt = this.#now;
    for (const voter of [OLD, ...OTHERS]) {
      this.#ask(guard, voter, () => {
        const isOld = voter === OLD;
        const vote = isOld ? (this.#isClosed ? null : OLD) : this.#vote;
        const reading: VoterReading = { voter, sentAt, vote, lock: isOld ? 'free' : this.#lock };
        return () => {
          // Answers may overtake each other.
          if ((guard.readings.get(voter)?.sentAt ?? -1) < sentAt) guard.readings.set(voter, reading);
        };
      });
    }
  }

  #guard(guard: Guard): void {
    const windowMs = this.#leftOut === 'guard-freshness' ? HORIZON_MS : guardWindowMs(LEASE_MS);
    const seen = leaseOf(guard.readings.values(), { ...RULES, leaseMs: windowMs, handoverMs: windowMs });
    if (seen === undefined || seen.until <= this.#now || seen.primary !== OLD) {
      this.#leave(guard);
      return;
    }
    guard.session ??= { lastActivity: this.#now, isGone: false };
    const { session } = guard;
    const until = this.#leftOut === 'renewal-in-time' ? HORIZON_MS : this.#now + GUARD_ANSWER_MS;
    this.#ask(guard, OLD, () => {
      session.lastActivity = this.#now;
      if (this.#now < until) this.#holder ??= session;
      else this.#end(session);
      return () => undefined;
    });
  }

  #leave(guard: Guard): void {
    const { session } = guard;
    guard.session = undefined;
    if (session === undefined) return;
    session.isGone = true;
    // What has been sent before arrives before the end; the server sees neither while it is frozen.
    this.#arrive(OLD, () => {
      if (!guard.cut.has(OLD)) this.#end(session);
    });
  }

  /** A question over a network that loses one message in twenty, and what its answer does. */
  #ask(guard: Guard, voter: string, run: () => () => void): void {
    if (guard.cut.has(voter) || this.#random() < 0.05) return;
    this.#arrive(voter, () => {
      const answered = run();
      if (guard.cut.has(voter) || this.#random() < 0.05) return;
      this.#after(this.#delay(), () => this.#whenAwake(guard, answered));
    });
  }

  /** What reaches a frozen server waits in its sockets; when it goes on its threads do, in any order. */
  #arrive(voter: string, run: () => void): void {
    const delay = this.#delay();
    const atServer = (): void => {
      if (voter === OLD && this.#now < this.#frozenUntil) this.#at(this.#thaw(), atServer);
      else run();
    };
    this.#after(delay, atServer);
  }

  /** The event's look: the same decisions in the same order as the loop in SQL. */
  #look(): void {
    if (this.#now < this.#frozenUntil) {
      this.#at(this.#thaw(), () => this.#look());
      return;
    }
    this.#expire();
    const guarded = this.#holder !== undefined;
    const isFresh = this.#leftOut === 'stall-rule' || this.#looked > this.#now - STALL_S * 1_000;
    const graceMs = SELF_FENCE_MS - GUARD_TIMEOUT_S * 1_000;
    if (this.#isClosed || (guarded && isFresh)) this.#well = this.#now;
    else if (!guarded && this.#well < this.#now - graceMs) {
      this.#isClosed = true;
      this.#fencedAt ??= this.#now;
    }
    this.#looked = this.#now;
    this.#judge();
    this.#after(TICK_S * 1_000, () => this.#look());
  }

  /** The server ends an idle session after its time; the thread that does it needs a moment when the server goes on. */
  #expire(): void {
    const session = this.#holder;
    if (session === undefined || this.#now - session.lastActivity <= GUARD_TIMEOUT_S * 1_000) return;
    const isThawing = this.#now - this.#frozenUntil < 10;
    if (isThawing && this.#random() < 0.5) this.#after(10, () => this.#expire());
    else this.#end(session);
  }

  #end(session: GuardSession): void {
    if (this.#holder === session) this.#holder = undefined;
  }

  /** What was in the sockets of a frozen server is executed before its event's second look; nobody promises otherwise. */
  #judge(): void {
    const isExcused = this.#now < this.#frozenUntil + 2 * TICK_S * 1_000;
    if (this.#promotedAt !== undefined && !this.#isClosed && !isExcused)
      this.#violations.push(
        `the old primary takes writes at ${this.#now}, another one since ${this.#promotedAt}`,
      );
  }

  #every(ms: number, run: () => void, guard: Guard): void {
    const again = (): void => {
      this.#whenAwake(guard, () => {
        run();
        this.#after(ms * (0.8 + 0.4 * this.#random()), again);
      });
    };
    this.#after(ms * this.#random(), again);
  }

  #whenAwake(guard: Guard, run: () => void): void {
    if (this.#now < guard.pausedUntil) this.#at(guard.pausedUntil, () => this.#whenAwake(guard, run));
    else run();
  }

  #thaw(): number {
    return this.#frozenUntil + 5 * this.#random();
  }

  #delay(): number {
    return this.#random() < 0.9 ? 1 + 20 * this.#random() : 300 * this.#random() ** 2;
  }

  #after(ms: number, run: () => void): void {
    this.#queue.add(this.#now + ms, run);
  }

  #at(time: number, run: () => void): void {
    this.#queue.add(Math.max(time, this.#now), run);
  }
}
