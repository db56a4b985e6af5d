/** Notices what happens to the primary, tells it, and lets an operator take nodes out. In mode `follow` it never changes a server. */
import { type Clock, systemClock } from '../common/clock.js';
import type { NodeId } from '../common/node-address.js';
import type { SafeEmitter } from '../common/safe-emitter.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import type { ClusterSnapshot } from './cluster-snapshot.js';
import type { FailoverEvents } from './failover-events.js';
import type { JournalRecord } from './failover-journal.js';
import { checkFailoverOptions, type FailoverOptions } from './failover-options.js';
import type { FailoverTargets, IsolateOptions } from './failover-targets.js';
import { FollowingManager } from './following-manager.js';

/** Options of {@link createFailoverManager}. */
export interface FailoverManagerOptions extends FailoverOptions {
  /** Watches the nodes; belongs to the caller, who starts and closes it. */
  readonly watcher: TopologyWatcher;
  /** Sends the calls. */
  readonly targets: FailoverTargets;
  /** Name of the cluster. Default `stormlamp`. */
  readonly cluster?: string | undefined;
  /** Source of time. */
  readonly clock?: Clock | undefined;
}

/** The manager of one cluster. */
export interface FailoverManager extends SafeEmitter<FailoverEvents> {
  /** The cluster as it is now. */
  readonly state: ClusterSnapshot;
  /**
   * Takes a node out in this process, whatever traffic and probes say; dispose of the returned object to let it in again.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for a node that is not known, `ERR_CLOSED`.
   */
  isolate(node: NodeId, options?: IsolateOptions): Disposable;
  /** The newest records of the journal, newest first; all of them without `count`. */
  history(count?: number): Promise<readonly JournalRecord[]>;
  /** Lets all isolated nodes in, gives up the running hook, and stops. Does not close the watcher. */
  close(): Promise<void>;
}

/**
 * Makes the failover manager of a watched cluster.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, or `ERR_UNSUPPORTED` for the modes `approve` and `auto`.
 */
export function createFailoverManager(options: FailoverManagerOptions): FailoverManager {
  const { watcher, targets, cluster = 'stormlamp', clock = systemClock, ...rest } = options;
  checkFailoverOptions('failover', rest);
  return new FollowingManager(watcher, targets, cluster, clock, rest);
}
