/** The one reducer of the cluster's picture: a topology and an observation give the next topology. */
import { freezeDeeply } from '../common/freeze-deeply.js';
import type { NodeId } from '../common/node-address.js';
import { deriveWriter } from './derive-writer.js';
import { withErrant } from './errant-replica.js';
import { groupWriter, isMember, memberRole } from './group-roles.js';
import { type LagRule, measuredLag, type PrimaryRecord, recordLacks, recordLook } from './measured-lag.js';
import { memberLag } from './member-lag.js';
import type { Alone, NodeDescription, NodeRole, NodeSeed, Observation } from './node-description.js';
import { type FilteringServer, filtersOnWay } from './replication-filters.js';
import { knownFacts, type ReplicationGraph, replicationGraph } from './replication-graph.js';
import { standingWarnings, unknownNames } from './standing-warnings.js';
import type { TopologyDescription, TopologyWarning, WriterState } from './topology-description.js';
import { lastLookAt, ownLagMs, updateNode } from './update-node.js';

/** Replicas that serve reads although something speaks against them. */
export type ExemptReplicas = Pick<TopologyDescription, 'partialReplicas' | 'errantReplicas'>;

/** The picture before anything was looked at. */
export function initialTopology(
  seeds: readonly NodeSeed[],
  lagRule?: LagRule,
  named: readonly NodeId[] = [],
  exempt: ExemptReplicas = {},
): TopologyDescription {
  const { partialReplicas, errantReplicas } = exempt;
  return freezeDeeply({
    ...(partialReplicas === undefined ? {} : { partialReplicas: copied(partialReplicas) }),
    ...(errantReplicas === undefined ? {} : { errantReplicas: copied(errantReplicas) }),
    ...(named.length === 0 ? {} : { named: [...named] }),
    ...(lagRule === undefined || lagRule === 'reported' ? {} : { lagRule }),
    epoch: 0,
    nodes: seeds.map((seed) => ({ ...seed, state: 'new' })),
    writer: { kind: 'no-primary' },
    warnings: [],
  });
}

/**
 * The picture after one more observation. Pure; nodes that the observation does not touch keep their identity.
 * An observation of an unknown node, or one older than what is known, changes nothing and gives the same object.
 */
export function observe(topology: TopologyDescription, observation: Observation): TopologyDescription {
  const index = topology.nodes.findIndex((node) => node.id === observation.node);
  const before = topology.nodes[index];
  if (before === undefined || observation.at < lastLookAt(before)) return topology;
  const answeredAt = observation.at + (observation.ok ? observation.latencyMs : 0);
  return derived(topology, topology.nodes.with(index, updateNode(before, observation)), answeredAt);
}

/** The picture with one more node, not looked at yet; the same object when the node is known. */
export function withNode(topology: TopologyDescription, seed: NodeSeed): TopologyDescription {
  if (topology.nodes.some((node) => node.id === seed.id)) return topology;
  return derived(topology, [...topology.nodes, { ...seed, state: 'new' }]);
}

/** The picture without a node that turned out to be another one under a second name. */
export function withoutNode(topology: TopologyDescription, id: NodeId): TopologyDescription {
  const nodes = topology.nodes.filter((node) => node.id !== id);
  return nodes.length === topology.nodes.length ? topology : derived(topology, nodes);
}

/** `now`: when the look was over that something is new by; left out when there was none. */
function derived(
  before: TopologyDescription,
  updated: readonly NodeDescription[],
  now?: number,
): TopologyDescription {
  const graph = replicationGraph(updated);
  const group = groupWriter(updated);
  const verdict = group ?? deriveWriter(updated, graph, before.lastPrimary);
  // A node that was not looked at yet may be the real primary; only a known primary stays what it is meanwhile.
  const hasBlanks = updated.some((node) => node.state === 'new');
  const isNew = verdict.writer.kind === 'primary' && verdict.writer.node !== before.lastPrimary;
  const found: WriterState = hasBlanks && isNew ? { kind: 'no-primary' } : verdict.writer;
  const writer = same(before.writer, found) ? before.writer : found;
  const primary = writer.kind === 'primary' ? writer.node : undefined;
  const isClassic = primary === undefined && group === undefined;
  const resting = isClassic ? restingPrimary(updated, graph) : undefined;
  // Members first: who replicates from one of them is as late as that one, too.
  const members = updated.map((node, index) =>
    node.state === 'up' && isMember(node) ? member(node, wasOf(before, node, index), updated, primary) : node,
  );
  const everywhere = members.map((node, index) =>
    placed(node, wasOf(before, node, index), { nodes: members, graph, writer, resting }, before),
  );
  const compared = everywhere.map((node) => withErrant(node, everywhere, primary ?? resting, now));
  const looked = recordOf(before, updated, primary);
  const isCompared = looked !== undefined && before.lagRule === 'compared';
  const record = isCompared ? recordLacks(looked, compared) : looked;
  const nodes = compared.map((node) => measured(node, record, before.lagRule));
  const warnings: TopologyWarning[] = [
    ...standingWarnings(nodes, primary, resting, verdict.warnings, before),
    ...unknownNames(nodes, before.named ?? []),
  ];
  const changed = primary !== undefined && primary !== before.lastPrimary;
  // Only what is new costs: nodes that stay the same are frozen already.
  return Object.freeze({
    epoch: before.epoch + (changed ? 1 : 0),
    nodes: freezeDeeply(nodes),
    writer: freezeDeeply(writer),
    warnings: freezeDeeply(same(before.warnings, warnings) ? before.warnings : warnings),
    lastPrimary: primary ?? before.lastPrimary,
    ...(before.named === undefined ? {} : { named: before.named }),
    ...(before.partialReplicas === undefined ? {} : { partialReplicas: before.partialReplicas }),
    ...(before.errantReplicas === undefined ? {} : { errantReplicas: before.errantReplicas }),
    ...(before.lagRule === undefined ? {} : { lagRule: before.lagRule, primaryRecord: record }),
  });
}

