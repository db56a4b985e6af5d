/** Remembers what the primary was last seen to have, so that a failover can say what it loses. */
import type { NodeId } from '../../common/node-address.js';
import type { TopologyWatcher } from '../../health/topology-watcher.js';
import type { Observation } from '../../topology/node-description.js';
import type { LastSeen } from '../plan/expected-loss.js';
import { missingOf, NO_TRANSACTIONS, readTransactions } from '../survey/transaction-set.js';

interface Look {
  readonly at: number;
  readonly gtids: string;
  readonly flavor: LastSeen['flavor'];
  readonly semiSync: boolean;
}

/** Watches the nodes; the last two good looks at each, and the first bad one since, are kept. */
export class PrimaryMemory {
  readonly #watcher: TopologyWatcher;
  readonly #looks = new Map<NodeId, readonly Look[]>();
  readonly #failedAt = new Map<NodeId, number>();

  /** Begins to watch. */
  constructor(watcher: TopologyWatcher) {
    this.#watcher = watcher;
    watcher.on('node-observed', this.#onObserved);
  }

  /** What is remembered of `node`; undefined when it was never seen. */
  of(node: NodeId, now: number): LastSeen | undefined {
    const looks = this.#looks.get(node);
    const last = looks?.at(-1);
    if (last === undefined) return undefined;
    const before = looks?.at(-2);
    const { flavor, gtids, semiSync } = last;
    return {
      flavor,
      gtids,
      semiSync,
      unseenMs: (this.#failedAt.get(node) ?? now) - last.at,
      rate: before === undefined ? null : rateOf(before, last),
    };
  }

  /** Stops. */
  close(): void {
    this.#watcher.off('node-observed', this.#onObserved);
  }

  readonly #onObserved = (observation: Observation): void => {
    const { node, at } = observation;
    if (!observation.ok) {
      if (!this.#failedAt.has(node)) this.#failedAt.set(node, at);
      return;
    }
    this.#failedAt.delete(node);
    const { flavor, gtid, gtidState, semiSync } = observation.facts;
    const look: Look = {
      at,
      flavor,
      gtids: gtidState ?? gtid,
      semiSync: semiSync?.active === true && semiSync.acknowledgers > 0,
    };
    this.#looks.set(node, [...(this.#looks.get(node) ?? []).slice(-1), look]);
  };
}

function rateOf(before: Look, last: Look): number {
  const had = readTransactions(before.flavor, before.gtids) ?? NO_TRANSACTIONS;
  const has = readTransactions(last.flavor, last.gtids) ?? NO_TRANSACTIONS;
  return (missingOf(last.flavor, has, had).count * 1_000) / Math.max(1, last.at - before.at);
}
