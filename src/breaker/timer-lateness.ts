/** Tells a late timer from a late answer: after a stall of this process every timer fires before the answers are read. */

/**
 * Whether a timer of `periodMs` that was due at `dueAt` fired so late at `now` that this process stalled,
 * so that what the timer would report says nothing about the other side. Monotonic milliseconds.
 */
export function firedLate(dueAt: number, now: number, periodMs: number): boolean {
  return now - dueAt > Math.max(50, periodMs * 0.2);
}
