/** Puts every server of a name that stands for several into its place. */
import { nodeIdOf } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { MysqlNodeConfig } from './connection-options.js';
import { createHostResolver, type HostResolver } from './host-resolver.js';
import type { ResolvedMysqlOptions } from './mysql-options.js';

/** A name, and the servers that it stands for. */
export interface ExpandedNode {
  /** What was configured. */
  readonly origin: MysqlNodeConfig;
  /** One node for every server; the configured one alone when the name stands for itself. */
  readonly nodes: readonly MysqlNodeConfig[];
}

/** The options with every name that stands for several servers replaced by these; without discovery only services are. */
export async function withAllNames(options: ResolvedMysqlOptions): Promise<ResolvedMysqlOptions> {
  const { nodes: origins, discovery } = options;
  if (discovery === undefined && origins.every(({ service }) => service !== true)) return options;
  const resolver = discovery?.resolver ?? createHostResolver();
  const expanded = await Promise.all(
    origins.map((origin) =>
      discovery === undefined && origin.service !== true
        ? { origin, nodes: [origin] }
        : expandNode(origin, resolver),
    ),
  );
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
  const { host, port } = origin.seed.address;
  if (host === undefined) return { origin, nodes: [origin] };
  if (origin.service === true) {
    const targets = await resolver.services(serviceName(host));
    if (targets.length > 0) return { origin, nodes: targets.map((target) => placedAt(origin, target)) };
    throw new StormlampError(
      ErrorCode.NODE_UNREACHABLE,
      `The DNS has no servers for the service ${serviceName(host)}; add SRV records, or list the servers themselves`,
    );
  }
  const addresses = await resolver.addresses(host);
  const nodes =
    addresses.length < 2
      ? [origin]
      : addresses.map((address) => placedAt(origin, { host: address, port: port ?? 0 }));
  return { origin, nodes };
}

/** The record of MySQL servers in a domain, unless a whole record name was given. */
export function serviceName(host: string): string {
  return host.startsWith('_') ? host : `_mysql._tcp.${host}`;
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
  return { ...origin, seed, service: false };
}
