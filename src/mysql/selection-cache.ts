/** The last answers to "who may serve", which hold until the picture, a breaker or the staleness of a node changes them. */
import type { NodeId } from '../common/node-address.js';
import type { NodeDescription } from '../topology/node-description.js';
import type { ReadPreference } from '../topology/read-preference.js';
import type { LagLimits } from '../topology/replica-freshness.js';
import type { TopologyDescription } from '../topology/topology-description.js';

/** Nodes that may serve reads of one kind, until the picture changes or one of them becomes too stale. */
export interface CachedSelection {
  /** The picture that they were chosen from. */
  readonly topology: TopologyDescription;
  /** Grows with every change of a breaker. */
  readonly breakerVersion: number;
  /** What the reads prefer. */
  readonly preference: ReadPreference;
  /** How far behind a node may be for them. */
  readonly limits: LagLimits;
  /** The node that had the votes. */
  readonly voted: NodeId | undefined;
  /** The nodes. */
  readonly candidates: readonly NodeDescription[];
  /** Monotonic milliseconds. */
  readonly validUntil: number;
}

/** So many are kept: requests that ask for different limits take turns. */
const SIZE = 4;

/** The last selections of different kinds. */
export class SelectionCache {
  readonly #kept: (CachedSelection | undefined)[] = new Array(SIZE).fill(undefined);
  #next = 0;

  /** The nodes that were chosen for the same question, if that still holds. */
  find(
    topology: TopologyDescription,
    breakerVersion: number,
    preference: ReadPreference,
    limits: LagLimits,
    voted: NodeId | undefined,
    now: number,
  ): readonly NodeDescription[] | undefined {
    for (const kept of this.#kept) {
      if (
        kept !== undefined &&
        kept.topology === topology &&
        kept.validUntil > now &&
        kept.breakerVersion === breakerVersion &&
        kept.preference === preference &&
        kept.voted === voted &&
        kept.limits.maxLagMs === limits.maxLagMs &&
        kept.limits.maxLagWithoutPrimaryMs === limits.maxLagWithoutPrimaryMs
      ) {
        return kept.candidates;
      }
    }
    return undefined;
  }

  /** Keeps one more, in the place of the oldest. */
  keep(selection: CachedSelection): void {
    this.#kept[this.#next] = selection;
    this.#next = (this.#next + 1) % SIZE;
  }
}
