/**
 * The breaker of one node and one class of call. opossum is the closed gate with its rolling error window and nothing else:
 * when to close again, isolation, failures in a row and deadlines are decided here. Nothing of opossum is visible outside.
 */
import CircuitBreaker from 'opossum';
import { type Clock, systemClock } from '../common/clock.js';
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { publish } from '../diagnostics/channels.js';
import { type BreakerPolicy, type NodeBreakerOptions, readBreakerPolicy } from './breaker-options.js';
import { type BreakerPhase, initialPhase, opened, probeFailed, probeSucceeded } from './breaker-phase.js';
import { joinPulse, PULSE_MS, rotation } from './breaker-pulse.js';
import type {
  BreakerChange,
  BreakerState,
  BreakerTicket,
  NodeBreaker,
  OperationClass,
} from './node-breaker.js';
import { type CallSink, PendingCall, PendingCalls } from './pending-calls.js';

/**
 * Makes the breaker of one node for one class of call, on opossum.
 *
 * It opens after `consecutiveFailures` faults in a row, above the error rate, after as many failed probes in a row, or when
 * told to. While it is open no user's call goes through: probes, told by `probed()`, close it.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function createNodeBreaker(options: NodeBreakerOptions): NodeBreaker {
  return new OpossumBreaker(options);
}

/** What the calls between an opening (or the start) and the next opening share; results of an earlier one are not counted. */
class Generation implements CallSink {
  readonly pending = new PendingCalls();
  #gate: CircuitBreaker<[unknown], never> | undefined;
  #inARow = 0;
  /** Calls that went well and that opossum has not been told of. */
  #untold = 0;
  readonly #owner: OpossumBreaker;

  constructor(owner: OpossumBreaker, name: string, group: string, policy: BreakerPolicy) {
    this.#owner = owner;
    const buckets = Math.ceil(policy.windowMs / PULSE_MS);
    // opossum keeps and changes the object it is given: never share it.
    this.#gate = new CircuitBreaker<[unknown], never>(failureOf, {
      name,
      group,
      // A timer of opossum's per call would keep the process alive and count stalls of this process as faults of the node.
      timeout: false,
      // The longest that a timer can wait: opossum shall never become half-open by itself.
      resetTimeout: 2_147_483_647,
      rollingCountTimeout: buckets * PULSE_MS,
      rollingCountBuckets: buckets,
      volumeThreshold: policy.volumeThreshold,
      errorThresholdPercentage: policy.errorThresholdPercentage,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: rotation,
    });
    this.#gate.on('open', () => this.#owner.tripped(this, 'too many of the recent calls failed'));
  }

  admit(now: number): BreakerTicket {
    const call = new PendingCall(this, now);
    this.pending.add(call);
    return call;
  }

  succeeded(call: PendingCall): void {
    this.pending.remove(call);
    this.#inARow = 0;
    this.#untold += 1;
  }

  failed(call: PendingCall, error: unknown): void {
    // A caller who gave up tells nothing about the node, neither good nor bad.
    if (isStormlampError(error, ErrorCode.ABORTED)) this.pending.remove(call);
    else if (this.#owner.isFault(error)) this.expired(call, error);
    else this.succeeded(call);
  }

  expired(call: PendingCall, error: unknown): void {
    this.pending.remove(call);
    this.#inARow += 1;
    this.#tellSuccesses();
    this.#gate?.fire(error).catch(ignore);
    const limit = this.#owner.policy.consecutiveFailures;
    if (this.#inARow >= limit) {
      this.#owner.tripped(this, `${this.#inARow} calls in a row failed, the last with: ${briefly(error)}`);
    }
  }

  /** Settles calls that nobody settled in time. */
  expire(before: number, error: Error): void {
    for (let call = this.pending.oldest; call !== undefined && call.startedAt <= before; ) {
      const expired = call;
      call = expired.next;
      expired.expire(error);
    }
  }

  /** Before the window of opossum moves on. opossum stores a latency per failure whether asked or not; nobody reads them. */
  moveOn(): void {
    this.#tellSuccesses();
    for (const bucket of this.#gate?.status.window ?? []) bucket.latencyTimes.length = 0;
  }

  end(): void {
    const gate = this.#gate;
    this.#gate = undefined;
    gate?.shutdown();
  }

  // Nothing asks for the rate but a failure: until then a call that went well is one more of its kind, which costs next to nothing,
  // where running it through opossum costs more than all else that a call of memcached does here.
  #tellSuccesses(): void {
    const bucket = this.#gate?.status.window[0];
    if (bucket === undefined) return;
    bucket.fires += this.#untold;
    bucket.successes += this.#untold;
    this.#untold = 0;
  }
}

class OpossumBreaker implements NodeBreaker {
  readonly node: NodeId;
  readonly operation: OperationClass;
  readonly policy: BreakerPolicy;
  readonly #options: NodeBreakerOptions;
  readonly #clock: Clock;
  readonly #leavePulse: () => void;
  readonly #isolations = new Map<symbol, { readonly since: number; readonly reason: string }>();
  #phase: BreakerPhase = initialPhase;
  #generation: Generation;
  #probesFailedInARow = 0;
  #returnedAt = Number.NEGATIVE_INFINITY;
  #ended = false;

  constructor(options: NodeBreakerOptions) {
    this.policy = readBreakerPolicy(options);
    this.#options = options;
    this.node = options.node;
    this.operation = options.operation;
    this.#clock = options.clock ?? systemClock;
    this.#generation = this.#nextGeneration();
    this.#leavePulse = joinPulse({ beat: (stalled) => this.#beat(stalled) });
  }

