/** What the faults in force mean for the bytes that go one way: pure sums over a list of faults. */
import type { FaultDirection } from './node-faults.js';
import type { TrafficFilter } from './traffic.js';

/** A fault as the proxy sees it. */
export type FaultRule = {
  /** Which connections it is for. */
  readonly only: TrafficFilter;
} & (
  | {
      readonly kind: 'latency';
      readonly direction: FaultDirection;
      readonly ms: number;
      readonly jitterMs: number;
    }
  | { readonly kind: 'partition'; readonly direction: FaultDirection }
  | { readonly kind: 'throttle'; readonly direction: FaultDirection; readonly bytesPerSecond: number }
  | { readonly kind: 'slice'; readonly direction: FaultDirection; readonly bytes: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'half-open' }
);

/** How bytes are passed on in one direction. */
export interface DirectionConditions {
  /** Milliseconds that each piece waits. */
  readonly delayMs: number;
  /** At most so many milliseconds more, by chance. */
  readonly jitterMs: number;
  /** Nothing passes. */
  readonly held: boolean;
  /** The most bytes of one piece. */
  readonly sliceBytes: number;
  /** The most bytes of one second. */
  readonly bytesPerSecond: number;
}

/** The conditions of `direction` under `rules`: delays add up, of limits the smallest counts. */
export function conditionsOf(
  rules: Iterable<FaultRule>,
  direction: 'to-server' | 'to-client',
): DirectionConditions {
  let delayMs = 0;
  let jitterMs = 0;
  let held = false;
  let sliceBytes = Number.POSITIVE_INFINITY;
  let bytesPerSecond = Number.POSITIVE_INFINITY;
  for (const rule of rules) {
    if (rule.kind === 'reset' || rule.kind === 'half-open') continue;
    if (rule.direction !== 'both' && rule.direction !== direction) continue;
    switch (rule.kind) {
      case 'latency':
        delayMs += rule.ms;
        jitterMs += rule.jitterMs;
        break;
      case 'partition':
        held = true;
        break;
      case 'throttle':
        bytesPerSecond = Math.min(bytesPerSecond, rule.bytesPerSecond);
        break;
      case 'slice':
        sliceBytes = Math.min(sliceBytes, rule.bytes);
        break;
    }
  }
  return { delayMs, jitterMs, held, sliceBytes, bytesPerSecond };
}
