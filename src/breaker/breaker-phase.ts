/** The phases of a breaker as a pure state machine; what isolates it stands in front of this and is not part of it. */
import { backoffMs } from '../common/backoff.js';
import type { BreakerPolicy } from './breaker-options.js';

/** A phase with what the next decision needs. Times are monotonic milliseconds. */
export type BreakerPhase =
  | {
      readonly phase: 'closed';
      /** When it closed; `-Infinity` when it never was open. */
      readonly since: number;
      /** Openings that each came soon after a closing. */
      readonly relapses: number;
    }
  | {
      readonly phase: 'open';
      readonly since: number;
      readonly reason: string;
      /** When the next probe is due. */
      readonly nextProbeAt: number;
      /** Good probes before this time prove nothing: the node was just as good when it failed. */
      readonly heldUntil: number;
      /** Probes that failed since it opened. */
      readonly failedProbes: number;
      readonly relapses: number;
    }
  | {
      readonly phase: 'half-open';
      readonly since: number;
      readonly reason: string;
      /** Good probes so far. */
      readonly successes: number;
      readonly failedProbes: number;
      readonly relapses: number;
    };

/** How a breaker begins. */
export const initialPhase: BreakerPhase = Object.freeze({
  phase: 'closed',
  since: Number.NEGATIVE_INFINITY,
  relapses: 0,
});

/** The phase after something opened the breaker; an open breaker keeps its first reason. */
export function opened(
  before: BreakerPhase,
  now: number,
  reason: string,
  policy: BreakerPolicy,
  random?: () => number,
): BreakerPhase {
  if (before.phase === 'open') return before;
  // Only a node that stayed good for as long as the longest wait starts again with the shortest one.
  const relapsed = before.phase === 'half-open' || now - before.since < policy.probeBackoff.maxMs;
  const relapses = relapsed ? before.relapses + 1 : 0;
  const heldUntil = now + backoffMs(relapses, policy.probeBackoff, random);
  return { phase: 'open', since: now, reason, nextProbeAt: heldUntil, heldUntil, failedProbes: 0, relapses };
}

/** The phase after a probe that the node answered. */
export function probeSucceeded(before: BreakerPhase, now: number, policy: BreakerPolicy): BreakerPhase {
  if (before.phase === 'closed') return before;
  if (before.phase === 'open' && now < before.heldUntil) return before;
  const successes = before.phase === 'half-open' ? before.successes + 1 : 1;
  const { reason, relapses, failedProbes } = before;
  if (successes >= policy.closeAfterSuccesses) return { phase: 'closed', since: now, relapses };
  const since = before.phase === 'half-open' ? before.since : now;
  return { phase: 'half-open', since, reason, successes, failedProbes, relapses };
}

/** The phase after a probe that speaks against the node; a closed breaker is not opened by it here. */
export function probeFailed(
  before: BreakerPhase,
  now: number,
  policy: BreakerPolicy,
  random?: () => number,
): BreakerPhase {
  if (before.phase === 'closed') return before;
  const failedProbes = before.failedProbes + 1;
  const nextProbeAt = now + backoffMs(failedProbes, policy.probeBackoff, random);
  const { reason, relapses } = before;
  return before.phase === 'open'
    ? { ...before, failedProbes, nextProbeAt: Math.max(nextProbeAt, before.heldUntil) }
    : { phase: 'open', since: now, reason, nextProbeAt, heldUntil: now, failedProbes, relapses };
}
