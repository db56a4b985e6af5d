/** Notices what happens to the primary, tells it, lets an operator take nodes out, and, where it may, changes the primary. */
import { type Clock, systemClock } from '../common/clock.js';
import type { NodeId } from '../common/node-address.js';
import type { SafeEmitter } from '../common/safe-emitter.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import type { MysqlNodeConfig } from '../mysql/connection-options.js';
import type { CredentialsSource, MysqlCredentials } from '../mysql/connection-settings.js';
import { ActingManager } from './acting-manager.js';
import type { ChangeResult } from './change/change-control.js';
import type { ClusterSnapshot } from './cluster-snapshot.js';
import type { FailoverEvents } from './failover-events.js';
import type { JournalRecord } from './failover-journal.js';
import { checkFailoverOptions, type FailoverOptions, failoverDefaults } from './failover-options.js';
import type { FailoverTargets, IsolateOptions } from './failover-targets.js';
import { FollowingManager } from './following-manager.js';
import type { FailoverPlan } from './plan/failover-plan.js';
import type { PreflightReport } from './preflight/preflight.js';

/** Options of {@link createFailoverManager}. */
export interface FailoverManagerOptions extends FailoverOptions {
  /** Watches the nodes; belongs to the caller, who starts and closes it. */
  readonly watcher: TopologyWatcher;
  /** Sends the calls. */
  readonly targets: FailoverTargets;
  /** How to reach the nodes; not needed in mode `follow`. */
  readonly nodes?: readonly MysqlNodeConfig[] | undefined;
  /** The account that looks at the servers, when it is not the nodes' own. */
  readonly monitorCredentials?: MysqlCredentials | CredentialsSource | undefined;
  /** Source of time. */
  readonly clock?: Clock | undefined;
}

