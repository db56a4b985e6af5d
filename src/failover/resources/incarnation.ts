/** Which life of a memcached server one talks to: a restart leaves it empty, and its misses mean nothing until it is filled. */

/** A life of a server. */
export interface Incarnation {
  /** Process id. */
  readonly pid: number;
  /** When it was started, seconds since 1970 by its own clock. */
  readonly startedAt: number;
  /** How many times it came back in this life from where others may have written without it; absent when never. */
  readonly outages?: number | undefined;
}

/** What is known of a node of a pair. */
export type PairNodeState =
  /** Not looked at yet. */
  | { readonly state: 'unknown' }
  /** It answers, and its misses can be believed. */
  | { readonly state: 'up'; readonly incarnation: Incarnation }
  /** It answers and was restarted: its misses are not to be believed until it is filled. */
  | { readonly state: 'warming'; readonly incarnation: Incarnation }
  /** It does not answer. */
  | {
      readonly state: 'down';
      readonly last?: Incarnation | undefined;
      /** It was up, and has never been missed while another node answered: as far as is known, nobody wrote to one without it. */
      readonly missedNothing?: boolean | undefined;
      /** How many looks in a row have missed all nodes, while that is so. */
      readonly blindLooks?: number | undefined;
    };

/** After more looks that miss all nodes others may have written to one of them alone for long. */
const BLIND_LOOKS = 3;

/** The life that a server's `stats` tell of; undefined when they lack what that takes. */
export function incarnationOf(stats: ReadonlyMap<string, string>): Incarnation | undefined {
  const [pid, time, uptime] = ['pid', 'time', 'uptime'].map((name) => Number(stats.get(name)));
  if (pid === undefined || time === undefined || uptime === undefined) return undefined;
  if (![pid, time, uptime].every(Number.isSafeInteger)) return undefined;
  return { pid, startedAt: time - uptime };
}

/** Whether two looks saw the same life. The clock counts whole seconds, and its two numbers can be read a second apart. */
export function isSameLife(a: Incarnation, b: Incarnation): boolean {
  return a.pid === b.pid && Math.abs(a.startedAt - b.startedAt) <= 2;
}

/**
 * The state after one more look; `seen` is undefined when the node did not answer, and `alone` tells whether another one did. A look
 * that misses all nodes at once says more of the one who looks than of them, and so do three in a row.
 */
export function afterLook(
  before: PairNodeState,
  seen: Incarnation | undefined,
  alone: boolean,
): PairNodeState {
  const last =
    before.state === 'unknown' ? undefined : before.state === 'down' ? before.last : before.incarnation;
  if (seen === undefined) {
    const wasDown = before.state === 'down';
    const blindLooks = 1 + (wasDown ? (before.blindLooks ?? 0) : 0);
    const missedNothing =
      !alone &&
      blindLooks <= BLIND_LOOKS &&
      (wasDown ? before.missedNothing === true : before.state === 'up');
    if (missedNothing) return { state: 'down', last, missedNothing, blindLooks };
    return wasDown && before.missedNothing !== true ? before : { state: 'down', last };
  }
  if (last === undefined) {
    // Found alive at the first look it has what it has; one that was away then may have been restarted.
    return { state: before.state === 'unknown' ? 'up' : 'warming', incarnation: seen };
  }
  if (!isSameLife(last, seen)) return { state: 'warming', incarnation: seen };
  if (before.state !== 'down') return before;
  const { outages } = last;
  if (before.missedNothing === true) return { state: 'up', incarnation: withOutages(seen, outages) };
  // Without a restart nothing was lost, but what was written meanwhile to another node was missed.
  return { state: 'warming', incarnation: withOutages(seen, (outages ?? 0) + 1) };
}

/**
 * The state after the node was filled from its peer; a node that was restarted, or away once more, since that began stays as it is: what
 * was written meanwhile may be behind what was copied already.
 */
export function afterFill(before: PairNodeState, filled: Incarnation): PairNodeState {
  if (before.state !== 'warming' || !isSameLife(before.incarnation, filled)) return before;
  if ((filled.outages ?? 0) !== (before.incarnation.outages ?? 0)) return before;
  return { state: 'up', incarnation: before.incarnation };
}

function withOutages(incarnation: Incarnation, outages: number | undefined): Incarnation {
  return outages === undefined ? incarnation : { ...incarnation, outages };
}
