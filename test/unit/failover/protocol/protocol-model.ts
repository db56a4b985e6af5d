/**
 * The coordination protocol in simulated time: voters, processes that hold leases, and processes that change the primary, with
 * lost messages, pauses, restarts and frozen servers. What processes decide is decided by the functions of the package.
 */
import {
  type HeldVoter,
  majorityHeldUntil,
  mayPromote,
  votesMayChangeFrom,
} from '../../../../src/failover/protocol/change-permit.js';
import {
  type Lease,
  type LeaseRules,
  leaseOf,
  type VoterReading,
} from '../../../../src/failover/protocol/client-lease.js';
import { EventQueue, mulberry32 } from './simulated-time.js';

/** A rule of the protocol that is left out, to see that it is needed. */
export type LeftOut =
  | 'wait-for-leases'
  | 'wait-after-change-lock'
  | 'wait-after-promote-lock'
  | 'majority-of-all'
  | 'promote-lock-stops-leases'
  | 'change-lock-shortens-leases'
  | 'lease-from-sending'
  | 'change-on-lock-session'
  | 'vote-is-local';

/** What is simulated. */
export interface ModelOptions {
  readonly seed: number;
  /** Voters that hold data and can become the primary. */
  readonly data: number;
  /** Voters that only vote. */
  readonly witnesses: number;
  readonly clients: number;
  readonly managers: number;
  readonly horizonMs: number;
  readonly leftOut?: LeftOut;
}

/** What came of it. */
export interface ModelResult {
  /** Two live leases for different primaries, as sentences. */
  readonly violations: readonly string[];
  readonly leases: number;
  readonly promotions: number;
}

const LEASE_MS = 1_200;
const HANDOVER_MS = 300;
const WAIT_TIMEOUT_MS = 900;
const CALL_TIMEOUT_MS = 400;

interface Session {
  readonly owner: object;
  lastActivity: number;
}

interface Voter {
  readonly id: string;
  readonly data: boolean;
  vote: string | null;
  downUntil: number;
  frozenUntil: number;
  sessions: Set<Session>;
  change: Session | undefined;
  promote: Session | undefined;
}

interface Process {
  readonly name: string;
  pausedUntil: number;
  /** Grows when the process is killed: what belongs to an earlier life is dropped. */
  life: number;
}

type Wait =
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'calls'; readonly calls: readonly Call[]; readonly timeoutMs: number };
interface Call {
  readonly voter: Voter;
  readonly run: (now: number) => unknown;
}
type Work = Generator<Wait, void, readonly unknown[]>;

/** Runs one simulation. */
export function runModel(options: ModelOptions): ModelResult {
  return new Model(options).run();
}

