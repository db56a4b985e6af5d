/** Makes the lease of a process that acts, and lets everything know of it that goes by it. */
import type { Clock } from '../../common/clock.js';
import type { TopologyWatcher } from '../../health/topology-watcher.js';
import type { FailoverEvents } from '../failover-events.js';
import type { FailoverTargets } from '../failover-targets.js';
import type { MetaStore } from '../meta/meta-store.js';
import type { LeaseRules } from '../protocol/client-lease.js';
import { sourceFinder, type Voter } from '../voters.js';
import type { LastLease } from './last-lease.js';
import { LeaseKeeper } from './lease-keeper.js';

/** What a lease is made with. */
export interface OpenKeeperParts {
  readonly cluster: string;
  readonly voters: readonly Voter[];
  readonly rules: LeaseRules;
  readonly clock: Clock;
  readonly meta: MetaStore;
  /** Looks at the servers anew when there is a lease. */
  readonly watcher: TopologyWatcher;
  /** Sends no writes without it. */
  readonly targets: FailoverTargets;
  /** Remembers what it was for. */
  readonly last: LastLease;
  readonly publish: <K extends keyof FailoverEvents>(event: K, payload: FailoverEvents[K]) => void;
}

/** Begins to ask the voters; writes wait from now on until a majority agrees. */
export function openKeeper(parts: OpenKeeperParts): LeaseKeeper {
  const { cluster, voters, rules, clock, meta, watcher, targets, last, publish } = parts;
  const keeper = new LeaseKeeper({
    cluster,
    voters,
    rules,
    sourceOf: sourceFinder(voters),
    clock,
    epochAt: async (node) => {
      const voter = voters.find(({ id }) => id === node);
      return voter === undefined ? undefined : await meta.epochStart(voter);
    },
  });
  keeper.on('readings', () => {
    const { lease } = keeper;
    if (lease !== undefined) last.note(lease.primary);
  });
  keeper.on('lease-gained', (event) => {
    // Who is the primary is known from the voters before the monitors see it.
    void watcher.refresh();
    publish('lease-gained', event);
  });
  keeper.on('lease-lost', (event) => publish('lease-lost', event));
  targets.guardWrites(keeper);
  return keeper;
}
