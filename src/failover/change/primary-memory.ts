/** Remembers what the primary was last seen to have, so that a failover can say what it loses. */
import type { Clock } from '../../common/clock.js';
import type { NodeId } from '../../common/node-address.js';
import type { TopologyWatcher } from '../../health/topology-watcher.js';
import type { Observation, SemiSync } from '../../topology/node-description.js';
import type { LastSeen } from '../plan/expected-loss.js';
import { missingOf, NO_TRANSACTIONS, readTransactions } from '../survey/transaction-set.js';

interface Look {
  readonly at: number;
  readonly gtids: string;
  readonly flavor: LastSeen['flavor'];
  readonly id: string;
  readonly applied: string | undefined;
  readonly isPartial: boolean;
  readonly semiSync: SemiSync | undefined;
  /** Since when a commit that waits now may have waited; none longer. */
  readonly waitsSince: number;
}

/** Watches the nodes; the last two good looks at each are kept, and since when its port is closed. */
export class PrimaryMemory {
  readonly #watcher: TopologyWatcher;
  readonly #leaseMs: number;
  readonly #clock: Clock;
  readonly #looks = new Map<NodeId, readonly Look[]>();
  readonly #deadSince = new Map<NodeId, number>();

  /** Begins to watch. `leaseMs`: for how long others may still write on a node when its vote is locked. */
  constructor(watcher: TopologyWatcher, leaseMs: number, clock: Clock) {
    this.#watcher = watcher;
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    watcher.on('node-observed', this.#onObserved);
  }

  /** What is remembered of `node`; undefined when it was never seen. */
  of(node: NodeId): LastSeen | undefined {
    const looks = this.#looks.get(node);
    const last = looks?.at(-1);
    if (last === undefined) return undefined;
    const before = looks?.at(-2);
    const { flavor, gtids, id, applied, isPartial } = last;
    const now = this.#clock.now();
    const deadSince = this.#deadSince.get(node);
    return {
      flavor,
      gtids,
      id,
      applied,
      isPartial,
      ...acknowledgementOf(last),
      seenAt: this.#clock.wall() - (now - last.at),
      agoMs: now - last.at,
      unseenMs: (deadSince ?? now + this.#leaseMs) - last.at,
      isDead: deadSince !== undefined,
      rate: before === undefined ? null : rateOf(before, last),
    };
  }

  /** Stops. */
  close(): void {
    this.#watcher.off('node-observed', this.#onObserved);
  }

  readonly #onObserved = (observation: Observation): void => {
    const { node, at } = observation;
    // What is silent may live; so may what was silent after it was dead.
    if (observation.ok || observation.failure !== 'refused') this.#deadSince.delete(node);
    else if (!this.#deadSince.has(node)) this.#deadSince.set(node, at);
    if (!observation.ok) return;
    const { facts } = observation;
    const { flavor, gtid, gtidState, semiSync } = facts;
    const before = this.#looks.get(node) ?? [];
    const look: Look = {
      at,
      flavor,
      // The log of a copy that never was a replica does not have the place where it began.
      gtids: flavor === 'mysql' ? gtid : [gtidState, gtid, facts.gtidApplied].filter(Boolean).join(','),
      id: facts.serverUuid ?? String(facts.serverId),
      applied: facts.gtidApplied,
      // Of MariaDB the log alone names everybody who ever wrote.
      isPartial:
        facts.channels.length > 0 ||
        !facts.replicationVisible ||
        (flavor === 'mariadb' && gtidState === undefined),
      semiSync,
      waitsSince: waitsSince(at, semiSync, before.at(-1)),
    };
    this.#looks.set(node, [...before.slice(-1), look]);
  };
}

/** Commits are acknowledged in their order: when more were than waited a look ago, none of these waits any more. */
function waitsSince(at: number, now: SemiSync | undefined, before: Look | undefined): number {
  if (now === undefined || now.waiting === 0) return at;
  if (before === undefined) return Number.NEGATIVE_INFINITY;
  const { acknowledged = 0, waiting = 0 } = before.semiSync ?? {};
  return (now.acknowledged ?? 0) - acknowledged > waiting ? before.at : before.waitsSince;
}

function acknowledgementOf({ at, semiSync, waitsSince: since }: Look): Pick<LastSeen, 'semiSync' | 'waits'> {
  if (semiSync?.active !== true || semiSync.acknowledgers === 0) return { semiSync: false };
  const { acknowledgers, timeoutMs, waitFor, afterSync, waitsAlone } = semiSync;
  if (timeoutMs === undefined || waitFor === undefined || afterSync === undefined || waitsAlone === undefined)
    return { semiSync: true };
  const waits = { acknowledgers, timeoutMs, waitFor, afterSync, waitsAlone, waitedMs: at - since };
  return { semiSync: true, waits };
}

function rateOf(before: Look, last: Look): number {
  const had = readTransactions(before.flavor, before.gtids) ?? NO_TRANSACTIONS;
  const has = readTransactions(last.flavor, last.gtids) ?? NO_TRANSACTIONS;
  return (missingOf(last.flavor, has, had).count * 1_000) / Math.max(1, last.at - before.at);
}