class Model {
  readonly #options: ModelOptions;
  readonly #random: () => number;
  readonly #queue = new EventQueue();
  readonly #voters: Voter[];
  readonly #rules: LeaseRules;
  readonly #leases = new Map<Process, Lease>();
  readonly #violations: string[] = [];
  #now = 0;
  #granted = 0;
  #promotions = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
    this.#random = mulberry32(options.seed);
    const count = options.data + options.witnesses;
    this.#rules = { voters: count, leaseMs: LEASE_MS, handoverMs: HANDOVER_MS };
    this.#voters = Array.from({ length: count }, (_, index) => ({
      id: `v${index}`,
      data: index < options.data,
      vote: 'v0',
      downUntil: 0,
      frozenUntil: 0,
      sessions: new Set(),
      change: undefined,
      promote: undefined,
    }));
  }

  run(): ModelResult {
    const { clients, managers, horizonMs } = this.#options;
    for (let n = 0; n < clients; n += 1) this.#spawn(`client${n}`, (process) => this.#client(process), false);
    for (let n = 0; n < managers; n += 1) this.#spawn(`manager${n}`, () => this.#manager(), true);
    for (const voter of this.#voters) this.#troubleVoter(voter);
    for (
      let event = this.#queue.next();
      event !== undefined && event.at <= horizonMs;
      event = this.#queue.next()
    ) {
      this.#now = event.at;
      event.run();
    }
    return { violations: this.#violations, leases: this.#granted, promotions: this.#promotions };
  }

  /** A process that runs `work` again and again, is paused, and, when it is `mortal`, killed. */
  #spawn(name: string, work: (process: Process) => Work, mortal: boolean): void {
    const process: Process = { name, pausedUntil: 0, life: 0 };
    const live = (): void => this.#step(process, process.life, work(process), []);
    this.#after(this.#random() * 500, live);
    const trouble = (): void => {
      if (mortal && this.#random() < 0.3) {
        process.life += 1;
        this.#after(this.#random() * 3_000, live);
      } else {
        // Mostly short stalls; some longer than every limit of the protocol.
        const length = this.#random() < 0.7 ? 600 * this.#random() : 20_000 * this.#random() ** 2;
        process.pausedUntil = this.#now + length;
      }
      this.#after(1_000 + this.#random() * 12_000, trouble);
    };
    this.#after(this.#random() * 8_000, trouble);
  }

  #troubleVoter(voter: Voter): void {
    const trouble = (): void => {
      if (this.#random() < 0.5) {
        voter.downUntil = this.#now + this.#random() * 1_500;
        voter.sessions = new Set();
        voter.change = undefined;
        voter.promote = undefined;
      } else voter.frozenUntil = this.#now + this.#random() * 4_000;
      this.#after(3_000 + this.#random() * 15_000, trouble);
    };
    this.#after(this.#random() * 15_000, trouble);
  }

  #step(process: Process, life: number, work: Work, answers: readonly unknown[]): void {
    if (process.life !== life) return;
    if (this.#now < process.pausedUntil) {
      this.#at(process.pausedUntil, () => this.#step(process, life, work, answers));
      return;
    }
    const { done, value } = work.next(answers);
    if (done === true) return;
    if (value.kind === 'sleep') {
      this.#after(value.ms, () => this.#step(process, life, work, []));
      return;
    }
    const results: unknown[] = value.calls.map(() => undefined);
    let open = value.calls.length;
    let over = false;
    const resume = (): void => {
      if (over) return;
      over = true;
      this.#step(process, life, work, results);
    };
    value.calls.forEach((call, index) => {
      this.#send(call, (result) => {
        results[index] = result;
        open -= 1;
        if (open === 0) resume();
      });
    });
    this.#after(value.timeoutMs, resume);
  }

  /** A question and its answer over a network that loses one message in twenty. */
  #send(call: Call, answered: (result: unknown) => void): void {
    if (this.#random() < 0.05) return;
    this.#after(this.#delay(), () => {
      const arrive = (): void => {
        const { voter } = call;
        if (this.#now < voter.downUntil) return;
        if (this.#now < voter.frozenUntil) {
          // What waits in the sockets is answered when the server goes on, in any order.
          this.#at(voter.frozenUntil + this.#random() * 5, arrive);
          return;
        }
        const result = call.run(this.#now);
        if (this.#random() < 0.05) return;
        this.#after(this.#delay(), () => answered(result));
      };
      arrive();
    });
  }

  *#client(process: Process): Work {
    const readings = new Map<string, VoterReading>();
    for (;;) {
      const sentAt = this.#now;
      const answers = yield {
        kind: 'calls',
        timeoutMs: CALL_TIMEOUT_MS,
        calls: this.#voters.map((voter) => ({ voter, run: (now: number) => this.#read(voter, now) })),
      };
      for (const answer of answers) {
        if (answer === undefined) continue;
        const reading = answer as VoterReading;
        const from = this.#leavesOut('lease-from-sending') ? this.#now : sentAt;
        readings.set(reading.voter, { ...reading, sentAt: from });
      }
      const recent = [...readings.values()].filter(({ sentAt: at }) => this.#now < at + LEASE_MS);
      const rules = this.#leavesOut('majority-of-all')
        ? { ...this.#rules, voters: recent.length }
        : this.#rules;
      const lease = leaseOf(readings.values(), rules);
      if (lease !== undefined && lease.until > this.#now) this.#grant(process, lease);
      const calm = lease !== undefined && recent.every(({ lock }) => lock === 'free');
      yield { kind: 'sleep', ms: (calm ? LEASE_MS : HANDOVER_MS) * (0.2 + 0.1 * this.#random()) };
    }
  }

  #read(voter: Voter, now: number): VoterReading {
    this.#expire(voter, now);
    let lock: VoterReading['lock'] = 'free';
    if (voter.change !== undefined && !this.#leavesOut('change-lock-shortens-leases')) lock = 'change';
    if (voter.promote !== undefined && !this.#leavesOut('promote-lock-stops-leases')) lock = 'promote';
    return { voter: voter.id, sentAt: 0, vote: voter.vote, lock };
  }

  #grant(process: Process, lease: Lease): void {
    this.#granted += 1;
    for (const [other, held] of this.#leases) {
      if (held.primary !== lease.primary && held.until > this.#now) {
        this.#violations.push(
          `${process.name} may write to ${lease.primary} at ${this.#now}, ${other.name} to ${held.primary} until ${held.until}`,
        );
      }
    }
    const mine = this.#leases.get(process);
    const until = mine?.primary === lease.primary ? Math.max(mine.until, lease.until) : lease.until;
    this.#leases.set(process, { primary: lease.primary, until });
  }

  *#manager(): Work {
    for (;;) {
      yield { kind: 'sleep', ms: this.#random() * 2_500 };
      const candidates = this.#voters.filter(({ data }) => data);
      const candidate = candidates[Math.floor(this.#random() * candidates.length)];
      if (candidate !== undefined) yield* this.#change(candidate, this.#random() < 0.5);
    }
  }

  /** One attempt to make `candidate` the primary, with a handover or, as when the primary is dead, without. */
  *#change(candidate: Voter, handover: boolean): Work {
    const attempt = new Attempt();
    const asked = this.#now;
    const taken = yield* this.#ask(this.#voters, (voter, now) => this.#lock(attempt, voter, now, !handover));
    for (const [voter, ok] of taken) {
      if (ok !== true) continue;
      attempt.held.set(voter, {
        voter: voter.id,
        changeSince: this.#now,
        promoteSince: handover ? undefined : this.#now,
        aliveUntil: asked + WAIT_TIMEOUT_MS,
      });
    }
    const rules = this.#leavesOut('majority-of-all') ? { ...this.#rules, voters: taken.size } : this.#rules;
    if (handover) {
      const until = this.#now + (this.#leavesOut('wait-after-change-lock') ? 0 : LEASE_MS);
      yield* this.#keep(attempt, () => until);
      const promised = yield* this.#ask([...attempt.held.keys()], (voter, now) =>
        this.#raise(attempt, voter, now),
      );
      for (const [voter, held] of attempt.held) {
        if (promised.get(voter) === true) attempt.held.set(voter, { ...held, promoteSince: this.#now });
        else attempt.held.delete(voter);
      }
      // Without the wait the rest of the protocol must not make up for it.
      if (this.#leavesOut('wait-after-change-lock')) attempt.forgetChange();
    }
    if (this.#leavesOut('wait-after-promote-lock')) attempt.forgetPromote();
    const waits = !this.#leavesOut('wait-for-leases');
    const from = (): number => (waits ? votesMayChangeFrom([...attempt.held.values()], rules) : this.#now);
    if (attempt.held.has(candidate)) {
      yield* this.#keep(attempt, from);
      // The candidate first: its session then certainly ends before the others.
      yield* this.#renew(attempt, [candidate]);
      yield* this.#renew(
        attempt,
        [...attempt.held.keys()].filter((voter) => voter !== candidate),
      );
      const held = [...attempt.held.values()];
      const may = waits
        ? mayPromote(held, candidate.id, rules, this.#now)
        : attempt.held.has(candidate) && majorityHeldUntil(held, rules) > this.#now;
      if (may) yield* this.#promote(attempt, candidate);
    }
    yield* this.#ask(this.#voters, (voter) => {
      for (const session of [...voter.sessions]) if (session.owner === attempt) this.#end(voter, session);
    });
  }

  *#promote(attempt: Attempt, candidate: Voter): Work {
    const promoted = yield* this.#ask([candidate], (voter, now) =>
      this.#setVote(attempt, voter, candidate.id, now),
    );
    if (promoted.get(candidate) !== true) return;
    this.#promotions += 1;
    const others = this.#voters.filter((voter) => voter !== candidate);
    if (this.#leavesOut('vote-is-local')) {
      for (const voter of others) {
        this.#after(this.#random() * 10_000, () => {
          voter.vote = candidate.id;
        });
      }
      return;
    }
    const held = others.filter(
      (voter) => attempt.held.has(voter) || this.#leavesOut('change-on-lock-session'),
    );
    yield* this.#ask(held, (voter, now) => this.#setVote(attempt, voter, candidate.id, now));
  }

  /** Renews until `until()`, which may move. */
  *#keep(attempt: Attempt, until: () => number): Work {
    while (this.#now < until() && attempt.held.size > 0) {
      yield { kind: 'sleep', ms: Math.min(until() - this.#now, WAIT_TIMEOUT_MS / 4) };
      yield* this.#renew(attempt, [...attempt.held.keys()]);
    }
  }

  *#renew(attempt: Attempt, voters: readonly Voter[]): Work {
    const asked = this.#now;
    const alive = yield* this.#ask(voters, (voter, now) => {
      const session = this.#sessionOf(attempt, voter, now);
      return session !== undefined && voter.change === session;
    });
    for (const voter of voters) {
      const held = attempt.held.get(voter);
      if (held === undefined) continue;
      if (alive.get(voter) === true)
        attempt.held.set(voter, { ...held, aliveUntil: asked + WAIT_TIMEOUT_MS });
      else attempt.held.delete(voter);
    }
  }

  *#ask(
    voters: readonly Voter[],
    run: (voter: Voter, now: number) => unknown,
  ): Generator<Wait, Map<Voter, unknown>, readonly unknown[]> {
    if (voters.length === 0) return new Map();
    const calls = voters.map((voter) => ({ voter, run: (now: number) => run(voter, now) }));
    const answers = yield { kind: 'calls', calls, timeoutMs: CALL_TIMEOUT_MS };
    return new Map(
      voters.flatMap((voter, index) => (answers[index] === undefined ? [] : [[voter, answers[index]]])),
    );
  }

  #lock(attempt: Attempt, voter: Voter, now: number, promote: boolean): boolean {
    this.#expire(voter, now);
    if (voter.change !== undefined || (promote && voter.promote !== undefined)) return false;
    const session: Session = { owner: attempt, lastActivity: now };
    voter.sessions.add(session);
    voter.change = session;
    if (promote) voter.promote = session;
    return true;
  }

  #raise(attempt: Attempt, voter: Voter, now: number): boolean {
    const session = this.#sessionOf(attempt, voter, now);
    if (session === undefined || voter.change !== session || voter.promote !== undefined) return false;
    voter.promote = session;
    return true;
  }

  #setVote(attempt: Attempt, voter: Voter, vote: string, now: number): boolean {
    if (!this.#leavesOut('change-on-lock-session')) {
      const session = this.#sessionOf(attempt, voter, now);
      if (session === undefined || voter.promote !== session) return false;
    }
    voter.vote = vote;
    return true;
  }

  #sessionOf(attempt: Attempt, voter: Voter, now: number): Session | undefined {
    this.#expire(voter, now);
    const session = [...voter.sessions].find(({ owner }) => owner === attempt);
    if (session !== undefined) session.lastActivity = now;
    return session;
  }

  #expire(voter: Voter, now: number): void {
    for (const session of [...voter.sessions]) {
      if (now - session.lastActivity > WAIT_TIMEOUT_MS) this.#end(voter, session);
    }
  }

  #end(voter: Voter, session: Session): void {
    voter.sessions.delete(session);
    if (voter.change === session) voter.change = undefined;
    if (voter.promote === session) voter.promote = undefined;
  }

  #leavesOut(rule: LeftOut): boolean {
    return this.#options.leftOut === rule;
  }

  #delay(): number {
    const random = this.#random();
    return random < 0.9 ? 1 + 20 * random : 300 * this.#random() ** 2;
  }

  #after(ms: number, run: () => void): void {
    this.#queue.add(this.#now + ms, run);
  }

  #at(time: number, run: () => void): void {
    this.#queue.add(Math.max(time, this.#now), run);
  }
}

class Attempt {
  readonly held = new Map<Voter, HeldVoter>();

  forgetChange(): void {
    for (const [voter, held] of this.held)
      this.held.set(voter, { ...held, changeSince: Number.NEGATIVE_INFINITY });
  }

  forgetPromote(): void {
    for (const [voter, held] of this.held) {
      if (held.promoteSince === undefined) continue;
      this.held.set(voter, { ...held, promoteSince: Number.NEGATIVE_INFINITY });
    }
  }
}
