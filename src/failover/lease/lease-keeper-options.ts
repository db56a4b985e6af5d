/** What a lease keeper is made from, and what it tells. */
import type { Clock } from '../../common/clock.js';
import type { NodeId } from '../../common/node-address.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import type { LeaseRules, VoterReading } from '../protocol/client-lease.js';
import type { Voter } from '../voters.js';
import type { EpochStart } from './epoch-start.js';

/** The events of a `LeaseKeeper`. */
export interface LeaseEvents {
  /** Writes may be sent to `node`; told when they could not before, or went elsewhere. */
  'lease-gained': { readonly node: NodeId };
  /** No writes may be sent to `node` any more. */
  'lease-lost': { readonly node: NodeId; readonly why: string };
  /** The newest readings, whenever one was added. */
  readings: ReadonlyMap<NodeId, VoterReading>;
}

/** What a keeper needs. */
export interface LeaseKeeperOptions {
  /** The name of the cluster. */
  readonly cluster: string;
  /** All voters. */
  readonly voters: readonly Voter[];
  /** The numbers that all processes agree on. */
  readonly rules: LeaseRules;
  /** Knows a replica's source. */
  readonly sourceOf: (channel: ReplicationChannel) => NodeId | undefined;
  /** Source of time. */
  readonly clock: Clock;
  /** The epoch of `node`, which takes writes now, and the change that began it. */
  readonly epochAt: (node: NodeId) => Promise<EpochStart | undefined>;
}
