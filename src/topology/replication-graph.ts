/** Who replicates from whom, as far as the known nodes tell. */
import type { NodeId } from '../common/node-address.js';
import type { NodeDescription, ReplicationChannel, ServerFacts } from './node-description.js';

/** The sources of all nodes, direct and indirect. */
export interface ReplicationGraph {
  /** The known nodes that the data of `id` comes from, nearest first; contains `id` itself in a ring. */
  upstreamOf(id: NodeId): readonly NodeId[];
  /** The known nodes that data passes from `head` to `id`; all above `id` when there is no `head`, or none that it comes from. */
  between(id: NodeId, head: NodeId | undefined): readonly NodeId[];
  /** The known node that a channel replicates from. */
  sourceOf(channel: ReplicationChannel): NodeId | undefined;
}

/** What is known about a node's server, also when it is down now. */
export function knownFacts(node: NodeDescription): ServerFacts | undefined {
  if (node.state === 'up') return node.facts;
  return node.state === 'down' ? node.lastFacts : undefined;
}

/**
 * Builds the graph. A channel's source is the node with that `server_id`, else the node with that address: replicas may know
 * their source by an address that clients never see.
 */
export function replicationGraph(nodes: readonly NodeDescription[]): ReplicationGraph {
  const byServerId = new Map<number, NodeDescription | null>();
  const byAddress = new Map<string, NodeId>();
  for (const node of nodes) {
    const { host, port } = node.address;
    if (host !== undefined) byAddress.set(addressKey(host, port), node.id);
    const serverId = knownFacts(node)?.serverId ?? 0;
    if (serverId !== 0) byServerId.set(serverId, named(byServerId.get(serverId), node));
  }
  const sourceOf = (channel: ReplicationChannel): NodeId | undefined =>
    byServerId.get(channel.sourceServerId)?.id ??
    byAddress.get(addressKey(channel.sourceHost, channel.sourcePort));

  const direct = new Map<NodeId, readonly NodeId[]>();
  for (const node of nodes) {
    const sources = (knownFacts(node)?.channels ?? []).map(sourceOf);
    direct.set(node.id, [...new Set(sources.filter((source) => source !== undefined))]);
  }
  const above = (id: NodeId, isEnd: (next: NodeId) => boolean): NodeId[] => {
    const seen = new Set(direct.get(id));
    // A Set's iterator also visits what is added while it runs.
    for (const next of seen) if (!isEnd(next)) for (const source of direct.get(next) ?? []) seen.add(source);
    return [...seen];
  };
  const closed = new Map<NodeId, readonly NodeId[]>();
  return {
    sourceOf,
    upstreamOf(id) {
      const upstream = closed.get(id) ?? above(id, () => false);
      closed.set(id, upstream);
      return upstream;
    },
    between(id, head) {
      const isEnd = (next: NodeId): boolean => next === head || next === id;
      return above(id, isEnd).filter((next) => !isEnd(next));
    },
  };
}

/** Of two nodes with one id, the id names neither, unless they are certainly one server under two names. */
function named(known: NodeDescription | null | undefined, node: NodeDescription): NodeDescription | null {
  if (known === undefined) return node;
  if (known === null || !isSameServer(known, node)) return null;
  return node.configuredRole === 'primary' && known.configuredRole !== 'primary' ? node : known;
}

/** Whether two nodes are certainly one server under two names: a copied data directory has the same uuid, too. */
export function isSameServer(one: NodeDescription, other: NodeDescription): boolean {
  const [mine, theirs] = [knownFacts(one), knownFacts(other)];
  if (mine === undefined || theirs === undefined || mine.serverUuid === undefined) return false;
  return mine.serverUuid === theirs.serverUuid && mayBeSameServer(mine, theirs);
}

/** Whether nothing tells the servers with these facts apart. */
export function mayBeSameServer(one: ServerFacts, other: ServerFacts): boolean {
  const isAlike = (a: string | undefined, b: string | undefined): boolean =>
    a === undefined || b === undefined || a === b;
  return (
    one.serverId === other.serverId &&
    isAlike(one.serverUuid, other.serverUuid) &&
    isAlike(one.ownName, other.ownName)
  );
}

function addressKey(host: string, port: number): string {
  return `${host.toLowerCase()}:${port}`;
}
