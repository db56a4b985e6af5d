/** When a node that could not be connected to may be tried again. */
import { type BackoffOptions, backoffMs } from '../common/backoff.js';

/** The pause after failed connections: short, because breakers and monitors decide about longer outages. */
export const CONNECT_BACKOFF: BackoffOptions = Object.freeze({ firstMs: 50, maxMs: 1_000 });

/** Failed connections in a row; every change makes a new value. */
export type ConnectBackoff =
  | { readonly phase: 'open' }
  | {
      readonly phase: 'blocked';
      /** Failures in a row. */
      readonly failures: number;
      /** Monotonic milliseconds before which nobody tries. */
      readonly until: number;
      /** What the last attempt failed with. */
      readonly error: Error;
    };

/** The state of a node that was not tried yet, or that was connected to. */
export const NO_BACKOFF: ConnectBackoff = Object.freeze({ phase: 'open' });

/** The state after a failed attempt. Attempts that ran side by side count once. */
export function afterFailure(
  state: ConnectBackoff,
  error: Error,
  now: number,
  random: () => number = Math.random,
): ConnectBackoff {
  if (state.phase === 'blocked' && now < state.until) return { ...state, error };
  const failures = state.phase === 'blocked' ? state.failures + 1 : 1;
  return {
    phase: 'blocked',
    failures,
    until: now + backoffMs(failures - 1, CONNECT_BACKOFF, random),
    error,
  };
}

/** The error with which an attempt is refused now; undefined when it may be made. */
export function refusalOf(state: ConnectBackoff, now: number): Error | undefined {
  return state.phase === 'blocked' && now < state.until ? state.error : undefined;
}
