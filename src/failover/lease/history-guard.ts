/**
 * Finds a primary that has lost what it once had: one that was restored from an older copy, or whose disk did not keep what was
 * acknowledged. It must take no writes, whatever its replicas' configuration says: they have what it lacks.
 */
import type { NodeId } from '../../common/node-address.js';
import type { TopologyWatcher } from '../../health/topology-watcher.js';
import type { Observation, ServerFacts } from '../../topology/node-description.js';
import {
  differenceOf,
  missingOf,
  NO_TRANSACTIONS,
  readTransactions,
  type TransactionSet,
  unionOf,
} from '../survey/transaction-set.js';

/** A look that was answered. */
type Answer = Extract<Observation, { ok: true }>;

/** Told that a node lacks what it wrote itself (`why`), and when it has it again (undefined). */
export type HistoryListener = (node: NodeId, why: string | undefined) => void;

/** Watches the nodes until it is closed. */
export class HistoryGuard {
  readonly #watcher: TopologyWatcher;
  readonly #tell: HistoryListener;
  readonly #looks = new Map<NodeId, Answer>();
  readonly #lost = new Set<NodeId>();

  /** Begins to watch. */
  constructor(watcher: TopologyWatcher, tell: HistoryListener) {
    this.#watcher = watcher;
    this.#tell = tell;
    watcher.on('node-observed', this.#onObserved);
  }

  /** Stops. */
  close(): void {
    this.#watcher.off('node-observed', this.#onObserved);
  }

  readonly #onObserved = (look: Observation): void => {
    if (!look.ok) return;
    const { node } = look;
    const before = this.#looks.get(node);
    const why = lostHistory(look, [...this.#looks.values()]);
    // What it had is kept until it has it again.
    if (why === undefined || before === undefined) this.#looks.set(node, look);
    if (why === undefined) {
      if (this.#lost.delete(node)) this.#tell(node, undefined);
    } else if (!this.#lost.has(node)) {
      this.#lost.add(node);
      this.#tell(node, why);
    }
  };
}

/** What `look` lacks of what the same server wrote, as earlier looks at it and at others show, in words; undefined when nothing. */
export function lostHistory(look: Answer, earlier: readonly Answer[]): string | undefined {
  const { facts, node } = look;
  // A replica gets what it lacks from its source; who refuses writes is looked at before it is made to take them.
  if (facts.channels.length > 0 || facts.readOnly) return undefined;
  const now = setOf(facts);
  // A commit that waits for a replica's acknowledgement is on the replica first.
  const mayBeBehind = (facts.semiSync?.waiting ?? 0) > 0;
  for (const each of earlier) {
    const isOwn = each.node === node;
    if (each.facts.flavor !== facts.flavor || (mayBeBehind && !isOwn)) continue;
    // Only what was read before can be expected now.
    if (each.at + each.latencyMs > look.at) continue;
    const had = writtenBy(facts, setOf(each.facts));
    const lost = facts.flavor === 'mysql' ? differenceOf(had, now) : beyond(had, now);
    if (lost.size === 0) continue;
    const { count, text } = missingOf(facts.flavor, had, now);
    const where = isOwn ? 'it had before' : `${each.node} has`;
    return `${node} lacks ${count} transactions of its own that ${where} (${text}): it was restored from an older copy, or its disk lost them`;
  }
  return undefined;
}

function setOf({ flavor, gtid, gtidState = '' }: ServerFacts): TransactionSet {
  const read = (text: string): TransactionSet =>
    readTransactions(flavor, text.replace(/\s/g, '')) ?? NO_TRANSACTIONS;
  return unionOf(read(gtid), read(gtidState));
}

/** What is later than everything in the same domain of MariaDB: a log that was begun anew does not name who wrote before. */
function beyond(had: TransactionSet, now: TransactionSet): TransactionSet {
  const last = new Map<string, bigint>();
  for (const [origin, intervals] of now) {
    const domain = origin.split('-')[0] ?? '';
    const end = intervals.at(-1)?.[1] ?? 0n;
    if (end > (last.get(domain) ?? 0n)) last.set(domain, end);
  }
  return new Map(
    [...had].filter(
      ([origin, intervals]) => (intervals.at(-1)?.[1] ?? 0n) > (last.get(origin.split('-')[0] ?? '') ?? 0n),
    ),
  );
}

/** The part of `set` that the server wrote itself. */
function writtenBy({ flavor, serverId, serverUuid }: ServerFacts, set: TransactionSet): TransactionSet {
  const isOwn = (origin: string): boolean =>
    flavor === 'mysql' ? origin.slice(0, 36) === serverUuid : origin.split('-')[1] === String(serverId);
  return new Map([...set].filter(([origin]) => isOwn(origin)));
}
