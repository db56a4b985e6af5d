/** When a holder of a lease keeps it and when it lets go: a pure function of what is known at the time. */

/** What is known. Times are monotonic milliseconds. */
export interface LeaseSituation {
  readonly now: number;
  /** Until when the locks are certainly held. */
  readonly heldUntil: number;
  /** Time that is kept free for letting go. */
  readonly reserveMs: number;
  /** Whether this process does not trust its own eyes. */
  readonly tilted: boolean;
  /** Whether it is being closed. */
  readonly closing: boolean;
}

/** What to do. */
export type LeaseDecision = { readonly do: 'keep' } | { readonly do: 'leave'; readonly because: string };

/** Decides; letting go is always safe, keeping only while enough time is left to let go in. */
export function leaseDecision(situation: LeaseSituation): LeaseDecision {
  const { now, heldUntil, reserveMs, tilted, closing } = situation;
  if (closing) return { do: 'leave', because: 'it is closed' };
  if (tilted) return { do: 'leave', because: 'this process stalled or its clock jumped' };
  const left = heldUntil - now;
  if (left <= 0) return { do: 'leave', because: 'a majority of the voters is not held any more' };
  if (left <= reserveMs)
    return { do: 'leave', because: `the lease was not renewed and ends in ${Math.round(left)} ms` };
  return { do: 'keep' };
}

/** How long the servers keep the locks of a silent holder, in whole seconds, so that a lease of `leaseMs` outlives it. */
export function lockSeconds(leaseMs: number): number {
  return Math.max(1, Math.floor((leaseMs - 500) / 1_000));
}
