/** What a breaker can be told, with the defaults. */
import type { Clock } from '../common/clock.js';
import type { NodeId } from '../common/node-address.js';
import { readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import type { BreakerChange, OperationClass } from './node-breaker.js';

/** Options of {@link createNodeBreaker}. */
export interface NodeBreakerOptions {
  /** Name of the cluster, shown in names only. */
  readonly cluster?: string | undefined;
  /** The node behind the breaker. */
  readonly node: NodeId;
  /** The class of call that it counts. */
  readonly operation: OperationClass;
  /**
   * Whether an error speaks against the node. Must be false for everything that only a living server can answer.
   * When it throws, the error counts against the node.
   */
  readonly isNodeFault: (error: unknown) => boolean;
  /** So many faults in a row open the breaker. Default 3. */
  readonly consecutiveFailures?: number | undefined;
  /** More than this share of faults within the window opens the breaker, in percent. Default 50. */
  readonly errorThresholdPercentage?: number | undefined;
  /** The error rate is looked at from this many calls within the window. Default 10, at least 5. */
  readonly volumeThreshold?: number | undefined;
  /** Length of the window in milliseconds, rounded up to seconds. Default 10 000. */
  readonly windowMs?: number | undefined;
  /** A call that nobody settles counts as a fault after so many milliseconds (looked at once per second). Default 60 000. */
  readonly callTimeoutMs?: number | undefined;
  /** How long probes of an open breaker wait: grows with failed probes, and with every opening soon after a closing. */
  readonly probeBackoff?: { readonly firstMs: number; readonly maxMs: number } | undefined;
  /** So many good probes in a row close an open breaker. Default 2. */
  readonly closeAfterSuccesses?: number | undefined;
  /** Told about every change of phase, after it took effect. What it throws becomes a process warning. */
  readonly onChange?: ((change: BreakerChange) => void) | undefined;
  /**
   * Asked before faults open the breaker: false keeps it closed, so that the last node that can serve is never ejected.
   * An explicit `open()` or `isolate()` does not ask.
   */
  readonly canOpen?: (() => boolean) | undefined;
  /** Source of time. */
  readonly clock?: Clock | undefined;
}

/** The numbers of a breaker. */
export interface BreakerPolicy {
  /** See {@link NodeBreakerOptions.consecutiveFailures}. */
  readonly consecutiveFailures: number;
  /** See {@link NodeBreakerOptions.errorThresholdPercentage}. */
  readonly errorThresholdPercentage: number;
  /** See {@link NodeBreakerOptions.volumeThreshold}. */
  readonly volumeThreshold: number;
  /** See {@link NodeBreakerOptions.windowMs}. */
  readonly windowMs: number;
  /** See {@link NodeBreakerOptions.callTimeoutMs}. */
  readonly callTimeoutMs: number;
  /** See {@link NodeBreakerOptions.probeBackoff}. */
  readonly probeBackoff: { readonly firstMs: number; readonly maxMs: number };
  /** See {@link NodeBreakerOptions.closeAfterSuccesses}. */
  readonly closeAfterSuccesses: number;
}

/** The defaults of {@link NodeBreakerOptions}. */
export const breakerDefaults: BreakerPolicy = Object.freeze({
  consecutiveFailures: 3,
  errorThresholdPercentage: 50,
  volumeThreshold: 10,
  windowMs: 10_000,
  callTimeoutMs: 60_000,
  probeBackoff: Object.freeze({ firstMs: 500, maxMs: 30_000 }),
  closeAfterSuccesses: 2,
});

const NAMES = [
  'cluster',
  'node',
  'operation',
  'isNodeFault',
  'onChange',
  'canOpen',
  'clock',
  ...Object.keys(breakerDefaults),
];

/**
 * The numbers of `options` with the defaults filled in.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function readBreakerPolicy(options: NodeBreakerOptions): BreakerPolicy {
  rejectUnknownOptions('breaker', options, NAMES);
  const d = breakerDefaults;
  const count = { min: 1, integer: true };
  const time = { min: 1, max: 2_147_483_647 };
  const backoff = options.probeBackoff;
  if (backoff !== undefined) rejectUnknownOptions('breaker.probeBackoff', backoff, ['firstMs', 'maxMs']);
  const firstMs = readNumber('breaker.probeBackoff.firstMs', backoff?.firstMs, d.probeBackoff.firstMs, time);
  return {
    consecutiveFailures: readNumber(
      'breaker.consecutiveFailures',
      options.consecutiveFailures,
      d.consecutiveFailures,
      count,
    ),
    errorThresholdPercentage: readNumber(
      'breaker.errorThresholdPercentage',
      options.errorThresholdPercentage,
      d.errorThresholdPercentage,
      { min: 1, max: 100 },
    ),
    // One failure out of one call is already more than any percentage.
    volumeThreshold: readNumber('breaker.volumeThreshold', options.volumeThreshold, d.volumeThreshold, {
      min: 5,
      integer: true,
    }),
    windowMs: readNumber('breaker.windowMs', options.windowMs, d.windowMs, { min: 1000, max: 600_000 }),
    callTimeoutMs: readNumber('breaker.callTimeoutMs', options.callTimeoutMs, d.callTimeoutMs, time),
    probeBackoff: {
      firstMs,
      maxMs: readNumber('breaker.probeBackoff.maxMs', backoff?.maxMs, d.probeBackoff.maxMs, {
        min: firstMs,
        max: time.max,
      }),
    },
    closeAfterSuccesses: readNumber(
      'breaker.closeAfterSuccesses',
      options.closeAfterSuccesses,
      d.closeAfterSuccesses,
      count,
    ),
  };
}
