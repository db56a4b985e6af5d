/** Clients for who wants to see how a cluster is, and changes nothing on its servers: no heartbeat, no share in what others see. */
import type { NodeId } from '../common/node-address.js';
import type { MysqlNodeConfig } from './connection-options.js';
import { withAllNames } from './expand-nodes.js';
import { MysqlCluster } from './mysql-cluster.js';
import { type MysqlOptions, type ResolvedMysqlOptions, resolveMysqlOptions } from './mysql-options.js';
import { lookAround } from './start-check.js';

/** What {@link observeMysqlCluster} resolves with. */
export interface ObservedCluster {
  /** The client; some of its nodes, or all, may be down, or no database servers at all. */
  readonly mysql: MysqlCluster;
  /** Why nodes that answer the monitor did not let the account of the statements in. */
  readonly refusals: ReadonlyMap<NodeId, Error>;
  /** How each node of its present topology is reached: those that are listed, or that a listed name stands for, and those that were found. */
  nodes(): readonly ObservedNode[];
}

/** A node, and whether only discovery knows it. */
export interface ObservedNode {
  /** How it is reached. */
  readonly config: MysqlNodeConfig;
  /** Whether another server has named it, or a name has come to stand for it. */
  readonly found: boolean;
}

/**
 * Does what `createMysqlCluster` does, but takes nodes that are misconfigured as nodes that are down.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` or `ERR_UNSUPPORTED` naming the option; `ERR_TIMEOUT`.
 */
export async function observeMysqlCluster(options: MysqlOptions): Promise<ObservedCluster> {
  const resolved = await resolveForLooks(options);
  const mysql = new MysqlCluster(resolved);
  const listed = new Set(resolved.nodes.map(({ seed }) => seed.id));
  let refusals: ReadonlyMap<NodeId, Error> = new Map();
  let configOf: (node: NodeId) => MysqlNodeConfig;
  await mysql.start(async (core, deadline) => {
    configOf = (node) => core.configOf(node);
    refusals = await lookAround(core, deadline);
  });
  const nodes = (): readonly ObservedNode[] =>
    mysql.topology().nodes.map(({ id }) => ({ config: configOf(id), found: !listed.has(id) }));
  return { mysql, refusals, nodes };
}

/** Does what `createMysqlCluster` does, mistakes and all, without a trace on the servers. Errors: as that. */
export async function createLookingCluster(options: MysqlOptions): Promise<MysqlCluster> {
  const mysql = new MysqlCluster(await resolveForLooks(options));
  await mysql.start();
  return mysql;
}

async function resolveForLooks(options: MysqlOptions): Promise<ResolvedMysqlOptions> {
  return await withAllNames({ ...resolveMysqlOptions(options), looksOnly: true });
}