  get state(): BreakerState {
    const isolation = this.#isolations.values().next().value;
    if (isolation !== undefined) return { phase: 'isolated', ...isolation };
    const phase = this.#phase;
    if (phase.phase === 'closed') return CLOSED;
    const { since } = phase;
    return phase.phase === 'open'
      ? { phase: 'open', since, reason: phase.reason, nextProbeAt: phase.nextProbeAt }
      : { phase: 'half-open', since, successes: phase.successes };
  }

  get allows(): boolean {
    return this.#ended || (this.#phase.phase === 'closed' && this.#isolations.size === 0);
  }

  get returnedAt(): number {
    return this.#returnedAt;
  }

  admit(): BreakerTicket {
    if (this.#ended) return UNCOUNTED;
    if (!this.allows) throw this.#refusal();
    return this.#generation.admit(this.#clock.now());
  }

  probed(outcome: { readonly ok: true } | { readonly ok: false; readonly error: unknown }): void {
    if (this.#ended) return;
    const now = this.#clock.now();
    if (outcome.ok || !this.isFault(outcome.error)) {
      this.#probesFailedInARow = 0;
      this.#become(probeSucceeded(this.#phase, now, this.policy));
      return;
    }
    this.#probesFailedInARow += 1;
    if (this.#phase.phase !== 'closed') this.#become(probeFailed(this.#phase, now, this.policy));
    else if (this.#probesFailedInARow >= this.policy.consecutiveFailures) {
      const reason = `${this.#probesFailedInARow} probes in a row failed, the last with: ${briefly(outcome.error)}`;
      this.tripped(this.#generation, reason);
    }
  }

  open(reason: string): void {
    if (!this.#ended) this.#become(opened(this.#phase, this.#clock.now(), reason, this.policy));
  }

  isolate(reason: string): () => void {
    const key = Symbol(reason);
    this.#changing(() => this.#isolations.set(key, { since: this.#clock.now(), reason }));
    return () => this.#changing(() => this.#isolations.delete(key));
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leavePulse();
    this.#generation.end();
  }

  /** Whether `error` speaks against the node; a classifier that throws cannot vouch for it. */
  isFault(error: unknown): boolean {
    try {
      return this.#options.isNodeFault(error);
    } catch {
      return true;
    }
  }

  /** The traffic of `generation`, or the probes, ask to open. */
  tripped(generation: Generation, reason: string): void {
    if (this.#ended || generation !== this.#generation || this.#phase.phase !== 'closed') return;
    if (this.#mayOpen()) this.#become(opened(this.#phase, this.#clock.now(), reason, this.policy));
    else this.#generation = this.#nextGeneration();
  }

  #mayOpen(): boolean {
    try {
      return this.#options.canOpen?.() ?? true;
    } catch {
      return true;
    }
  }

  #become(after: BreakerPhase): void {
    if (after === this.#phase) return;
    this.#changing(() => {
      if (this.#phase.phase === 'closed') this.#generation = this.#nextGeneration();
      if (after.phase === 'closed') this.#probesFailedInARow = 0;
      this.#phase = after;
    });
  }

  #changing(change: () => void): void {
    const before = this.state;
    change();
    const after = this.state;
    if (before.phase === after.phase) return;
    if (after.phase === 'closed') this.#returnedAt = this.#clock.now();
    const event: BreakerChange = { node: this.node, operation: this.operation, before, after };
    publish('breaker', () => event);
    try {
      this.#options.onChange?.(event);
    } catch (error) {
      process.emitWarning(`A listener of breaker ${this.node} failed: ${describeError(error)}`, {
        type: 'StormlampListenerWarning',
      });
    }
  }

  #nextGeneration(): Generation {
    const group = this.#options.cluster ?? 'stormlamp';
    // The results of the calls that are still under way speak of the time before.
    (this.#generation as Generation | undefined)?.end();
    return new Generation(this, `${group}/${this.node}/${this.operation}`, group, this.policy);
  }

  #beat(stalled: boolean): void {
    this.#generation.moveOn();
    if (stalled) return;
    const { callTimeoutMs } = this.policy;
    const error = new StormlampError(
      ErrorCode.TIMEOUT,
      `A ${this.operation} call to ${this.node} was not settled within ${callTimeoutMs} ms`,
      { node: this.node },
    );
    this.#generation.expire(this.#clock.now() - callTimeoutMs, error);
  }

  #refusal(): StormlampError {
    const state = this.state;
    const now = this.#clock.now();
    const since = state.phase === 'closed' ? 0 : now - state.since;
    const why =
      state.phase === 'isolated'
        ? `isolated for ${seconds(since)}: ${state.reason}; it takes calls again when it is released`
        : state.phase === 'open'
          ? `open for ${seconds(since)}: ${state.reason}; it closes by itself when ${this.policy.closeAfterSuccesses} probes in a row succeed`
          : `half-open for ${seconds(since)}: it waits for one more good probe`;
    return new StormlampError(
      ErrorCode.BREAKER_OPEN,
      `The breaker for '${this.operation}' calls to ${this.node} is ${why}`,
      { node: this.node },
    );
  }
}

const CLOSED: BreakerState = Object.freeze({ phase: 'closed' });
const UNCOUNTED: BreakerTicket = Object.freeze({ success: ignore, failure: ignore });

function failureOf(error: unknown): Promise<never> {
  return Promise.reject(error);
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}

function briefly(error: unknown): string {
  const text = describeError(error);
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

function ignore(): void {}
