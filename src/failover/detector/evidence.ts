/** What single looks at a node found: the raw material of every verdict. */
import type { NodeId } from '../../common/node-address.js';
import type { Observation, ProbeFailure } from '../../topology/node-description.js';

/** What one look at a node found. */
export interface Evidence {
  /** The node that was looked at. */
  readonly node: NodeId;
  /** When, by the wall clock, milliseconds since 1970. */
  readonly at: number;
  /** What was found. */
  readonly kind: ProbeFailure | 'ok';
  /** The error's text, '' when the node answered. */
  readonly detail: string;
  /** How long the answer took, milliseconds; null when there was none. */
  readonly latencyMs: number | null;
  /** Whether this process stalled meanwhile, so that a failure may be its own. */
  readonly localStall: boolean;
}

/** One look as the detector's recording keeps it. */
export interface RecordedObservation {
  /** What the probe found, and when by the monotonic clock. */
  readonly observation: Observation;
  /** When, by the wall clock, milliseconds since 1970. */
  readonly wall: number;
  /** Whether this process did not trust itself at that time. */
  readonly localStall: boolean;
}

/** How much a failed look says: that a process is gone, that it is silent, or that it lives. */
export type FailureWeight = 'strong' | 'weak' | 'alive';

/** A closed port comes from a living host with a dead process; an answer, of whatever kind, from a living process. */
export function weightOf(failure: ProbeFailure): FailureWeight {
  switch (failure) {
    case 'refused':
    case 'reset':
    case 'server-shutdown':
      return 'strong';
    case 'access-denied':
    case 'too-many':
      return 'alive';
    default:
      return 'weak';
  }
}

/** The evidence in a look. */
export function evidenceOf({ observation, wall, localStall }: RecordedObservation): Evidence {
  return {
    node: observation.node,
    at: wall,
    kind: observation.ok ? 'ok' : observation.failure,
    detail: observation.ok ? '' : observation.error.message,
    latencyMs: observation.ok ? observation.latencyMs : null,
    localStall,
  };
}