/** How a planned switchover is made. */
export interface SwitchoverOptions {
  /**
   * The node that becomes the primary: its id, the `host:port` at which the other servers reach it, or its `server_uuid`. Default:
   * the best one, by `candidates` and then by name.
   */
  readonly to?: NodeId | undefined;
  /** Gives the switchover up while it can be undone; before there is a plan it rejects with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/** How a failover is made on demand. */
export interface ForceOptions {
  /**
   * The node that becomes the primary; it may have transactions of its own where no other one can be taken. Default: the best one that
   * has everything, and nothing of its own.
   */
  readonly to?: NodeId | undefined;
  /** Makes it although the primary is not objectively down, and soon after another one. Default false. */
  readonly force?: boolean | undefined;
  /** Makes it whatever it loses; with `to` also what other nodes have that answer. Default false. */
  readonly acceptLoss?: boolean | undefined;
  /** Gives it up while it can be undone; before there is a plan it rejects with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/** How automatic changes are forbidden for a while. */
export interface PauseOptions {
  /** For how long, milliseconds; at most a day. */
  readonly ttlMs: number;
  /** Why; shown to others. */
  readonly reason: string;
}

/** A pause that was begun; disposing of it ends this one and no other. */
export interface PauseHandle extends AsyncDisposable {
  /** Names it; any process ends it by that. */
  readonly id: string;
}

/** The manager of one cluster. */
export interface FailoverManager extends SafeEmitter<FailoverEvents> {
  /** The cluster as it is now. */
  readonly state: ClusterSnapshot;
  /**
   * Checks, in the modes that act, whether the servers allow what may have to be done, and makes ready for it.
   *
   * Rejects with `ERR_CHANGE_REFUSED` naming what is wrong and what to do; the manager should be closed then.
   */
  start(): Promise<void>;
  /**
   * Takes a node out in this process, whatever traffic and probes say; dispose of the returned object to let it in again.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for a node that is not known, `ERR_CLOSED`.
   */
  isolate(node: NodeId, options?: IsolateOptions): Disposable;
  /** The newest records of the journal, newest first; all of them without `count`. */
  history(count?: number): Promise<readonly JournalRecord[]>;
  /**
   * Everything that a change would do now, statement by statement; nothing is changed by asking.
   *
   * Rejects with `ERR_CHANGE_REFUSED` naming every node and why it cannot become the primary, with `ERR_NO_PRIMARY`, or, in
   * mode `follow`, with `ERR_UNSUPPORTED`.
   */
  plan(kind: 'failover' | 'switchover', to?: NodeId): Promise<FailoverPlan>;
  /**
   * Makes another node the primary. No acknowledged write is lost; writes wait for the time of the change.
   *
   * Rejects as {@link FailoverManager.plan} does; what goes wrong later is told in the result.
   */
  switchover(options?: SwitchoverOptions): Promise<ChangeResult>;
  /**
   * Makes another node the primary because the primary is dead. What it loses is told before, in {@link FailoverManager.plan}.
   *
   * Rejects as `plan` does, and with `ERR_CHANGE_REFUSED` when the primary is not objectively down, or more would be lost than
   * `maxLoss` allows; what goes wrong later is told in the result.
   */
  failover(options?: ForceOptions): Promise<ChangeResult>;
  /**
   * Makes a node that came back a replica of the primary.
   *
   * Rejects with `ERR_CHANGE_REFUSED` when it has transactions that the primary lacks, naming them, or needs logs that are gone.
   */
  rejoin(node: NodeId): Promise<ChangeResult>;
  /**
   * Makes a node's data anew by the `rebuild` hook, after which it follows the primary.
   *
   * Rejects with `ERR_CHANGE_REFUSED` when there is no hook, when it failed, and while this node, or another one from the same
   * primary, is being made anew, whoever does it.
   */
  rebuild(node: NodeId): Promise<'rebuilt' | 'skipped'>;
  /**
   * Notes that `who` has looked at a failover, so that the next one may be made automatically. While there is no primary to write it
   * on, it holds for as long as this waits for one, two minutes at most: that is when the elected process makes the next one.
   *
   * Rejects with `ERR_INVALID_OPTION` when no change has that name, with `ERR_NO_PRIMARY` when none came.
   */
  acknowledge(opId: string, who: string): Promise<void>;
  /**
   * Forbids automatic changes in all processes, for `ttlMs` or until the returned object is disposed of: failovers, and all repairs,
   * new data for a node among them. Of several pauses the one that lasts longest counts. What is under way is looked at once more before it changes anything; a node whose data is
   * already being made anew is finished. What is asked for by a call of this interface is done all the same.
   *
   * Rejects with `ERR_NO_PRIMARY` when no majority agrees on a primary: that is where it is written.
   */
  pause(options: PauseOptions): Promise<PauseHandle>;
  /**
   * Ends the pause called `id`, or all of them, whichever processes made them; whether there was one. While there is no primary it
   * holds as {@link FailoverManager.acknowledge} does.
   *
   * Rejects with `ERR_NO_PRIMARY` when none came.
   */
  resume(id?: string): Promise<boolean>;
  /** Looks whether the servers allow what may have to be done. */
  preflight(): Promise<PreflightReport>;
  /** @internal Resolves when a majority votes for a node, or every voter was asked once; at once where nobody votes. Never rejects. */
  asked(): Promise<void>;
  /** Lets all isolated nodes in, gives up the running hook, and stops. Does not close the watcher. */
  close(): Promise<void>;
}

/**
 * Makes the failover manager of a watched cluster.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function createFailoverManager(options: FailoverManagerOptions): FailoverManager {
  const { watcher, targets, nodes = [], monitorCredentials, clock = systemClock, ...rest } = options;
  checkFailoverOptions('failover', rest);
  const { mode = failoverDefaults.mode } = rest;
  return mode === 'follow'
    ? new FollowingManager(watcher, targets, rest.cluster ?? 'stormlamp', clock, rest)
    : new ActingManager({ watcher, targets, nodes, monitorCredentials, clock, options: rest });
}
