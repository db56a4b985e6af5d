/** The composition root: plugs the rooms together and takes them apart in the right order. */
import { createTieredCache } from './cache/create-tiered-cache.js';
import type { TieredCache } from './cache/tiered-cache.js';
import { logCluster } from './cluster-log.js';
import {
  type ClusterOptions,
  checkClusterOptions,
  clusterOptionsFromEnvironment,
} from './cluster-options.js';
import { ErrorCode, StormlampError } from './common/stormlamp-error.js';
import { createFailoverManager, type FailoverManager } from './failover/failover-manager.js';
import type { ClusterTopology } from './mysql/cluster-topology.js';
import { createMysqlCluster, type MysqlCluster } from './mysql/mysql-cluster.js';
import { createSessionStore, type SessionStoreOf } from './session/create-session-store.js';
import type { FileSessionStore } from './session/file-session-store.js';
import type { SessionOptions } from './session/session-options.js';
import type { SessionStore } from './session/session-store.js';
import type { AnySessionOptions } from './session/store-options.js';

/**
 * One object for everything that a service shares with PHP. Made by {@link createCluster}.
 *
 * `Sessions` is the kind of its session store.
 */
export class Cluster<Sessions extends SessionStore | FileSessionStore = SessionStore> {
  readonly #mysql: MysqlCluster | undefined;
  readonly #sessions: Sessions | undefined;
  readonly #failover: FailoverManager | undefined;
  readonly #cache: TieredCache | undefined;
  #closed = false;

  /** @internal */
  constructor(parts: {
    readonly mysql: MysqlCluster | undefined;
    readonly sessions: Sessions | undefined;
    readonly failover: FailoverManager | undefined;
    readonly cache: TieredCache | undefined;
  }) {
    this.#mysql = parts.mysql;
    this.#sessions = parts.sessions;
    this.#failover = parts.failover;
    this.#cache = parts.cache;
  }

  /** The MySQL client. Reading it throws `ERR_INVALID_OPTION` when the cluster was made without `mysql`. */
  get mysql(): MysqlCluster {
    return configured(this.#mysql, 'mysql');
  }

  /** The session store. Reading it throws `ERR_INVALID_OPTION` when the cluster was made without `sessions`. */
  get sessions(): Sessions {
    return configured(this.#sessions, 'sessions');
  }

  /** The failover manager. Reading it throws `ERR_INVALID_OPTION` when the cluster was made without `mysql`. */
  get failover(): FailoverManager {
    return configured(this.#failover, 'mysql');
  }

  /** The cache. Reading it throws `ERR_INVALID_OPTION` when the cluster was made without `cache`. */
  get cache(): TieredCache {
    return configured(this.#cache, 'cache');
  }

  /** The present picture of the database nodes. Throws `ERR_INVALID_OPTION` when the cluster was made without `mysql`. */
  topology(): ClusterTopology {
    return this.mysql.topology();
  }

  /** Whether {@link Cluster.close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Waits for what is under way, then closes every connection. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#failover?.close();
    await Promise.all([this.#mysql?.close(), this.#sessions?.close(), this.#cache?.close()]);
  }

  /** Same as {@link Cluster.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Connects to the database and session nodes and starts to watch them. Without options the environment is read:
 * `STORMLAMP_MYSQL_PRIMARY`, `STORMLAMP_MYSQL_REPLICAS`, `STORMLAMP_MEMCACHED`.
 *
 * A node that is down while others answer does not stop the start. What is certainly a mistake does, and then nothing
 * is left running.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option; `ERR_ACCESS_DENIED`, `ERR_MISSING_PRIVILEGE` or
 * `ERR_PROTOCOL` naming the node; `ERR_NODE_UNREACHABLE` when no database node answers; `ERR_STORE_DOWN` when no
 * session node does.
 */
export async function createCluster<const S extends AnySessionOptions = SessionOptions>(
  options?: ClusterOptions<S>,
): Promise<Cluster<SessionStoreOf<S>>> {
  // The environment names memcached nodes only, whose store is the one that `S` stands for without options.
  const given = options ?? (clusterOptionsFromEnvironment(process.env) as ClusterOptions<S>);
  const wanted = checkClusterOptions(given);
  const [mysql, sessions] = await startTogether(wanted);
  let failover: FailoverManager | undefined;
  try {
    failover =
      mysql === undefined
        ? undefined
        : createFailoverManager({ ...mysql.failoverPorts(), ...wanted.failover });
    await failover?.start();
    const cache = wanted.cache === undefined ? undefined : createTieredCache(wanted.cache);
    if (wanted.logger !== undefined) logCluster(wanted.logger, { mysql, sessions, failover, cache });
    return new Cluster({ mysql, sessions, failover, cache });
  } catch (error) {
    await failover?.close();
    await Promise.all([mysql?.close(), sessions?.close()]);
    throw error;
  }
}

async function startTogether<const S extends AnySessionOptions>(
  options: ClusterOptions<S>,
): Promise<[MysqlCluster | undefined, SessionStoreOf<S> | undefined]> {
  const [mysql, sessions] = await Promise.allSettled([
    options.mysql === undefined ? undefined : createMysqlCluster(options.mysql),
    options.sessions === undefined ? undefined : createSessionStore(options.sessions),
  ]);
  if (mysql.status === 'fulfilled' && sessions.status === 'fulfilled') return [mysql.value, sessions.value];
  if (mysql.status === 'fulfilled') await mysql.value?.close();
  if (sessions.status === 'fulfilled') await sessions.value?.close();
  throw mysql.status === 'rejected' ? mysql.reason : (sessions as PromiseRejectedResult).reason;
}

function configured<T>(part: T | undefined, option: string): T {
  if (part !== undefined) return part;
  const message = `The cluster was created without \`${option}\`; pass \`${option}\` to createCluster()`;
  throw new StormlampError(ErrorCode.INVALID_OPTION, message);
}
