/**
 * Which replicas have transactions that their primary lacks, so that reads there may answer what nobody wrote to the primary; pure. A
 * look at the primary that is older than the one at the replica proves nothing: it may have become a replica of another one meanwhile,
 * and got them from there.
 */
import type { NodeId } from '../common/node-address.js';
import { errantTransactions, isOlderThanReplication, stillErrant } from './errant-transactions.js';
import type { Errant, NodeDescription } from './node-description.js';
import type { TopologyDescription } from './topology-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

/** Characters of a set of transactions that a message names, at most. */
const GTIDS_LIMIT = 200;

/** Whether `node` serves no reads because of transactions of its own. */
export function isErrant(
  node: NodeDescription,
  { errantReplicas = [] }: Pick<TopologyDescription, 'errantReplicas'>,
): boolean {
  if (node.state !== 'up' || node.errant?.state !== 'proven') return false;
  return errantReplicas !== 'all' && !errantReplicas.includes(node.id);
}

/** Why such a node serves none, in words that follow its name. */
export function errantWords({ errant }: UpNode): string {
  return `it has transactions that its primary lacks (${shortened(errant?.gtids ?? '')})`;
}

/** Sets of transactions may be long; who looks at them asks the server. */
export function shortened(gtids: string): string {
  return gtids.length <= GTIDS_LIMIT ? gtids : `${gtids.slice(0, GTIDS_LIMIT)}…`;
}

/**
 * The node with what it has that the primary `head` lacks, after something new was seen at `now`. What was found is kept as long as it
 * has that and the primary cannot be looked at.
 */
export function withErrant(
  node: NodeDescription,
  nodes: readonly NodeDescription[],
  head: NodeId | undefined,
  now: number | undefined,
): NodeDescription {
  if (node.state !== 'up') return node;
  const errant = errantOf(node, nodes, head, now);
  return errant === node.errant || JSON.stringify(errant) === JSON.stringify(node.errant)
    ? node
    : { ...node, errant };
}

function errantOf(
  node: UpNode,
  nodes: readonly NodeDescription[],
  head: NodeId | undefined,
  now: number | undefined,
): Errant | undefined {
  if (node.role === 'primary' || node.facts.group !== undefined) return undefined;
  const { errant: before, facts } = node;
  const way = wayTo(node, nodes, head);
  const [primary] = way ?? [];
  if (way === undefined || primary === undefined) return before && narrowed(before, node);
  // What a replica above it wrote came down to it.
  const writers = way.slice(1).map((each) => each.facts);
  const found = errantTransactions(facts, primary.facts, writers);
  if (found === '') return undefined;
  const kept = before === undefined ? '' : stillErrant(before.gtids, facts, primary.facts);
  const isOld = (gtids: string): boolean => isOlderThanReplication(gtids, facts, primary.facts);
  if (before === undefined || kept === '' || (before.state === 'doubtful' && !isOld(found)))
    return now === undefined ? undefined : { gtids: found, since: now, state: 'seen' };
  if (before.state !== 'seen') return { ...before, gtids: found };
  if (!way.every(({ seenAt }) => seenAt >= before.since)) return { ...before, gtids: kept };
  return { ...before, gtids: found, state: isOld(kept) ? 'doubtful' : 'proven' };
}

/** What is left of `before` on a node that cannot be compared. */
function narrowed(before: Errant, { facts }: UpNode): Errant | undefined {
  const gtids = stillErrant(before.gtids, facts);
  return gtids === '' ? undefined : { ...before, gtids };
}

/** The primary `head` and all replicas between it and `node`; undefined where they cannot be compared. */
function wayTo(
  { role, facts, upstream = [] }: UpNode,
  nodes: readonly NodeDescription[],
  head: NodeId | undefined,
): readonly UpNode[] | undefined {
  if (head === undefined || role !== 'replica' || facts.channels.length !== 1) return undefined;
  if (!upstream.includes(head)) return undefined;
  const way: UpNode[] = [];
  for (const id of [head, ...upstream.filter((each) => each !== head)]) {
    const above = nodes.find((each) => each.id === id);
    // The facts of a server that shows nothing are old: what they lack says nothing.
    if (above?.state !== 'up' || above.blind !== undefined || above.facts.group !== undefined)
      return undefined;
    if (above.facts.channels.length !== (id === head ? 0 : 1)) return undefined;
    way.push(above);
  }
  return way;
}
