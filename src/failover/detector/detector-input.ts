/** What the detector judges. */
import type { NodeId } from '../../common/node-address.js';
import type { TopologyDescription } from '../../topology/topology-description.js';
import type { DetectorPolicy } from './detector-policy.js';
import type { NodeRecord } from './node-record.js';

/** How many voters there are and how many can be reached. */
export interface VoterCount {
  /** All voters of the configuration. */
  readonly total: number;
  /** Those that answer this process. */
  readonly reachable: number;
  /** Those that were never looked at; default 0. */
  readonly unasked?: number | undefined;
  /** The node that a majority of all voters votes for now, whether it answers or not. */
  readonly votedFor?: NodeId | undefined;
  /** The node that each voter which answers votes for, null for none: the source of a replica. */
  readonly votes?: ReadonlyMap<NodeId, NodeId | null> | undefined;
}

/** Whether too few voters answer for a majority of all. */
export function lacksMajority(voters: VoterCount | undefined): boolean {
  return voters !== undefined && voters.reachable < Math.floor(voters.total / 2) + 1;
}

/** Whether too few voters answer for a majority of all, whatever those say that were not looked at yet. */
export function hasLostMajority(voters: VoterCount | undefined): boolean {
  if (voters === undefined) return false;
  return lacksMajority({ ...voters, reachable: voters.reachable + (voters.unasked ?? 0) });
}

/** What the detector judges. */
export interface DetectorInput {
  /** The cluster's picture after all recorded looks. */
  readonly topology: TopologyDescription;
  /** What is remembered of each node. */
  readonly records: ReadonlyMap<NodeId, NodeRecord>;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Whether this process does not trust its own eyes now. */
  readonly tilted: boolean;
  /** The voters; without them no majority is asked for. */
  readonly voters?: VoterCount | undefined;
  /** Nodes that an operator took out. */
  readonly isolated?: ReadonlySet<NodeId> | undefined;
  /** The usual time between two probes, milliseconds; only for `phi`. Default 1000. */
  readonly intervalMs?: number | undefined;
  /** The numbers to judge by. */
  readonly policy?: DetectorPolicy | undefined;
}
