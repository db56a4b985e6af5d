/** Spreads HTTP requests over several servers that do the same, and leaves those out for a while that fail more than the others. */
import { type Clock, systemClock } from '../../common/clock.js';
import { invalidOption, readNumber, rejectUnknownOptions } from '../../common/option-reader.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import {
  afterRequest,
  type EjectionPolicy,
  ejectionDefaults,
  ejectOutliers,
  isEjected,
  newUpstream,
  nextWindow,
  type UpstreamRecord,
} from './outlier-ejection.js';

/** Options of {@link createHttpUpstreams}. */
export interface HttpUpstreamsOptions extends Partial<EjectionPolicy> {
  /** The upstreams, like `http://web1:8080`. */
  readonly urls: readonly string[];
  /** Length of the window in which shares of good answers are compared, milliseconds. Default 10 000. */
  readonly windowMs?: number | undefined;
}

/** One request's upstream; tell how it went, once. */
export interface UpstreamTicket {
  /** Where to send the request. */
  readonly url: string;
  /** The server answered: any status below 500. */
  success(): void;
  /** It answered 5xx, or not at all. */
  failure(): void;
  /** The caller gave the request up: that says nothing about the server. */
  cancel(): void;
}

/** The events of {@link HttpUpstreams}. */
export interface HttpUpstreamsEvents {
  /** An upstream gets no requests for so long, milliseconds. */
  'upstream-ejected': { readonly url: string; readonly forMs: number; readonly ejections: number };
}

/** After its return an upstream takes up its share within this time, milliseconds. */
const RAMP_MS = 10_000;

/**
 * Makes a set of upstreams. It sends nothing itself: it says where to send, and is told how it went.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function createHttpUpstreams(options: HttpUpstreamsOptions): HttpUpstreams {
  rejectUnknownOptions('upstreams', options, ['urls', 'windowMs', ...Object.keys(ejectionDefaults)]);
  const { urls } = options;
  if (!Array.isArray(urls) || urls.length === 0 || new Set(urls).size !== urls.length)
    throw invalidOption('upstreams.urls', 'a list of different URLs', urls);
  for (const url of urls as readonly string[])
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw invalidOption('upstreams.urls', 'a list of http URLs', url);
  const d = ejectionDefaults;
  const count = { min: 1, integer: true };
  const share = { min: 0, max: 1 };
  const time = { min: 1, max: 86_400_000 };
  const policy: EjectionPolicy = {
    consecutiveFailures: readNumber(
      'upstreams.consecutiveFailures',
      options.consecutiveFailures,
      d.consecutiveFailures,
      count,
    ),
    successRateGap: readNumber('upstreams.successRateGap', options.successRateGap, d.successRateGap, share),
    minRequests: readNumber('upstreams.minRequests', options.minRequests, d.minRequests, count),
    baseMs: readNumber('upstreams.baseMs', options.baseMs, d.baseMs, time),
    maxMs: readNumber('upstreams.maxMs', options.maxMs, d.maxMs, time),
    maxEjectedShare: readNumber(
      'upstreams.maxEjectedShare',
      options.maxEjectedShare,
      d.maxEjectedShare,
      share,
    ),
  };
  return new HttpUpstreams(urls, policy, readNumber('upstreams.windowMs', options.windowMs, 10_000, time));
}

/** A set of upstreams. Made by {@link createHttpUpstreams}. */
export class HttpUpstreams extends SafeEmitter<HttpUpstreamsEvents> {
  readonly #policy: EjectionPolicy;
  readonly #windowMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #inFlight = new Map<string, number>();
  #records: readonly UpstreamRecord[];
  #windowEnds: number;

  /** @internal */
  constructor(
    urls: readonly string[],
    policy: EjectionPolicy,
    windowMs: number,
    clock: Clock = systemClock,
    random: () => number = Math.random,
  ) {
    super();
    this.#policy = policy;
    this.#windowMs = windowMs;
    this.#clock = clock;
    this.#random = random;
    this.#records = urls.map(newUpstream);
    this.#windowEnds = clock.now() + windowMs;
  }

  /** The upstreams as they are now. */
  get upstreams(): readonly (UpstreamRecord & { readonly ejected: boolean })[] {
    const now = this.#clock.now();
    return this.#records.map((record) => ({ ...record, ejected: isEjected(record, now) }));
  }

  /** The upstream for a request: of two taken at random, the one with fewer requests under way. `avoid` was tried already. */
  pick(avoid?: ReadonlySet<string>): UpstreamTicket {
    const now = this.#clock.now();
    this.#turn(now);
    const fit = this.#records.filter((record) => !isEjected(record, now));
    const untried = fit.filter(({ url }) => avoid?.has(url) !== true);
    const [first, second] = this.#two(untried.length > 0 ? untried : fit, now);
    const chosen = second !== undefined && this.#load(second, now) < this.#load(first, now) ? second : first;
    return this.#ticket(chosen.url);
  }

  #two(fit: readonly UpstreamRecord[], now: number): readonly [UpstreamRecord, UpstreamRecord?] {
    const first = this.#draw(fit, now);
    const rest = fit.filter((record) => record !== first);
    return rest.length === 0 ? [first] : [first, this.#draw(rest, now)];
  }

  #draw(fit: readonly UpstreamRecord[], now: number): UpstreamRecord {
    let left = this.#random() * fit.reduce((sum, record) => sum + shareOf(record, now), 0);
    for (const record of fit) {
      left -= shareOf(record, now);
      if (left < 0) return record;
    }
    // Ejection always leaves one.
    return fit.at(-1) as UpstreamRecord;
  }

  #load(record: UpstreamRecord, now: number): number {
    return (this.#inFlight.get(record.url) ?? 0) / shareOf(record, now);
  }

  #ticket(url: string): UpstreamTicket {
    this.#inFlight.set(url, (this.#inFlight.get(url) ?? 0) + 1);
    let isOpen = true;
    const settle = (good: boolean | undefined): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#inFlight.set(url, (this.#inFlight.get(url) ?? 1) - 1);
      if (good !== undefined) this.#count(url, good);
    };
    return {
      url,
      success: () => settle(true),
      failure: () => settle(false),
      cancel: () => settle(undefined),
    };
  }

  #count(url: string, good: boolean): void {
    const now = this.#clock.now();
    this.#turn(now);
    // What was sent before an ejection says nothing about the time after it.
    this.#records = this.#records.map((record) =>
      record.url === url && !isEjected(record, now) ? afterRequest(record, good) : record,
    );
    if (good) return;
    const before = this.#records;
    this.#records = ejectOutliers(before, this.#policy, now);
    this.#records.forEach((record, index) => {
      if (record === before[index]) return;
      this.publish('upstream-ejected', {
        url: record.url,
        forMs: record.ejectedUntil - now,
        ejections: record.ejections,
      });
    });
  }

  #turn(now: number): void {
    if (now < this.#windowEnds) return;
    this.#windowEnds = now + this.#windowMs;
    this.#records = nextWindow(this.#records, now);
  }
}

/** A tenth of its share at first, all of it after the ramp. */
function shareOf({ returnedAt }: UpstreamRecord, now: number): number {
  return Math.min(1, Math.max(0.1, (now - returnedAt) / RAMP_MS));
}
