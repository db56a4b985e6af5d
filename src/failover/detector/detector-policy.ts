/** The numbers that the detector judges by. */
import { readNumber, rejectUnknownOptions } from '../../common/option-reader.js';

/** The numbers that the detector judges by; all times in milliseconds. */
export interface DetectorPolicy {
  /** So many failed probes in a row, at least, make a suspect down in this process's eyes. Default 3. */
  readonly downAfterFailures: number;
  /** For so long, at least, its probes must have failed. Default 3000. */
  readonly downAfterMs: number;
  /** A node that was down is up again after so many answers in a row. Default 3. */
  readonly upAfterSuccesses: number;
  /** For so long, at least, a node that was down must have answered. Default 3000. */
  readonly upAfterMs: number;
  /** What a replica said longer ago is not heard. Default 5000. */
  readonly freshMs: number;
  /** A replica that got neither an event nor a heartbeat for so many heartbeat periods does not hear its source. Default 2. */
  readonly silentHeartbeats: number;
  /** Commits that wait for an acknowledgement, or writes for the lock of the whole server, for so long are locked; a replication that stands for so long is broken. Default 3000. */
  readonly troubleAfterMs: number;
  /** A refused connection ("too many connections") tells of an overload for so long, unless one succeeds. Default 10 000. */
  readonly overloadMemoryMs: number;
}

/** The defaults of {@link DetectorPolicy}. */
export const detectorDefaults: DetectorPolicy = Object.freeze({
  downAfterFailures: 3,
  downAfterMs: 3_000,
  upAfterSuccesses: 3,
  upAfterMs: 3_000,
  freshMs: 5_000,
  silentHeartbeats: 2,
  troubleAfterMs: 3_000,
  overloadMemoryMs: 10_000,
});

/** So many times the usual lateness of this process are added to the time for which probes must have failed. */
const STRETCH = 4;

/**
 * The policy of a process that is usually late by `strainMs`: the time for which a node's probes must have failed grows with it, up
 * to the double. A process that gets little of its processor sees everything late, and decides later instead of not at all.
 */
export function stretched(policy: DetectorPolicy, strainMs: number): DetectorPolicy {
  const more = Math.min(policy.downAfterMs, Math.round(STRETCH * strainMs));
  return more < 50 ? policy : { ...policy, downAfterMs: policy.downAfterMs + more };
}

const MINIMA: Readonly<Record<keyof DetectorPolicy, number>> = {
  // One lost packet must never be a verdict.
  downAfterFailures: 2,
  downAfterMs: 500,
  upAfterSuccesses: 1,
  upAfterMs: 0,
  freshMs: 1_000,
  silentHeartbeats: 2,
  troubleAfterMs: 0,
  overloadMemoryMs: 0,
};

/**
 * The policy with the defaults filled in.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function readDetectorPolicy(path: string, options: Partial<DetectorPolicy> = {}): DetectorPolicy {
  const names = Object.keys(detectorDefaults) as (keyof DetectorPolicy)[];
  rejectUnknownOptions(path, options, names);
  const read = (name: keyof DetectorPolicy): number =>
    readNumber(`${path}.${name}`, options[name], detectorDefaults[name], {
      min: MINIMA[name],
      max: 3_600_000,
      ...(name === 'downAfterFailures' || name === 'upAfterSuccesses' ? { integer: true } : {}),
    });
  return Object.fromEntries(names.map((name) => [name, read(name)])) as unknown as DetectorPolicy;
}