function wasOf(
  before: TopologyDescription,
  { id }: NodeDescription,
  index: number,
): NodeDescription | undefined {
  const there = before.nodes[index];
  return there?.id === id ? there : before.nodes.find((node) => node.id === id);
}

/** What is known of the primary's past; kept while there is none, for the replicas that are still compared with it. */
function recordOf(
  before: TopologyDescription,
  nodes: readonly NodeDescription[],
  primary: NodeId | undefined,
): PrimaryRecord | undefined {
  const known = before.primaryRecord;
  const node = before.lagRule === undefined ? undefined : nodes.find(({ id }) => id === primary);
  if (node?.state !== 'up') return known;
  const isOld = known?.node === node.id && known.looks.at(-1)?.at === node.seenAt;
  const isReturn = before.nodes.some(({ id, state }) => id === node.id && state === 'down');
  return isOld ? known : recordLook(known, node.id, node.facts, node.seenAt, isReturn);
}

/** The node with the lag that this process measured itself, where it does. */
function measured(
  node: NodeDescription,
  record: PrimaryRecord | undefined,
  rule: LagRule | undefined,
): NodeDescription {
  if (rule === undefined || node.state !== 'up' || node.lag === null) return node;
  const lag = measuredLag(node, record, rule);
  return lag.ms === node.lag.ms && lag.at === node.lag.at ? node : { ...node, lag };
}

/** A primary that only refuses writes: followed or configured, without a source, and nobody follows another server. */
function restingPrimary(nodes: readonly NodeDescription[], graph: ReplicationGraph): NodeId | undefined {
  const up = nodes.filter((node) => node.state === 'up');
  const found = up.filter((node) => {
    if (!node.facts.readOnly || node.facts.channels.length > 0 || !node.facts.replicationVisible)
      return false;
    const others = up.filter((other) => other !== node && other.facts.channels.length > 0);
    const followers = others.filter((other) => graph.upstreamOf(other.id).includes(node.id));
    return followers.length === others.length && (followers.length > 0 || node.configuredRole === 'primary');
  });
  return found.length === 1 ? found[0]?.id : undefined;
}

/** What is known of all nodes when each gets its place. */
interface Picture {
  readonly nodes: readonly NodeDescription[];
  readonly graph: ReplicationGraph;
  readonly writer: WriterState;
  /** The primary that only refuses writes. */
  readonly resting: NodeId | undefined;
}

/** The node with its role, the nodes above it and the lag along them. */
function placed(
  node: NodeDescription,
  was: NodeDescription | undefined,
  picture: Picture,
  { lastPrimary, partialReplicas }: TopologyDescription,
): NodeDescription {
  if (node.state !== 'up' || isMember(node)) return node;
  const { nodes, graph, writer, resting } = picture;
  const primary = writer.kind === 'primary' ? writer.node : undefined;
  const hasSource = node.facts.channels.length > 0;
  const isHead = node.id === primary || node.id === resting;
  const unchecked = !node.facts.replicationVisible && node.configuredRole === 'replica';
  const role: NodeRole = isHead ? 'primary' : hasSource || unchecked ? 'replica' : 'unknown';
  const upstream = graph.upstreamOf(node.id);
  const lag = hasSource && !isHead ? lagThrough(node, picture, lastPrimary) : null;
  const isAlone = role === 'unknown' && !node.facts.readOnly;
  const alone = isAlone ? aloneBeside(node, was, nodes, primary) : undefined;
  const mayLack = partialReplicas === 'all' || partialReplicas?.includes(node.id) === true;
  const partial = role === 'replica' && !mayLack ? partOf(node, picture, lastPrimary) : undefined;
  const next = { ...node, role, upstream, lag, alone, partial };
  return same(comparable(node), comparable(next)) ? node : next;
}

