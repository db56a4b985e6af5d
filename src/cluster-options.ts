/** What `createCluster` takes, from code or from the environment. */
import { type CacheOptions, resolveCacheOptions } from './cache/cache-options.js';
import { nodeIdOf } from './common/node-address.js';
import { invalidOption, rejectUnknownOptions } from './common/option-reader.js';
import { ErrorCode, StormlampError } from './common/stormlamp-error.js';
import { type Logger, logWriter } from './diagnostics/logger.js';
import { checkFailoverOptions, type FailoverOptions } from './failover/failover-options.js';
import { type MysqlOptions, resolveMysqlOptions } from './mysql/mysql-options.js';
import type { SessionOptions } from './session/session-options.js';
import { type AnySessionOptions, resolveStoreOptions, type StoreOptions } from './session/store-options.js';

/** Options of `createCluster`; leave out the parts that are not used. */
export interface ClusterOptions<Sessions extends AnySessionOptions = SessionOptions> {
  /** The database nodes. */
  readonly mysql?: MysqlOptions;
  /** Where PHP's sessions are: memcached `nodes`, `mounts` with files, or a `phpIni` that says it. */
  readonly sessions?: Sessions;
  /** What happens when the primary changes. Default `{ mode: 'follow' }`. */
  readonly failover?: FailoverOptions;
  /** The memcached nodes of the cache. */
  readonly cache?: CacheOptions;
  /**
   * Where to log what happens: pino, winston, `console`, or anything with the methods `error`, `warn`, `info` and `debug`.
   * Default: nothing is logged.
   */
  readonly logger?: Logger;
}

/** The environment variables that stand in for options. */
export const CLUSTER_VARIABLES: {
  readonly primary: string;
  readonly replicas: string;
  readonly memcached: string;
} = {
  /** URL of the primary. */
  primary: 'STORMLAMP_MYSQL_PRIMARY',
  /** URLs of replicas, separated by commas or blanks. */
  replicas: 'STORMLAMP_MYSQL_REPLICAS',
  /** memcached nodes as `host:port`, separated by commas or blanks, in the order of PHP's `session.save_path`. */
  memcached: 'STORMLAMP_MEMCACHED',
};

/**
 * The options that the environment gives.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` when no variable is set.
 */
export function clusterOptionsFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): ClusterOptions {
  const primary = env[CLUSTER_VARIABLES.primary];
  const replicas = words(env[CLUSTER_VARIABLES.replicas]);
  const nodes = words(env[CLUSTER_VARIABLES.memcached]);
  if ((primary === undefined || primary === '') && replicas.length === 0 && nodes.length === 0) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `createCluster() got no options, and none of ${Object.values(CLUSTER_VARIABLES).join(', ')} is set; pass options or set them`,
    );
  }
  if ((primary === undefined || primary === '') && replicas.length > 0) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `${CLUSTER_VARIABLES.replicas} is set, but ${CLUSTER_VARIABLES.primary} is not`,
    );
  }
  return {
    ...(primary === undefined || primary === '' ? {} : { mysql: { primary, replicas } }),
    ...(nodes.length === 0 ? {} : { sessions: { nodes } }),
  };
}

/**
 * Checks all options, and refuses unknown parts and a cluster of nothing. Gives them back with `mysql.monitor.share: true` put into
 * words: the processes of a site share what they see on the memcached nodes that their sessions are on.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option, `ERR_UNSUPPORTED` listing the settings of PHP.
 */
export function checkClusterOptions<O extends ClusterOptions<AnySessionOptions>>(options: O): O {
  rejectUnknownOptions('options', options, ['mysql', 'sessions', 'failover', 'cache', 'logger']);
  const { mysql, sessions, failover, cache, logger } = options;
  if (mysql === undefined && sessions === undefined && cache === undefined) {
    throw invalidOption('options', 'an object with at least one of `mysql`, `sessions` and `cache`', options);
  }
  if (failover !== undefined && mysql === undefined) {
    throw invalidOption('options.failover', 'left out when there is no `mysql`', failover);
  }
  if (logger !== undefined) logWriter('logger', logger);
  // All of them before anything is connected, so that a mistake in one part is not hidden by an outage in another.
  const store = sessions === undefined ? undefined : resolveStoreOptions(sessions);
  const checked = withSharedMonitor(options, store);
  if (checked.mysql !== undefined) resolveMysqlOptions(checked.mysql);
  if (cache !== undefined) resolveCacheOptions(cache);
  if (failover !== undefined) checkFailoverOptions('failover', failover);
  return checked;
}

/** By the checked options of the store: the nodes may be named by PHP's settings alone, and be reached at other addresses. */
function withSharedMonitor<O extends ClusterOptions<AnySessionOptions>>(
  options: O,
  store: StoreOptions | undefined,
): O {
  const { mysql } = options;
  if (mysql?.monitor?.share !== true || store?.kind !== 'memcached') return options;
  const { nodes, credentials, tls } = store.options;
  // Where they may be read by nobody else, what is shared may not be either, and a node that wants a login takes nothing without.
  const share = { memcached: nodes.map(({ address }) => nodeIdOf(address)), ...credentials, tls };
  return { ...options, mysql: { ...mysql, monitor: { ...mysql.monitor, share } } };
}

function words(text: string | undefined): readonly string[] {
  return (text ?? '').split(/[\s,]+/).filter((word) => word !== '');
}
