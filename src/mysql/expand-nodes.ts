/** Puts every server of a name that stands for several into its place. */
import { isIP } from 'node:net';
import { nodeIdOf } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { MysqlNodeConfig } from './connection-options.js';
import { createHostResolver, type HostResolver } from './host-resolver.js';
import type { ResolvedMysqlOptions } from './mysql-options.js';

/** What a name stands for. */
export interface ExpandedNode {
  /** One node for every server; the configured one alone when the name stands for itself. */
  readonly nodes: readonly MysqlNodeConfig[];
  /** The addresses of the name; left out for a service, and for what is no name. */
  readonly addresses?: readonly string[];
}

/** The options with every name that stands for several servers replaced by these; without discovery only services are. */
export async function withAllNames(options: ResolvedMysqlOptions): Promise<ResolvedMysqlOptions> {
  const { nodes: origins, discovery } = options;
  if (discovery === undefined && origins.every(({ service }) => service !== true)) return options;
  const resolver = discovery?.resolver ?? createHostResolver();
  const failures: unknown[] = [];
  const expanded = await Promise.all(
    origins.map(async (origin) => {
      if (discovery === undefined && origin.service !== true) return { nodes: [origin] };
      try {
        return await expandNode(origin, resolver);
      } catch (error) {
        // Without discovery nobody looks it up again. With it, that is told there, and a name may be connected to as it is.
        if (discovery === undefined) throw error;
        failures.push(error);
        return { nodes: origin.service === true ? [] : [origin] };
      }
    }),
  );
  if (failures.length > 0 && expanded.every(({ nodes }) => nodes.length === 0)) throw failures[0];
  const byId = new Map<string, MysqlNodeConfig>();
  for (const { nodes } of expanded) {
    for (const node of nodes) if (!byId.has(node.seed.id)) byId.set(node.seed.id, node);
  }
  return { ...options, nodes: [...byId.values()], origins };
}

/**
 * A name with one address stays a name, so that a change of the DNS is followed with the next connection; of one with several,
 * every address is a node.
 *
 * @throws StormlampError `ERR_NODE_UNREACHABLE` for a service (`mysql+srv:`) without servers.
 */
export async function expandNode(origin: MysqlNodeConfig, resolver: HostResolver): Promise<ExpandedNode> {
  const { host } = origin.seed.address;
  if (host === undefined) return { nodes: [origin] };
  if (origin.service === true) {
    const targets = await resolver.services(serviceName(host));
    if (targets.length > 0) return { nodes: targets.map((target) => placedAt(origin, target)) };
    throw new StormlampError(
      ErrorCode.NODE_UNREACHABLE,
      `The DNS has no servers for the service ${serviceName(host)}; add SRV records, or list the servers themselves`,
    );
  }
  if (isIP(host) !== 0) return { nodes: [origin] };
  const addresses = await resolver.addresses(host);
  return { nodes: addresses.length < 2 ? [origin] : nodesAt(origin, addresses), addresses };
}

/** The record of MySQL servers in a domain, unless a whole record name was given. */
export function serviceName(host: string): string {
  return host.startsWith('_') ? host : `_mysql._tcp.${host}`;
}

/** A node at each of the addresses of the name that `origin` is called by. */
export function nodesAt(origin: MysqlNodeConfig, addresses: readonly string[]): readonly MysqlNodeConfig[] {
  const { host: name, port } = origin.seed.address;
  if (name === undefined) return [origin];
  return addresses.map((host) => ({ ...placedAt(origin, { host, port }), name }));
}

/** The same account and settings for another server; of several servers of one name only one can be the primary. */
export function placedAt(
  origin: MysqlNodeConfig,
  { host, port }: { readonly host: string; readonly port: number },
): MysqlNodeConfig {
  const address = { host, port } as const;
  const { configuredRole } = origin.seed;
  const seed = Object.freeze({
    ...origin.seed,
    id: nodeIdOf(address),
    address,
    configuredRole: configuredRole === 'primary' ? ('any' as const) : configuredRole,
  });
  return { ...origin, seed, service: false, name: undefined };
}
