/** When whoever changes the primary may touch a vote: the counterpart of the client's lease; pure functions. */
import type { NodeId } from '../../common/node-address.js';
import type { LeaseRules } from './client-lease.js';
import { majorityOf, rankedFromTop } from './majority.js';

/** A voter whose locks are held. Times are monotonic milliseconds. */
export interface HeldVoter {
  /** The voter. */
  readonly voter: NodeId;
  /** When it was certain that the change lock is held. */
  readonly changeSince: number;
  /** When it was certain that the promote lock is held; undefined while it is not. */
  readonly promoteSince: number | undefined;
  /** Until when the server certainly keeps the locks for this session. */
  readonly aliveUntil: number;
}

/**
 * From when votes may be changed: every lease that a process got from one of these voters before it was locked is over
 * then. Infinity while the promote lock is not held on all of them.
 */
export function votesMayChangeFrom(held: readonly HeldVoter[], rules: LeaseRules): number {
  let from = Number.NEGATIVE_INFINITY;
  for (const { changeSince, promoteSince } of held) {
    if (promoteSince === undefined) return Number.POSITIVE_INFINITY;
    from = Math.max(
      from,
      changeSince + rules.leaseMs,
      promoteSince + Math.min(rules.handoverMs, rules.leaseMs),
    );
  }
  return from;
}

/** Until when a majority of all voters is certainly held; -Infinity when it is not. */
export function majorityHeldUntil(held: readonly HeldVoter[], rules: Pick<LeaseRules, 'voters'>): number {
  return rankedFromTop(
    held.map(({ aliveUntil }) => aliveUntil),
    majorityOf(rules.voters),
  );
}

/** Whether, at `now`, the holder of `held` may make `candidate` the primary. */
export function mayPromote(
  held: readonly HeldVoter[],
  candidate: NodeId,
  rules: LeaseRules,
  now: number,
): boolean {
  const alive = held.filter(({ aliveUntil }) => aliveUntil > now);
  return (
    alive.some(({ voter }) => voter === candidate) &&
    majorityHeldUntil(alive, rules) > now &&
    votesMayChangeFrom(alive, rules) <= now
  );
}
