/** Which nodes may take a call, as a pure function of the topology; who of them takes it is decided by a balance. */
import type { NodeId } from '../common/node-address.js';
import { errantWords, isErrant } from './errant-replica.js';
import type { GtidPosition } from './gtid-position.js';
import { type NodeDescription, whyDown } from './node-description.js';
import type { ReadPreference } from './read-preference.js';
import { type LagLimits, unfitness } from './replica-freshness.js';
import type { TopologyDescription } from './topology-description.js';

/** A node that answers. */
type UpNode = Extract<NodeDescription, { state: 'up' }>;

/** What a call asks of a node. */
export interface SelectionCriteria extends LagLimits {
  /** Which roles may serve. */
  readonly preference: ReadPreference;
  /** Whether it is for a write, which a primary that only refuses writes cannot serve. Default false. */
  readonly forWrite?: boolean | undefined;
  /** The node that a majority votes for, where voters vote: no other one is read from as the primary, whatever it looks like. */
  readonly voted?: NodeId | undefined;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Whether the node's breaker and pool take calls. Must be free to ask. */
  readonly allows: (node: NodeId) => boolean;
  /** Nodes that this call already tried: taken again only when nothing else is left. */
  readonly avoid?: ReadonlySet<NodeId> | undefined;
  /** Nodes of this zone are preferred among equals. */
  readonly zone?: string | undefined;
  /** The node that serves as long as it may, whatever its role: "this web server reads from the primary". */
  readonly affinity?: NodeId | undefined;
  /** What a replica must have applied, and whether it is known to have; the primary has everything of its own. */
  readonly causal?:
    | { readonly wanted: GtidPosition; readonly reached: (node: NodeDescription) => boolean }
    | undefined;
  /**
   * Nodes that are slower than the fastest by more than this, in milliseconds, do not serve. Default 15 with `nearest`, else
   * no limit.
   */
  readonly latencyWindowMs?: number | undefined;
}

/** A node that was not taken. */
export interface RejectedNode {
  /** The node. */
  readonly node: NodeId;
  /** Why, in words that follow the node's name. */
  readonly reason: string;
}

/** The nodes that may take the call. */
export interface Selection {
  /** Any of these may take it; empty when none may. */
  readonly candidates: readonly NodeDescription[];
  /** All other nodes, worked out when asked for. */
  readonly rejected: readonly RejectedNode[];
}

/** Default of {@link SelectionCriteria.latencyWindowMs} with `nearest`. */
const NEAREST_WINDOW_MS = 15;

/** Finds the nodes of `topology` that satisfy `criteria`. */
export function selectNodes(topology: TopologyDescription, criteria: SelectionCriteria): Selection {
  const candidates = candidatesOf(topology, criteria);
  let rejected: readonly RejectedNode[] | undefined;
  return {
    candidates,
    get rejected() {
      rejected ??= rejections(topology, criteria, candidates);
      return rejected;
    },
  };
}

function candidatesOf(topology: TopologyDescription, criteria: SelectionCriteria): readonly UpNode[] {
  const { preference, avoid } = criteria;
  const tiers = tiersOf(topology, criteria);
  if (criteria.affinity !== undefined) {
    const near = tiers.flat().find((node) => node.id === criteria.affinity);
    if (near !== undefined && avoid?.has(near.id) !== true) return [near];
  }
  if (avoid !== undefined && avoid.size > 0) {
    for (const tier of tiers) {
      const untried = tier.filter((node) => !avoid.has(node.id));
      if (untried.length > 0) return narrowed(untried, criteria, preference);
    }
  }
  return narrowed(tiers.find((tier) => tier.length > 0) ?? [], criteria, preference);
}

/** The nodes that may serve, in groups of falling preference. */
function tiersOf(topology: TopologyDescription, criteria: SelectionCriteria): UpNode[][] {
  const replicas: UpNode[] = [];
  const primary: UpNode[] = [];
  for (const node of topology.nodes) {
    if (node.state !== 'up' || obstacle(node, topology, criteria) !== undefined) continue;
    (node.role === 'replica' ? replicas : primary).push(node);
  }
  switch (criteria.preference) {
    case 'primary':
      return [primary];
    case 'replica':
      return [replicas];
    case 'primary-preferred':
      return [primary, replicas];
    case 'replica-preferred':
      return [replicas, primary];
    case 'nearest':
      return [[...replicas, ...primary]];
  }
}

