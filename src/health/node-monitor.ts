/** The loop that looks at one node: one probe at a time, an interval with jitter, and a look at once when somebody asks. */

import { firedLate } from '../breaker/timer-lateness.js';
import { type Clock, systemClock } from '../common/clock.js';
import { outsideRequests } from '../common/outside-requests.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { NodeSeed, Observation, ServerFacts } from '../topology/node-description.js';
import type { HealthProbe } from './health-probe.js';
import { probeFailureOf } from './probe-failure.js';

/** Options of a {@link NodeMonitor}. */
export interface NodeMonitorOptions {
  /** The node. */
  readonly seed: NodeSeed;
  /** Looks at it; closed with the monitor. */
  readonly probe: HealthProbe;
  /** Longest time from the start of one probe to the start of the next, milliseconds. The monitor takes 80 to 100 % of it. */
  readonly intervalMs: number;
  /** A probe that takes longer has failed, milliseconds. */
  readonly timeoutMs: number;
  /** Told about every outcome; must not throw. */
  readonly onObservation: (observation: Observation) => void;
  /** Source of time. */
  readonly clock?: Clock | undefined;
  /** Uniform in [0, 1), for the jitter. */
  readonly random?: (() => number) | undefined;
}

/** Probes asked for at once are at least this far apart, milliseconds, however many ask. */
const MIN_SPACING_MS = 50;

/** So many probes in a row that were spoilt by a stall of this process are not held against the node. */
const MAX_STALLS = 3;

type Outcome = { readonly facts: ServerFacts } | { readonly error: Error } | 'stalled';

/** Looks at one node until it is closed. */
export class NodeMonitor {
  /** The node that is looked at. */
  readonly node: NodeSeed;
  readonly #options: NodeMonitorOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #asked: Promise<void> | undefined;
  #abort: AbortController | undefined;
  #lastStart = Number.NEGATIVE_INFINITY;
  #hurriedUntil = Number.NEGATIVE_INFINITY;
  #isActive = true;
  #state: 'idle' | 'started' | 'closed' = 'idle';

  /** Makes a monitor that does nothing until it is started or asked. */
  constructor(options: NodeMonitorOptions) {
    this.#options = options;
    this.node = options.seed;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  /** Begins with a first probe at once. */
  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'started';
    void this.checkNow();
  }

  /**
   * Looks at the node now. Resolves when a probe that began after this call was reported; never rejects. All callers that come
   * before that probe begins share it.
   */
  checkNow(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    // Who asks may be a request: the timers of the looks that follow, and what is told of them, are not its own.
    this.#asked ??= outsideRequests(() => this.#whenFree());
    return this.#asked;
  }

  /** Connects anew, and looks at once: the node's name has come to stand for another server. */
  reconnect(): void {
    this.#options.probe.reconnect?.();
    void this.checkNow();
  }

  /** Probes every 100 to 250 ms until the monotonic time `until`; an earlier time ends a hurry. */
  hurryUntil(until: number): void {
    this.#hurriedUntil = until;
    if (this.#state === 'started' && this.#running === undefined && this.#asked === undefined)
      this.#schedule();
  }

  /** Whether it looks by itself; when not, only when somebody asks, or in a hurry. */
  set active(active: boolean) {
    if (active === this.#isActive) return;
    this.#isActive = active;
    if (this.#state === 'started' && this.#running === undefined && this.#asked === undefined)
      this.#schedule();
  }

  /** Stops for good: no observation is reported after this. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#options.probe.close();
  }

  async #whenFree(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    const spacing = this.#lastStart + MIN_SPACING_MS - this.#clock.now();
    if (spacing > 0) await new Promise<void>((resolve) => setTimeout(resolve, spacing).unref());
    this.#asked = undefined;
    this.#running = this.#look();
    await this.#running;
  }

  async #look(): Promise<void> {
    let outcome: Outcome = 'stalled';
    let startedAt = 0;
    for (let stalls = 0; outcome === 'stalled' && this.#state !== 'closed'; stalls += 1) {
      startedAt = this.#clock.now();
      this.#lastStart = startedAt;
      outcome = await this.#attempt(this.#options.timeoutMs, stalls < MAX_STALLS);
      // A connection that broke while it was idle says nothing: ask again on a fresh one, within the same time.
      if (outcome !== 'stalled' && 'error' in outcome && isWorthASecondLook(outcome.error)) {
        const left = startedAt + this.#options.timeoutMs - this.#clock.now();
        if (left > 0) outcome = await this.#attempt(left, stalls < MAX_STALLS);
      }
    }
    this.#running = undefined;
    if (this.#state === 'closed' || outcome === 'stalled') return;
    const at = this.#clock.now();
    const node = this.node.id;
    this.#options.onObservation(
      'facts' in outcome
        ? { node, at: startedAt, ok: true, latencyMs: at - startedAt, facts: outcome.facts }
        : { node, at, ok: false, failure: probeFailureOf(outcome.error), error: outcome.error },
    );
    if (this.#state === 'started' && this.#asked === undefined) this.#schedule();
  }

  /** One probe with its deadline; settles in any case. */
  #attempt(timeoutMs: number, forgiveStalls: boolean): Promise<Outcome> {
    const abort = new AbortController();
    this.#abort = abort;
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (outcome: Outcome): void => {
        clearTimeout(timer);
        resolve(outcome);
      };
      const dueAt = this.#clock.now() + timeoutMs;
      const expire = (): void => {
        settle({
          error: new StormlampError(
            ErrorCode.TIMEOUT,
            `${this.node.id} did not answer a health probe within ${Math.round(timeoutMs)} ms`,
            { node: this.node.id },
          ),
        });
        abort.abort();
      };
      const onDue = (): void => {
        if (!forgiveStalls || !firedLate(dueAt, this.#clock.now(), timeoutMs)) {
          expire();
          return;
        }
        // The answer may be waiting in the socket: timers run before it is read.
        timer = setTimeout(() => abort.abort(), 50);
        timer.unref();
      };
      timer = setTimeout(onDue, timeoutMs);
      timer.unref();
      abort.signal.addEventListener('abort', () => settle('stalled'), { once: true });
      startProbe(this.#options.probe, timeoutMs, abort.signal).then(
        (facts) => settle({ facts }),
        (error: unknown) => settle({ error: error instanceof Error ? error : new Error(String(error)) }),
      );
    });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const hurried = this.#clock.now() < this.#hurriedUntil;
    if (!this.#isActive && !hurried) return;
    const wait = hurried
      ? 100 + 150 * this.#random()
      : this.#options.intervalMs * (0.8 + 0.2 * this.#random());
    const due = Math.max(0, this.#lastStart + wait - this.#clock.now());
    this.#timer = setTimeout(() => void this.checkNow(), due);
    this.#timer.unref();
  }
}

/** A probe that throws instead of rejecting is as good as one that rejects. */
async function startProbe(probe: HealthProbe, timeoutMs: number, signal: AbortSignal): Promise<ServerFacts> {
  return await probe.probe({ timeoutMs, signal });
}

function isWorthASecondLook(error: Error): boolean {
  const failure = probeFailureOf(error);
  return failure === 'reset' || failure === 'server-shutdown' || failure === 'other';
}
