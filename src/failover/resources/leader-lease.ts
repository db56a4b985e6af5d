/** Being in charge: locks on a majority of the database servers, a wait until nobody else can be, and a resource that lives by it. */
import { backoffMs, pause } from '../../common/backoff.js';
import { type Clock, systemClock } from '../../common/clock.js';
import type { NodeId } from '../../common/node-address.js';
import { invalidOption, readNumber, readString, rejectUnknownOptions } from '../../common/option-reader.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import { SelfHealth } from '../../health/self-health.js';
import type { MysqlNodeInput } from '../../mysql/mysql-options.js';
import type { LockTarget } from '../locks/lock-session.js';
import { MajorityLock } from '../locks/majority-lock.js';
import { type MissingVoter, NoMajorityError } from '../locks/no-majority.js';
import { LOCK_NAME_LIMIT, lockName } from '../protocol/lock-name.js';
import { majorityOf } from '../protocol/majority.js';
import { type LeaseDecision, leaseDecision, lockSeconds } from './lease-decision.js';
import { checkVoters, targetOf } from './lease-voters.js';
import type { LeaseContext, LeasedResource } from './leased-resource.js';

/** Options of {@link startLeaderLease}. */
export interface LeaderLeaseOptions {
  /**
   * What is leased; processes that use the same name and voters compete. Letters, digits, `.`, `_` and `-`; at most 32, and with
   * the cluster's name 53.
   */
  readonly name: string;
  /** Name of the cluster: letters, digits, `.`, `_` and `-`, at most 32. Default `stormlamp`. */
  readonly cluster?: string | undefined;
  /** ALL voters: MariaDB or MySQL servers, three at least. Any account that may log in will do. */
  readonly voters: readonly MysqlNodeInput[];
  /** What lives by the lease. */
  readonly resource: LeasedResource;
  /** How long after its last renewal a lease may still be in force, milliseconds. Default 5000, at least 2000. */
  readonly leaseMs?: number | undefined;
}

/** Where a lease is. */
export type LeasePhase =
  /** Somebody else is in charge, or there is no majority. */
  | 'waiting'
  /** The locks are held; whoever held them before may still be in charge for a moment. */
  | 'settling'
  /** This process is in charge. */
  | 'leading'
  /** It lets go. */
  | 'leaving'
  /** It takes part no more. */
  | 'closed';

/** The events of a {@link LeaderLease}. */
export interface LeaderLeaseEvents {
  /** The phase changed. */
  'phase-changed': {
    readonly name: string;
    readonly before: LeasePhase;
    readonly after: LeasePhase;
    readonly because: string;
  };
  /** The resource failed to take charge, to renew, or to let go. */
  'resource-failed': {
    readonly name: string;
    readonly during: 'acquired' | 'renewed' | 'lost';
    readonly error: Error;
  };
  /**
   * Other voters than before cannot be asked for their lock, or for other reasons; none any more when `missing` is empty. One that
   * somebody else has is not among them. Told while this process waits, too; without `isMajority` nobody can take charge.
   */
  'voters-missing': {
    readonly name: string;
    readonly missing: readonly { readonly voter: NodeId; readonly why: string }[];
    /** Whether the others are a majority. */
    readonly isMajority: boolean;
  };
  /** The resource let go so late that another process may have been in charge already: look whether it is held twice. */
  'lease-overrun': { readonly name: string; readonly lateMs: number };
}

/** The defaults of {@link LeaderLeaseOptions}. */
export const leaderLeaseDefaults: Readonly<{ cluster: string; leaseMs: number }> = Object.freeze({
  cluster: 'stormlamp',
  leaseMs: 5_000,
});

/** How many times per lease it is looked at. */
const LOOKS = 20;
const NAME = /^[\w.-]{1,32}$/;

/**
 * Takes part in the race for a lease until it is closed. Resolves when the resource's check has passed; being in charge is told
 * by events and to the resource. Voters that answer within two seconds are looked at: each has to be one server, and another one
 * than the others.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, `ERR_ACCESS_DENIED` when so many voters refuse the account that the others are no
 * majority, or what the resource's check throws.
 */
