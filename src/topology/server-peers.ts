/** Which servers the known nodes name that are not known yet: sources, replicas, and members of the same group. */
import type { NodeId } from '../common/node-address.js';
import type { NodeDescription, ServerFacts } from './node-description.js';
import { knownFacts } from './replication-graph.js';

/** A server as another server names it. */
export interface ServerPeer {
  /** Its host, as that server knows it. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** Its `server_id`; 0 when it was not told. */
  readonly serverId: number;
}

/** An unknown server and the node that named it. */
export interface UnknownPeer extends ServerPeer {
  /** Who named it. */
  readonly namedBy: NodeId;
}

/**
 * The servers that `nodes` name and that none of them is. A server is known by its `server_id`, or by its address after
 * `translate`, which gives the address at which this process reaches what servers call otherwise; undefined when that is not known.
 */
export function unknownPeers(
  nodes: readonly NodeDescription[],
  translate: (address: string) => string | undefined,
): readonly UnknownPeer[] {
  const ids = new Set<number>();
  const addresses = new Set<string>();
  for (const node of nodes) {
    const serverId = knownFacts(node)?.serverId ?? 0;
    if (serverId !== 0) ids.add(serverId);
    addresses.add(node.id.toLowerCase());
  }
  const found = new Map<string, UnknownPeer>();
  for (const node of nodes) {
    if (node.state !== 'up') continue;
    for (const peer of namedBy(node.facts)) {
      if (peer.host === '' || peer.port < 1 || (peer.serverId !== 0 && ids.has(peer.serverId))) continue;
      const address = translate(peerAddress(peer));
      if (address === undefined || addresses.has(address.toLowerCase()) || found.has(address)) continue;
      found.set(address, { ...peer, ...splitAddress(address), namedBy: node.id });
    }
  }
  return [...found.values()];
}

/** `host:port`, an IPv6 host in brackets: the id of a node there. */
export function peerAddress({ host, port }: Pick<ServerPeer, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * What tells one server from another, whatever clients call them: its uuid (MySQL), its `server_id` and its own name, of which a
 * copied data directory, a forgotten setting and a copied machine repeat one each. The members of a Galera cluster may share a
 * `server_id`, and have ids as members. Undefined for a server that has nothing of that.
 */
export function identityOf(facts: ServerFacts): string | undefined {
  const { serverUuid, serverId, ownName, group } = facts;
  if (group?.memberId !== undefined) return `member ${group.memberId}`;
  if (serverUuid === undefined && serverId === 0) return undefined;
  return JSON.stringify([serverUuid, serverId, ownName]);
}

/** The sources, the replicas and the group of a server. */
function namedBy(facts: ServerFacts): readonly ServerPeer[] {
  const sources = facts.channels.map(({ sourceHost, sourcePort, sourceServerId }) => ({
    host: sourceHost,
    port: sourcePort,
    serverId: sourceServerId,
  }));
  return [...sources, ...(facts.peers ?? []), ...(facts.group?.members ?? [])];
}

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(address.slice(colon + 1)) };
}
