/** Whether this process can trust its own eyes: one that stalls or whose clock jumps sees dead nodes everywhere. */
import { type Clock, systemClock } from '../common/clock.js';

/** How often the process looks at itself, milliseconds. */
const SAMPLE_MS = 250;
/** A timer that is later than this makes the process tilt, milliseconds. */
const DRIFT_LIMIT_MS = 500;
/** Samples that are kept. */
const SAMPLES = 100;
/** The share of these samples that may be later than the strain. */
const STRAIN_SHARE = 0.1;
/** Difference between the advances of the wall clock and the monotonic clock that shows a jump or a suspended machine. */
const CLOCK_JUMP_MS = 2_000;
/** Tilt after a jump of the clock, milliseconds. */
const JUMP_TILT_MS = 5_000;
/** Shortest tilt after a stall, milliseconds: until everything was looked at once more, and what the stall spoilt has expired. */
const STALL_TILT_MS = 1_000;
/** For so many times its length a stall makes the process tilt: whoever stalls for long is not to be trusted soon. */
const TILT_PER_STALL = 2;
/** Longest tilt after one sample: a machine that was suspended for an hour must not be out of the race for two. */
const MAX_TILT_MS = 60_000;

/** What the process knows about itself. */
export interface SelfView {
  /** Lateness of the last samples, newest last, milliseconds. */
  readonly drifts: readonly number[];
  /** Until when it does not trust itself, monotonic milliseconds; `-Infinity` when it does. */
  readonly tiltedUntil: number;
}

/** One look at itself. */
export interface SelfSample {
  /** When it was made, monotonic milliseconds. */
  readonly at: number;
  /** How late its timer fired, milliseconds. */
  readonly driftMs: number;
  /** How much more the wall clock advanced than the monotonic one since the last sample, milliseconds. */
  readonly jumpMs: number;
}

/** The view of a process that just started. */
export const initialSelfView: SelfView = Object.freeze({ drifts: [], tiltedUntil: Number.NEGATIVE_INFINITY });

/**
 * The view after one more sample: a long stall or a jump of the clock tilts it for a while. What it sees after a stall is as good
 * as ever, so that this while is short: on a machine where every process stalls now and then, somebody must be able to act in between.
 */
export function afterSample(before: SelfView, sample: SelfSample): SelfView {
  const drifts = [...before.drifts.slice(-(SAMPLES - 1)), sample.driftMs];
  const stall =
    sample.driftMs > DRIFT_LIMIT_MS ? Math.max(STALL_TILT_MS, TILT_PER_STALL * sample.driftMs) : 0;
  const jump = Math.abs(sample.jumpMs) > CLOCK_JUMP_MS ? JUMP_TILT_MS : 0;
  const lasts = Math.min(MAX_TILT_MS, Math.max(stall, jump));
  if (lasts === 0) return { drifts, tiltedUntil: before.tiltedUntil };
  return { drifts, tiltedUntil: Math.max(before.tiltedUntil, sample.at + lasts) };
}

/**
 * How late this process usually is, milliseconds: one in ten of its last samples was later. Shorter stalls than those that make it
 * tilt spoil nothing that one look finds, but deadlines that count on its timers have to be the longer for them.
 */
export function strainOf({ drifts }: SelfView): number {
  const above = Math.ceil(drifts.length * STRAIN_SHARE);
  return [...drifts].sort((a, b) => b - a)[above] ?? 0;
}

/** Watches this process until it is closed. */
export class SelfHealth {
  readonly #clock: Clock;
  #view = initialSelfView;
  #timer: NodeJS.Timeout | undefined;
  #last: { readonly at: number; readonly wall: number };

  /** Begins to watch; the timer does not keep the process alive. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#last = { at: clock.now(), wall: clock.wall() };
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#timer.unref();
  }

  /** Whether what this process saw of other machines lately may be its own fault. */
  get tilted(): boolean {
    const now = this.#clock.now();
    // A stall that is not over yet has no sample: the sample itself is late.
    return now < this.#view.tiltedUntil || now - this.#last.at > SAMPLE_MS + DRIFT_LIMIT_MS;
  }

  /** How late this process usually is; see {@link strainOf}. */
  get strainMs(): number {
    return strainOf(this.#view);
  }

  /** Stops watching. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sample(): void {
    const at = this.#clock.now();
    const wall = this.#clock.wall();
    const elapsed = at - this.#last.at;
    const driftMs = Math.max(0, elapsed - SAMPLE_MS);
    this.#view = afterSample(this.#view, { at, driftMs, jumpMs: wall - this.#last.wall - elapsed });
    this.#last = { at, wall };
  }
}
