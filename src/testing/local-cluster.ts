/** A cluster of real servers on this machine. */
import type { CallOptions } from '../common/deadline.js';
import type { LocalAccounts } from './database/local-accounts.js';
import type { LocalPtHeartbeat, PtHeartbeatOptions } from './database/pt-heartbeat.js';
import type { Fault, NodeFaults } from './faults/node-faults.js';
import type { LocalDatabaseNode, LocalNode, LocalPhpSite } from './nodes/local-node.js';
import type { PhpOptions, PhpResult } from './php/php-runner.js';
import type { PhpSiteOptions, PhpSiteSource } from './php/php-site.js';
import type { LocalServerVersion } from './process/server-launcher.js';
import type { ServerName } from './servers/server-binaries.js';

/** What `createCluster` needs in order to use a local cluster. */
export interface LocalConnectionOptions {
  /** The databases, through their proxies. */
  readonly mysql: {
    /** The primary's URL with the application's account. */
    readonly primary: string;
    /** The replicas' URLs. */
    readonly replicas: string[];
    /** The account that may look at replication. */
    readonly monitor: { readonly credentials: { readonly user: string; readonly password: string } };
  };
  /** The memcached nodes, through their proxies, in the order that PHP has them in. */
  readonly sessions: { readonly nodes: string[] };
}

/** A running cluster. Nothing of it outlives `close()` or this process, however that ends. */
export interface LocalCluster extends AsyncDisposable {
  /** The kind of database. */
  readonly flavor: 'mariadb' | 'mysql';
  /** Versions of the servers and where they came from. */
  readonly versions: Readonly<Partial<Record<ServerName, LocalServerVersion>>>;
  /** The folder that holds everything. */
  readonly folder: string;
  /** The accounts of the databases. */
  readonly accounts: LocalAccounts;
  /** The name of the application's database. */
  readonly database: string;
  /** The primary, as started or promoted last. */
  readonly primary: LocalDatabaseNode;
  /** The other database nodes. */
  readonly replicas: readonly LocalDatabaseNode[];
  /** All database nodes: `db1`, `db2`, …, whatever their role. */
  readonly databases: readonly LocalDatabaseNode[];
  /** The memcached nodes: `cache1`, `cache2`, …. */
  readonly memcached: readonly LocalNode[];
  /** All nodes, PHP sites too. */
  readonly nodes: readonly LocalNode[];
  /**
   * The node called `name`, like `db2`.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` naming the nodes that there are.
   */
  node(name: string): LocalNode;
  /** Faults of all nodes at once. */
  readonly faults: NodeFaults;
  /**
   * Cuts `node` off from everybody: its clients, its replicas and, if it is a replica, its source. Only a fault of a
   * proxy: the processes themselves see silence.
   */
  isolate(node: LocalNode): Fault;
  /**
   * What to pass to `createCluster`, with the roles of this moment; of a cluster with `memcached: 0`, its `mysql` alone: a session
   * store needs a node.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for a cluster that was started with `databases: false`.
   */
  options(): LocalConnectionOptions;
  /** The text of a `php.ini` that makes PHP keep its sessions in this cluster. */
  phpIni(): string;
  /**
   * Runs a PHP script, a text with `<?php` in it, with the cluster's session settings.
   * Resolves when it has ended, whatever its exit code.
   *
   * @throws StormlampError `ERR_TIMEOUT` after `timeoutMs` (default 60 s), `ERR_ABORTED`.
   */
  php(script: string, options?: PhpOptions): Promise<PhpResult>;
  /** Serves a folder, or a router script that answers every request, with the cluster's session settings. */
  phpSite(source: PhpSiteSource, options?: PhpSiteOptions): Promise<LocalPhpSite>;
  /**
   * Starts Percona's `pt-heartbeat`, which writes the time into a table; for clusters started with
   * `ptHeartbeat: true`. It stays with its server whatever that becomes, and ends with the cluster.
   *
   * @throws StormlampError `ERR_SERVER_START` with what it wrote.
   */
  ptHeartbeat(options?: PtHeartbeatOptions): Promise<LocalPtHeartbeat>;
  /**
   * Makes `node` the primary with plain SQL, as an operator would who knows nothing of this package. The old primary,
   * if it is alive, becomes a read-only replica; everybody follows the new one.
   */
  promote(node: LocalDatabaseNode, options?: CallOptions): Promise<void>;
  /** Makes a node that has come back a read-only replica of the primary. */
  rejoin(node: LocalDatabaseNode): Promise<void>;
  /**
   * Resolves when every running replica has what the primary has now.
   *
   * @throws StormlampError `ERR_TIMEOUT` after `timeoutMs` (default 20 s) naming the replica and why it does not replicate.
   */
  waitForReplication(options?: CallOptions): Promise<void>;
  /** Ends every process and removes every file. Again: nothing. */
  close(): Promise<void>;
}
