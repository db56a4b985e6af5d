/** The failover options of a process that an operator has started: it takes no part in what others do by themselves. */
import { createFailoverManager, type FailoverManager } from '../failover/failover-manager.js';
import type { FailoverOptions } from '../failover/failover-options.js';
import type { MysqlCluster } from '../mysql/mysql-cluster.js';

/** `options` for a manager that acts when it is told to, and never by itself. */
export function operatorFailover(options: FailoverOptions): FailoverOptions {
  const approve = (): { veto: string } => ({ veto: 'the command line decides nothing by itself' });
  return { ...options, mode: 'approve', automatic: false, hooks: { ...options.hooks, approve } };
}

/**
 * A manager that only looks: with accounts in `options` it asks the voters and reads the journal on the servers, else it goes by
 * what `mysql` sees. It is never started.
 */
export function lookingManager(mysql: MysqlCluster, options: FailoverOptions | undefined): FailoverManager {
  const isAble = options?.credentials !== undefined && options.replication !== undefined;
  return createFailoverManager({
    ...mysql.failoverPorts(),
    ...(isAble ? operatorFailover(options) : options),
  });
}
