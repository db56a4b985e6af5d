/** Time as the package reads it: monotonic for durations and deadlines, wall only for what people or other machines see. */

/** A source of time that tests can replace. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. */
  now(): number;
  /** Milliseconds since 1970 by the wall clock. */
  wall(): number;
}

/** The clocks of this process. */
export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  wall: () => Date.now(),
});