/** A member of a group with its role and lag. */
function member(
  node: Extract<NodeDescription, { state: 'up' }>,
  was: NodeDescription | undefined,
  nodes: readonly NodeDescription[],
  primary: NodeId | undefined,
): NodeDescription {
  const role = memberRole(node, primary);
  const { lag, lacks } = role === 'primary' ? { lag: null, lacks: undefined } : memberLag(node, was, nodes);
  const next = { ...node, role, upstream: [], lag, lacks, alone: undefined, errant: undefined };
  return same(comparable(node), comparable(next)) ? node : next;
}

/** The lag of a replica behind the head of its chain: what each replica between them lacks is lacking here too. */
function lagThrough(
  node: Extract<NodeDescription, { state: 'up' }>,
  { nodes, graph, writer }: Picture,
  lastPrimary: NodeId | undefined,
): { readonly ms: number | null; readonly at: number } {
  const known = (id: NodeId): NodeDescription | undefined => nodes.find((other) => other.id === id);
  const isLost = lastPrimary !== undefined && known(lastPrimary)?.state === 'down';
  const head = writer.kind === 'primary' ? writer.node : isLost ? lastPrimary : undefined;
  let ms = ownLagMs(node.facts);
  let at = node.seenAt;
  for (const id of graph.between(node.id, head)) {
    const above = known(id);
    if (above === undefined || above.state === 'new') continue;
    if (above.state === 'up' && isMember(above) && above.lag !== null) {
      ms = ms === null || above.lag.ms === null ? null : ms + above.lag.ms;
      at = Math.min(at, above.lag.at);
      continue;
    }
    const facts = knownFacts(above);
    if (facts === undefined || facts.channels.length === 0) continue;
    const aboveMs = ownLagMs(facts);
    ms = ms === null || aboveMs === null ? null : ms + aboveMs;
    // Of one that does not answer nobody knows what it has got since.
    at = Math.min(at, above.seenAt ?? at);
  }
  return { ms, at };
}

/** The filters between a replica and the primary that it follows, or followed; undefined when there are none. */
function partOf(
  { id, facts }: Extract<NodeDescription, { state: 'up' }>,
  { nodes, graph, writer, resting }: Picture,
  lastPrimary: NodeId | undefined,
): string | undefined {
  const top = writer.kind === 'primary' ? writer.node : (resting ?? lastPrimary);
  const known = (other: NodeId | undefined): FilteringServer[] => {
    const node = nodes.find((candidate) => candidate.id === other);
    const there = node === undefined ? undefined : knownFacts(node);
    return node === undefined || there === undefined ? [] : [{ id: node.id, facts: there }];
  };
  const isBelow = top !== undefined && graph.upstreamOf(id).includes(top);
  const filters = filtersOnWay({
    replica: { id, facts },
    between: graph.between(id, top).flatMap(known),
    head: isBelow ? known(top)[0] : undefined,
    isFromHead: (channel) => {
      const source = graph.sourceOf(channel);
      // Of several sources, only one is the primary's.
      return !isBelow || source === undefined || source === top || graph.upstreamOf(source).includes(top);
    },
  });
  return filters === '' ? undefined : filters;
}

/** How long a node has stood alone, and beside whom; remembered while it does. */
function aloneBeside(
  node: Extract<NodeDescription, { state: 'up' }>,
  was: NodeDescription | undefined,
  nodes: readonly NodeDescription[],
  primary: NodeId | undefined,
): Alone {
  const notBefore = was?.state === 'up' ? was.seenAt : Number.NEGATIVE_INFINITY;
  const alone: Alone = node.alone ?? { notBefore, since: node.seenAt };
  const living = nodes.find((other) => other.id === primary);
  return living?.state === 'up' && living.seenAt > alone.since ? { ...alone, beside: living.id } : alone;
}

function comparable(node: Extract<NodeDescription, { state: 'up' }>): unknown {
  return [
    node.role,
    node.upstream ?? null,
    node.lag,
    node.alone ?? null,
    node.partial ?? null,
    node.errant ?? null,
    node.lacks ?? null,
  ];
}

function copied(named: readonly NodeId[] | 'all'): readonly NodeId[] | 'all' {
  return named === 'all' ? named : [...named];
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
