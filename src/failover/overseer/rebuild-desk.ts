/** Nodes whose data cannot go on: tells so once, and has them made anew by the user's hook, once, and one at a time from each source. */
import { type Clock, systemClock } from '../../common/clock.js';
import type { NodeId } from '../../common/node-address.js';
import type { Repair } from '../plan/plan-repair.js';
import type { RepairParts } from './repair-shop.js';

/** Why a node's data cannot go on. */
export type Obstacle = Extract<Repair, { kind: 'diverged' | 'purged' }>;

/** How long a node is left alone when somebody else is at work, milliseconds: nobody tells when he has done. */
const AGAIN_MS = 10_000;

/** What a node waits for. */
interface Wait {
  readonly source: NodeId;
  /** When to try again, monotonic milliseconds, unless this process itself makes another one anew from the source. */
  readonly until: number;
}

function keyOf(obstacle: Obstacle): string {
  return `${obstacle.kind} ${obstacle.kind === 'diverged' ? obstacle.gtids : ''}`;
}

/** Keeps an account of them. */
export class RebuildDesk {
  readonly #parts: Pick<RepairParts, 'record' | 'publish' | 'rebuild'>;
  readonly #clock: Clock;
  /** What was told about nodes that cannot be put right, so that it is told once. */
  readonly #told = new Map<NodeId, string>();
  /** The nodes that are made anew, and from which. */
  readonly #rebuilding = new Map<NodeId, NodeId>();
  /** Nodes whose turn comes when nobody makes another one anew from their source any more. */
  readonly #waiting = new Map<NodeId, Wait>();
  /** What the journal says about their waiting, so that it is said once. */
  readonly #saidOf = new Map<NodeId, string>();
  readonly #givenUp = new Set<NodeId>();

  /** Knows of none yet. */
  constructor(parts: Pick<RepairParts, 'record' | 'publish' | 'rebuild'>, clock: Clock = systemClock) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /** Nodes that serve nothing because their data is not that of the primary. */
  get diverged(): readonly NodeId[] {
    return [...this.#told.keys()];
  }

  /** Whether the data of `node` is being made anew by this process, by itself. */
  isAtWork(node: NodeId): boolean {
    return this.#rebuilding.has(node);
  }

  /** Whether this of `node` was told, and nothing is to be begun now, from `primary`. */
  isTold(node: NodeId, primary: NodeId, obstacle: Obstacle): boolean {
    if (this.#told.get(node) !== keyOf(obstacle)) return false;
    const wait = this.#waiting.get(node);
    if (wait === undefined) return true;
    // From another primary it may be begun at once.
    if (wait.source !== primary) return false;
    return this.#madeFrom(primary) !== undefined || this.#clock.now() < wait.until;
  }

  /** The data of `node` can go on. */
  canGoOn(node: NodeId): void {
    this.#told.delete(node);
    this.#waiting.delete(node);
    this.#saidOf.delete(node);
  }

  /** `node` is as it should be: when it cannot go on again, it is made anew again. */
  isWell(node: NodeId): void {
    this.canGoOn(node);
    this.#givenUp.delete(node);
  }

  /**
   * Tells that the data of `node` cannot go on, unless it was told, and begins to have it made anew from `primary`: now, or when
   * that is asked again and no other node is made anew from `primary` any more, by whomever.
   */
  cannotGoOn(node: NodeId, primary: NodeId, obstacle: Obstacle): void {
    if (this.#told.get(node) !== keyOf(obstacle)) this.#tell(node, primary, obstacle);
    this.#waiting.delete(node);
    // What failed once is for an operator: an attempt may begin with an empty node.
    if (this.#givenUp.has(node)) return;
    // MySQL copies to one at a time, and a second one that is refused would be given up; any other copy takes as long as both.
    const other = this.#madeFrom(primary);
    if (other === undefined) this.#begin(node, primary, obstacle);
    else this.#wait(node, primary, `${other} is being made anew from ${primary}`, Number.NEGATIVE_INFINITY);
  }

  #madeFrom(source: NodeId): NodeId | undefined {
    return [...this.#rebuilding].find(([, from]) => from === source)?.[0];
  }

  #wait(node: NodeId, source: NodeId, why: string, until: number): void {
    this.#waiting.set(node, { source, until });
    if (this.#saidOf.get(node) === why) return;
    this.#saidOf.set(node, why);
    this.#parts.record('rebuild-waits', 'rebuild', [node, source], `${node} is made anew later: ${why}`);
  }

  #begin(node: NodeId, primary: NodeId, obstacle: Obstacle): void {
    const [why, gtids] = reasonOf(obstacle);
    // It may take hours, in which other things have to be put right, and the primary may die.
    this.#rebuilding.set(node, primary);
    void this.#parts.rebuild(node, primary, why, gtids).then((result) => {
      this.#rebuilding.delete(node);
      if (typeof result === 'object' && result.passing === true) {
        this.#wait(node, primary, result.veto, this.#clock.now() + AGAIN_MS);
        return;
      }
      this.#saidOf.delete(node);
      if (result === 'rebuilt') this.#told.delete(node);
      else this.#givenUp.add(node);
    });
  }

  #tell(node: NodeId, primary: NodeId, obstacle: Obstacle): void {
    const { record, publish } = this.#parts;
    const [why, gtids] = reasonOf(obstacle);
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
    const detail = obstacle.kind === 'purged' ? obstacle.says : '';
    publish('rebuild-needed', { node, from: primary, why, gtids, detail });
  }
}

function reasonOf(obstacle: Obstacle): ['errant' | 'purged', string] {
  return obstacle.kind === 'diverged' ? ['errant', obstacle.gtids] : ['purged', ''];
}
