/** Which of several HTTP upstreams get no requests for a while: pure, over the outcomes of the last requests. */

/** The outcomes of one upstream. Times are monotonic milliseconds. */
export interface UpstreamRecord {
  /** Its address. */
  readonly url: string;
  /** Failures in a row up to now. */
  readonly failuresInARow: number;
  /** How often it was ejected, less the times that it did well since. */
  readonly ejections: number;
  /** Until when it gets no requests; `-Infinity` when it gets some. */
  readonly ejectedUntil: number;
  /** When it was ejected last, for ramping up. */
  readonly returnedAt: number;
  /** Outcomes within the present and the last window: `[good, bad]`. */
  readonly window: readonly [good: number, bad: number];
}

/** The numbers to judge by. */
export interface EjectionPolicy {
  /** So many failures in a row eject. Default 5. */
  readonly consecutiveFailures: number;
  /** An upstream whose share of good answers is so much below the average of all is ejected. Default 0.3. */
  readonly successRateGap: number;
  /** The share of good answers is looked at from so many requests on. Default 20. */
  readonly minRequests: number;
  /** How long the first ejection lasts, milliseconds; the next ones last as many times as long. Default 10 000. */
  readonly baseMs: number;
  /** Longest ejection, milliseconds. Default 300 000. */
  readonly maxMs: number;
  /** Never more than this share of all is ejected, and never the last one. Default 0.5. */
  readonly maxEjectedShare: number;
}

/** The defaults of {@link EjectionPolicy}. */
export const ejectionDefaults: EjectionPolicy = Object.freeze({
  consecutiveFailures: 5,
  successRateGap: 0.3,
  minRequests: 20,
  baseMs: 10_000,
  maxMs: 300_000,
  maxEjectedShare: 0.5,
});

/** The record of an upstream that nobody has asked anything. */
export function newUpstream(url: string): UpstreamRecord {
  const never = Number.NEGATIVE_INFINITY;
  return { url, failuresInARow: 0, ejections: 0, ejectedUntil: never, returnedAt: never, window: [0, 0] };
}

/** The record after one more outcome. */
export function afterRequest(before: UpstreamRecord, good: boolean): UpstreamRecord {
  const [goods, bads] = before.window;
  return {
    ...before,
    failuresInARow: good ? 0 : before.failuresInARow + 1,
    window: good ? [goods + 1, bads] : [goods, bads + 1],
  };
}

/** All records after the outliers among them were ejected at `now`. */
export function ejectOutliers(
  records: readonly UpstreamRecord[],
  policy: EjectionPolicy,
  now: number,
): readonly UpstreamRecord[] {
  const rates = records.map(rateOf).filter((rate) => rate.requests >= policy.minRequests);
  const average = rates.reduce((sum, { share }) => sum + share, 0) / Math.max(1, rates.length);
  const isOut = (record: UpstreamRecord): boolean => {
    if (record.failuresInARow >= policy.consecutiveFailures) return true;
    const { requests, share } = rateOf(record);
    return rates.length > 1 && requests >= policy.minRequests && share < average - policy.successRateGap;
  };
  let left = mayEject(records, policy, now);
  return records.map((record) => {
    if (left === 0 || isEjected(record, now) || !isOut(record)) return record;
    left -= 1;
    const lastsMs = Math.min(policy.maxMs, policy.baseMs * (record.ejections + 1));
    return {
      ...newUpstream(record.url),
      ejections: record.ejections + 1,
      ejectedUntil: now + lastsMs,
      returnedAt: now + lastsMs,
    };
  });
}

/** All records as a new window begins: outcomes of the last one count half, and who did well is forgiven one ejection. */
export function nextWindow(records: readonly UpstreamRecord[], now: number): readonly UpstreamRecord[] {
  return records.map((record) => {
    const [good, bad] = record.window;
    const didWell = !isEjected(record, now) && good > 0 && bad === 0;
    return {
      ...record,
      window: [Math.floor(good / 2), Math.floor(bad / 2)],
      ejections: didWell ? Math.max(0, record.ejections - 1) : record.ejections,
    };
  });
}

/** Whether an upstream gets no requests at `now`. */
export function isEjected(record: UpstreamRecord, now: number): boolean {
  return now < record.ejectedUntil;
}

/** How many more may be ejected: at least one upstream stays, whatever the share. */
function mayEject(records: readonly UpstreamRecord[], policy: EjectionPolicy, now: number): number {
  const ejected = records.filter((record) => isEjected(record, now)).length;
  const allowed = Math.min(Math.floor(records.length * policy.maxEjectedShare), records.length - 1);
  return Math.max(0, allowed - ejected);
}

function rateOf({ window: [good, bad] }: UpstreamRecord): {
  readonly requests: number;
  readonly share: number;
} {
  const requests = good + bad;
  return { requests, share: requests === 0 ? 1 : good / requests };
}