export async function startLeaderLease(options: LeaderLeaseOptions): Promise<LeaderLease> {
  rejectUnknownOptions('lease', options, ['name', 'cluster', 'voters', 'resource', 'leaseMs']);
  const name = readString('lease.name', options.name, '');
  const cluster = readString('lease.cluster', options.cluster, leaderLeaseDefaults.cluster);
  for (const [option, value] of Object.entries({ name, cluster })) {
    if (NAME.test(value)) continue;
    throw invalidOption(
      `lease.${option}`,
      'at most 32 letters, digits, dots, dashes and underscores',
      value === '' ? undefined : value,
    );
  }
  const tooLong = lockName(cluster, `lease:${name}`).length - LOCK_NAME_LIMIT;
  if (tooLong > 0) {
    throw invalidOption(
      'lease.name',
      `at most ${name.length - tooLong} characters with this \`cluster\` (a server's lock has a name of ${LOCK_NAME_LIMIT})`,
      name,
    );
  }
  const leaseMs = readNumber('lease.leaseMs', options.leaseMs, leaderLeaseDefaults.leaseMs, {
    min: 2_000,
    max: 600_000,
  });
  const { voters, resource } = options;
  if (!Array.isArray(voters) || voters.length < 3) {
    throw invalidOption(
      'lease.voters',
      'at least three servers: with fewer, the death of one leaves no majority',
      Array.isArray(voters) ? `${voters.length} servers` : voters,
    );
  }
  const targets = voters.map((voter: MysqlNodeInput, index) => targetOf(`lease.voters[${index}]`, voter));
  const twice = targets.find(
    ({ voter }, index) => targets.findIndex((each) => each.voter === voter) !== index,
  );
  if (twice !== undefined) throw invalidOption('lease.voters', 'servers that differ', twice.voter);
  await resource.check?.(leaseMs);
  await checkVoters(targets, cluster);
  const lease = new LeaderLease({ name, cluster, targets, resource, leaseMs });
  lease.start();
  return lease;
}

/** A lease in the race. Made by {@link startLeaderLease}. */
export class LeaderLease extends SafeEmitter<LeaderLeaseEvents> implements AsyncDisposable {
  /** What is leased. */
  readonly name: string;
  readonly #lock: string;
  readonly #targets: readonly LockTarget[];
  readonly #resource: LeasedResource;
  readonly #leaseMs: number;
  readonly #clock: Clock = systemClock;
  readonly #self: SelfHealth;
  readonly #stop = new AbortController();
  #phase: LeasePhase = 'waiting';
  #toldMissing = '';
  #running: Promise<void> = Promise.resolve();

  /** @internal */
  constructor(parts: {
    readonly name: string;
    readonly cluster: string;
    readonly targets: readonly LockTarget[];
    readonly resource: LeasedResource;
    readonly leaseMs: number;
  }) {
    super();
    this.name = parts.name;
    this.#lock = lockName(parts.cluster, `lease:${parts.name}`);
    this.#targets = parts.targets;
    this.#resource = parts.resource;
    this.#leaseMs = parts.leaseMs;
    this.#self = new SelfHealth(this.#clock);
  }

  /** Where it is. */
  get phase(): LeasePhase {
    return this.#phase;
  }

  /** @internal */
  start(): void {
    this.#running = this.#race();
  }

