/** Nodes whose data cannot go on: tells so once, and has them made anew by the user's hook, once. */
import type { NodeId } from '../../common/node-address.js';
import type { Repair } from '../plan/plan-repair.js';
import type { RepairParts } from './repair-shop.js';

/** Why a node's data cannot go on. */
export type Obstacle = Extract<Repair, { kind: 'diverged' | 'purged' }>;

function keyOf(obstacle: Obstacle): string {
  return `${obstacle.kind} ${obstacle.kind === 'diverged' ? obstacle.gtids : ''}`;
}

/** Keeps an account of them. */
export class RebuildDesk {
  readonly #parts: Pick<RepairParts, 'record' | 'publish' | 'rebuild'>;
  /** What was told about nodes that cannot be put right, so that it is told once. */
  readonly #told = new Map<NodeId, string>();
  readonly #rebuilding = new Set<NodeId>();
  readonly #givenUp = new Set<NodeId>();

  /** Knows of none yet. */
  constructor(parts: Pick<RepairParts, 'record' | 'publish' | 'rebuild'>) {
    this.#parts = parts;
  }

  /** Nodes that serve nothing because their data is not that of the primary. */
  get diverged(): readonly NodeId[] {
    return [...this.#told.keys()];
  }

  /** Whether the data of `node` is being made anew by this process, by itself. */
  isAtWork(node: NodeId): boolean {
    return this.#rebuilding.has(node);
  }

  /** Whether this of `node` was told. */
  isTold(node: NodeId, obstacle: Obstacle): boolean {
    return this.#told.get(node) === keyOf(obstacle);
  }

  /** The data of `node` can go on. */
  canGoOn(node: NodeId): void {
    this.#told.delete(node);
  }

  /** `node` is as it should be: when it cannot go on again, it is made anew again. */
  isWell(node: NodeId): void {
    this.#told.delete(node);
    this.#givenUp.delete(node);
  }

  /** Tells that the data of `node` cannot go on, and begins to have it made anew from `primary`. */
  cannotGoOn(node: NodeId, primary: NodeId, obstacle: Obstacle): void {
    const { record, publish, rebuild } = this.#parts;
    const gtids = obstacle.kind === 'diverged' ? obstacle.gtids : '';
    this.#told.set(node, keyOf(obstacle));
    if (obstacle.kind === 'diverged') {
      const message =
        `${node} has ${obstacle.transactions} transactions that ${primary} lacks (${gtids}); it serves nothing and is left as it is. ` +
        'Look at them, then rebuild the node';
      record('node-diverged', 'diverged', [node], message);
      publish('node-diverged', { node, gtids, transactions: obstacle.transactions });
    } else {
      record(
        'node-diverged',
        'purged',
        [node],
        `${node} needs logs that ${primary} does not have any more; rebuild it${obstacle.says === '' ? '' : ` (it says: ${obstacle.says})`}`,
      );
    }
    const why = obstacle.kind === 'diverged' ? 'errant' : 'purged';
    const detail = obstacle.kind === 'purged' ? obstacle.says : '';
    publish('rebuild-needed', { node, from: primary, why, gtids, detail });
    // What failed once is for an operator: an attempt may begin with an empty node.
    if (this.#givenUp.has(node)) return;
    // It may take hours, in which other things have to be put right, and the primary may die.
    this.#rebuilding.add(node);
    void rebuild(node, primary, why, gtids).then((result) => {
      this.#rebuilding.delete(node);
      if (result === 'rebuilt') this.#told.delete(node);
      else this.#givenUp.add(node);
    });
  }
}