/** Why the node may not serve under `criteria`; undefined when it may. */
function obstacle(
  node: UpNode,
  topology: TopologyDescription,
  criteria: SelectionCriteria,
): string | undefined {
  const { preference, voted } = criteria;
  // The voters may know of a new primary before the picture shows it as one.
  const hasVotes = voted === node.id && !node.facts.readOnly;
  if (node.role === 'unknown' && !hasVotes) return 'it is neither the primary nor a replica';
  if (node.role === 'replica') {
    if (preference === 'primary') return 'it is a replica';
    if (node.partial !== undefined) return `it has only a part of the data (${node.partial})`;
    if (isErrant(node, topology)) return errantWords(node);
    const unfit = unfitness(node, topology, criteria, criteria.now);
    if (unfit !== undefined) return unfit;
  } else {
    if (preference === 'replica') return 'it is the primary';
    if (voted !== undefined && voted !== node.id) return `a majority votes for ${voted}`;
    const { writer, lastPrimary = node.id } = topology;
    if (writer.kind === 'split-brain' && !hasVotes) return 'other nodes claim to be the primary';
    const isResting = writer.kind === 'no-primary' && !hasVotes;
    if (criteria.forWrite === true && isResting) return 'it takes no writes';
    // Until it takes writes, the one before it may live where nobody here sees it, and have newer data.
    if (preference === 'primary' && isResting && lastPrimary !== node.id)
      return `it takes no writes, and was not yet seen to take the place of ${lastPrimary}`;
  }
  if (!criteria.allows(node.id)) return 'its breaker is open';
  const { causal } = criteria;
  if (causal !== undefined && node.role === 'replica' && !causal.reached(node)) {
    return `it was not yet seen at ${causal.wanted.text}`;
  }
  return undefined;
}

function narrowed(
  nodes: readonly UpNode[],
  criteria: SelectionCriteria,
  preference: ReadPreference,
): readonly UpNode[] {
  if (nodes.length < 2) return nodes;
  let left = preferring(nodes, (node) => node.weight > 0);
  if (criteria.zone !== undefined) left = preferring(left, (node) => node.zone === criteria.zone);
  const window = criteria.latencyWindowMs ?? (preference === 'nearest' ? NEAREST_WINDOW_MS : undefined);
  if (window !== undefined) {
    const fastest = Math.min(...left.map((node) => node.latencyMs));
    left = left.filter((node) => node.latencyMs <= fastest + window);
  }
  return left;
}

/** The nodes that satisfy `wish`, or all of them when none does. */
function preferring(nodes: readonly UpNode[], wish: (node: UpNode) => boolean): readonly UpNode[] {
  if (nodes.every(wish)) return nodes;
  const wished = nodes.filter(wish);
  return wished.length > 0 ? wished : nodes;
}

function rejections(
  topology: TopologyDescription,
  criteria: SelectionCriteria,
  candidates: readonly NodeDescription[],
): readonly RejectedNode[] {
  return topology.nodes
    .filter((node) => !candidates.includes(node))
    .map((node) => ({ node: node.id, reason: reasonAgainst(node, topology, criteria) }));
}

/** Why `node` may not serve under `criteria`, whatever may be said of other nodes; undefined when it may. */
export function whyUnfit(
  node: NodeDescription,
  topology: TopologyDescription,
  criteria: SelectionCriteria,
): string | undefined {
  if (node.state === 'new') return 'it was not looked at yet';
  if (node.state === 'down') return whyDown(node);
  return obstacle(node, topology, criteria);
}

function reasonAgainst(
  node: NodeDescription,
  topology: TopologyDescription,
  criteria: SelectionCriteria,
): string {
  const reason = whyUnfit(node, topology, criteria);
  if (reason !== undefined) return reason;
  if (criteria.avoid?.has(node.id) === true) return 'it was already tried';
  return 'another node is preferred';
}