  /** Lets go, frees the locks, and takes part no more. Safe to call twice. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#self.close();
    this.#become('closed', 'it is closed');
  }

  /** Same as {@link LeaderLease.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #race(): Promise<void> {
    const { signal } = this.#stop;
    for (let losses = 0; !signal.aborted; ) {
      const lock = this.#self.tilted ? undefined : await this.#take();
      if (lock === undefined) {
        // At random, or two processes take halves of the voters from each other for ever.
        await pause(backoffMs(losses, { firstMs: 200, maxMs: this.#leaseMs / 2 }), signal);
        losses += 1;
        continue;
      }
      losses = 0;
      const wasInCharge = await this.#hold(lock);
      // Who just failed lets the others try first.
      if (!signal.aborted) await pause(wasInCharge ? this.#leaseMs / 2 : 100, signal);
    }
  }

  async #take(): Promise<MajorityLock | undefined> {
    try {
      const lock = await MajorityLock.take({
        targets: this.#targets,
        locks: [this.#lock],
        waitTimeoutS: lockSeconds(this.#leaseMs),
        timeoutMs: Math.min(1_000, this.#leaseMs / 4),
        regainMs: this.#leaseMs,
      });
      return lock;
    } catch (error) {
      // The usual case is that somebody else has them.
      if (error instanceof NoMajorityError) this.#tellMissing(error.missing);
      return undefined;
    }
  }

  #tellMissing(voters: readonly MissingVoter[]): void {
    const missing = voters.flatMap(({ voter, why, isTaken }) => (isTaken ? [] : [{ voter, why }]));
    const told = JSON.stringify(missing.sort((a, b) => (a.voter < b.voter ? -1 : 1)));
    if (told === (this.#toldMissing || '[]')) return;
    this.#toldMissing = told;
    const all = this.#targets.length;
    const isMajority = all - missing.length >= majorityOf(all);
    this.publish('voters-missing', { name: this.name, missing, isMajority });
  }

  /** From the locks to their release; whether this process was in charge. */
  async #hold(lock: MajorityLock): Promise<boolean> {
    const leadAt = this.#clock.now() + this.#leaseMs;
    this.#become('settling', 'a majority of the voters is locked');
    let wasInCharge = false;
    try {
      let decision = this.#decide(lock);
      while (decision.do === 'keep' && this.#clock.now() < leadAt) {
        await this.#tick(leadAt - this.#clock.now());
        decision = this.#decide(lock);
      }
      if (decision.do === 'keep') {
        wasInCharge = true;
        await this.#lead(lock);
      } else this.#become('waiting', decision.because);
    } finally {
      await lock.release();
    }
    this.#become('waiting', 'the locks were freed');
    return wasInCharge;
  }

  async #lead(lock: MajorityLock): Promise<void> {
    this.#become('leading', `${this.#leaseMs} ms have passed since the voters were locked`);
    const abort = new AbortController();
    const context: LeaseContext = {
      name: this.name,
      until: () => lock.heldUntil,
      signal: abort.signal,
      report: (error) => void this.#report('acquired', error),
    };
    let failed: string | undefined;
    const call = async (during: 'acquired' | 'renewed'): Promise<void> => {
      try {
        await this.#resource[during]?.(context);
      } catch (error) {
        failed ??= `it failed to ${during === 'acquired' ? 'take charge' : 'renew'}: ${this.#report(during, error)}`;
      }
    };
    let heldUntil = lock.heldUntil;
    let working: Promise<void> | undefined;
    const work = (during: 'acquired' | 'renewed'): void => {
      working = call(during).finally(() => {
        working = undefined;
      });
    };
    work('acquired');
    let decision = this.#decide(lock);
    let deadline = lock.heldUntil;
    while (decision.do === 'keep' && failed === undefined) {
      deadline = lock.heldUntil;
      if (working === undefined && deadline > heldUntil) {
        heldUntil = deadline;
        work('renewed');
      }
      await this.#tick(this.#leaseMs / LOOKS);
      decision = this.#decide(lock);
    }
    const because = failed ?? (decision.do === 'leave' ? decision.because : '');
    this.#become('leaving', because);
    abort.abort();
    const end = Math.max(deadline, lock.heldUntil);
    // Who does not listen to the signal is not waited for: letting go needs its time.
    await Promise.race([working, pause((end - this.#clock.now()) / 2)]);
    await this.#letGo(because, end);
  }

  async #letGo(because: string, deadline: number): Promise<void> {
    let told = false;
    const overrun = (): void => {
      const lateMs = this.#clock.now() - deadline;
      if (told || lateMs <= 0) return;
      told = true;
      this.publish('lease-overrun', { name: this.name, lateMs });
    };
    const timer = setTimeout(overrun, Math.max(1, deadline - this.#clock.now() + 1));
    try {
      // However long it takes: locks that are still held are not freed before it has let go.
      await this.#resource.lost({ name: this.name, because, deadline });
    } catch (error) {
      this.#report('lost', error);
    }
    clearTimeout(timer);
    overrun();
  }

  #decide(lock: MajorityLock): LeaseDecision {
    const decision = leaseDecision({
      now: this.#clock.now(),
      heldUntil: lock.heldUntil,
      reserveMs: lockSeconds(this.#leaseMs) * 500,
      tilted: this.#self.tilted,
      closing: this.#stop.signal.aborted,
    });
    // A majority that is lost gives up the others as well, and those can be asked.
    if (decision.do === 'keep') this.#tellMissing(lock.missing);
    return decision;
  }

  #tick(ms: number): Promise<void> {
    return pause(Math.max(1, Math.min(ms, this.#leaseMs / LOOKS)), this.#stop.signal);
  }

  #report(during: 'acquired' | 'renewed' | 'lost', thrown: unknown): string {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.publish('resource-failed', { name: this.name, during, error });
    return error.message;
  }

  #become(after: LeasePhase, because: string): void {
    const before = this.#phase;
    if (before === after) return;
    this.#phase = after;
    this.publish('phase-changed', { name: this.name, before, after, because });
  }
}
