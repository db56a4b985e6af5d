/** A client for who wants to see how a cluster is, whatever is wrong with it. */
import type { NodeId } from '../common/node-address.js';
import { withAllNames } from './expand-nodes.js';
import { MysqlCluster } from './mysql-cluster.js';
import { type MysqlOptions, resolveMysqlOptions } from './mysql-options.js';
import { lookAround } from './start-check.js';

/** What {@link observeMysqlCluster} resolves with. */
export interface ObservedCluster {
  /** The client; some of its nodes, or all, may be down, or no database servers at all. */
  readonly mysql: MysqlCluster;
  /** Why nodes that answer the monitor did not let the account of the statements in. */
  readonly refusals: ReadonlyMap<NodeId, Error>;
}

/**
 * Does what `createMysqlCluster` does, but takes nodes that are misconfigured as nodes that are down.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` or `ERR_UNSUPPORTED` naming the option; `ERR_TIMEOUT`.
 */
export async function observeMysqlCluster(options: MysqlOptions): Promise<ObservedCluster> {
  const mysql = new MysqlCluster(await withAllNames(resolveMysqlOptions(options)));
  let refusals: ReadonlyMap<NodeId, Error> = new Map();
  await mysql.start(async (core, deadline) => {
    refusals = await lookAround(core, deadline);
  });
  return { mysql, refusals };
}
