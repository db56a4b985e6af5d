/** The one implementation of {@link LocalCluster}: it only knows launchers, so processes and containers are the same. */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallOptions } from '../common/deadline.js';
import { invalidOption } from '../common/option-reader.js';
import { allowManyListeners } from '../common/shared-signal.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { dataTemplate } from './database/data-template.js';
import { DatabaseGroup } from './database/database-group.js';
import { DatabaseNode } from './database/database-node.js';
import { type LocalAccounts, localAccounts } from './database/local-accounts.js';
import { mariadbFlavor } from './database/mariadb-flavor.js';
import { mysqlFlavor } from './database/mysql-flavor.js';
import { type LocalPtHeartbeat, type PtHeartbeatOptions, startPtHeartbeat } from './database/pt-heartbeat.js';
import { FaultGroup, joinFaults } from './faults/fault-group.js';
import type { Fault, NodeFaults } from './faults/node-faults.js';
import type { LocalCluster, LocalConnectionOptions } from './local-cluster.js';
import type { ResolvedLocalClusterOptions } from './local-cluster-options.js';
import type { LocalDatabaseNode, LocalNode, LocalPhpSite } from './nodes/local-node.js';
import type { ManagedNode } from './nodes/managed-node.js';
import { createLocalMemcached } from './nodes/memcached-node.js';
import { iniText, type PhpIni, sessionIni } from './php/php-ini.js';
import { type PhpOptions, type PhpResult, runPhp } from './php/php-runner.js';
import { PhpSiteNode, type PhpSiteOptions, type PhpSiteSource } from './php/php-site.js';
import type { Guardian } from './process/guardian.js';
import type { LocalServerVersion, ServerLauncher } from './process/server-launcher.js';
import type { ServerName } from './servers/server-binaries.js';
import { temporaryStorage, usingStorage } from './storage-error.js';

/** What a cluster is started with. */
export interface StartedClusterOptions {
  /** What it is made of. */
  readonly options: ResolvedLocalClusterOptions;
  /** Its folder, empty. */
  readonly folder: string;
  /** Watches over the folder and the processes. */
  readonly guardian: Guardian;
  /** Starts the servers. */
  readonly launcher: ServerLauncher;
}

/** A running cluster. */
export class StartedCluster implements LocalCluster {
  readonly flavor: 'mariadb' | 'mysql';
  readonly folder: string;
  readonly database: string;
  readonly accounts: LocalAccounts;
  readonly faults: NodeFaults;
  readonly #given: StartedClusterOptions;
  #databases: DatabaseGroup;
  #memcached: readonly ManagedNode[] = [];
  readonly #sites: PhpSiteNode[] = [];
  #heartbeats = 0;
  readonly #scripts = new Set<Promise<PhpResult>>();
  readonly #scriptsEnd = new AbortController();
  #closing: Promise<void> | undefined;

  /** Makes an empty cluster. */
  constructor(given: StartedClusterOptions) {
    const { options, folder } = given;
    this.#given = given;
    this.flavor = options.flavor;
    this.folder = folder;
    this.database = options.database;
    this.accounts = localAccounts({
      user: options.user,
      ...(options.password === undefined ? {} : { password: options.password }),
    });
    this.#databases = this.#group([]);
    this.faults = new FaultGroup(() => this.#managed().map((node) => node.faults));
  }

  get versions(): Readonly<Partial<Record<ServerName, LocalServerVersion>>> {
    return this.#given.launcher.versions;
  }

  get primary(): LocalDatabaseNode {
    return this.#databases.primary;
  }

  get replicas(): readonly LocalDatabaseNode[] {
    return this.#databases.replicas;
  }

  get databases(): readonly LocalDatabaseNode[] {
    return this.#databases.nodes;
  }

  get memcached(): readonly LocalNode[] {
    return this.#memcached;
  }

  get nodes(): readonly LocalNode[] {
    return this.#managed();
  }

  /** Starts everything; on failure the caller closes the cluster. */
  async start(): Promise<void> {
    const { options } = this.#given;
    options.onProgress({ phase: 'start', message: 'starting the servers' });
    const results = await Promise.allSettled([this.#startDatabases(), this.#startMemcached()]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    options.onProgress({ phase: 'ready', message: 'all servers run' });
  }

  node(name: string): LocalNode {
    const found = this.#managed().find((node) => node.name === name);
    if (found !== undefined) return found;
    const names = this.#managed().map((node) => node.name);
    throw invalidOption('name', `one of ${names.join(', ')}`, name);
  }

  options(): LocalConnectionOptions {
    if (!this.#given.options.databases) {
      throw new StormlampError(
        ErrorCode.INVALID_OPTION,
        '`options()` tells databases, and this cluster was started with `databases: false`; name the session nodes with the `id` of each of `memcached`',
      );
    }
    const { app, monitor } = this.accounts;
    const url = (node: LocalNode): string =>
      `mysql://${encodeURIComponent(app.user)}:${encodeURIComponent(app.password)}@${node.id}/${this.database}`;
    return {
      mysql: {
        primary: url(this.primary),
        replicas: this.replicas.map(url),
        monitor: { credentials: { user: monitor.user, password: monitor.password } },
      },
      sessions: { nodes: this.#memcached.map((node) => node.id) },
    };
  }

  phpIni(): string {
    return iniText(this.#ini());
  }

  async php(script: string, options?: PhpOptions): Promise<PhpResult> {
    this.#checkOpen();
    const { signal } = this.#scriptsEnd;
    allowManyListeners(signal);
    const limits = options?.signal === undefined ? signal : AbortSignal.any([options.signal, signal]);
    const run = usingStorage(temporaryStorage(this.folder), () =>
      runPhp(this.#runner(), script, { ...options, signal: limits }),
    );
    this.#scripts.add(run);
    try {
      return await run;
    } finally {
      this.#scripts.delete(run);
    }
  }

  async phpSite(source: PhpSiteSource, options?: PhpSiteOptions): Promise<LocalPhpSite> {
    this.#checkOpen();
    return await usingStorage(temporaryStorage(this.folder), async () => {
      const site = await PhpSiteNode.create(this.#runner(), `web${this.#sites.length + 1}`, source, options);
      this.#sites.push(site);
      await site.start();
      return site;
    });
  }

  async ptHeartbeat(options?: PtHeartbeatOptions): Promise<LocalPtHeartbeat> {
    this.#checkOpen();
    this.#heartbeats += 1;
    return await startPtHeartbeat(
      {
        name: `heartbeat${this.#heartbeats}`,
        clusterFolder: this.folder,
        database: this.database,
        account: this.accounts.admin,
        primary: this.primary,
        launcher: this.#given.launcher,
      },
      options,
    );
  }

  async promote(node: LocalDatabaseNode, options: CallOptions = {}): Promise<void> {
    this.#checkOpen();
    await this.#databases.promote(this.#own(node), options);
  }

  async rejoin(node: LocalDatabaseNode): Promise<void> {
    this.#checkOpen();
    await this.#databases.rejoin(this.#own(node));
  }

  isolate(node: LocalNode): Fault {
    this.#checkOpen();
    const own = this.#managed().find((each) => each === node);
    if (own === undefined) throw invalidOption('node', 'a node of this cluster', node);
    const links =
      own instanceof DatabaseNode
        ? this.#databases.nodes
            .filter((each) => each !== own)
            .map((each) => each.proxy.partitionReplica(own.serverId))
        : [];
    return joinFaults('partition', [own.faults.partition(), ...links]);
  }

  async waitForReplication(options: CallOptions = {}): Promise<void> {
    this.#checkOpen();
    await this.#databases.waitForReplication(options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #startDatabases(): Promise<void> {
    const { options, folder, launcher, guardian } = this.#given;
    if (!options.databases) return;
    const flavor = options.flavor === 'mariadb' ? mariadbFlavor : mysqlFlavor;
    const template = await dataTemplate({
      name: `${flavor.name}-${launcher.versions[flavor.name]?.version ?? 'unknown'}`,
      fingerprint: await launcher.dataFingerprint(flavor.name),
      make: async (data) => {
        const work = join(folder, 'template');
        mkdirSync(work, { mode: 0o700 });
        await launcher.makeData(flavor.name, data, work);
        await rm(work, { recursive: true, force: true });
      },
      instead: join(folder, 'empty-data'),
      onFolder: (path) => guardian.watchFolder(path),
      onMake: () =>
        options.onProgress({ phase: 'data', message: `making the empty ${flavor.name} database, once` }),
    });
    const nodes = await Promise.all(
      Array.from({ length: options.replicas + 1 }, (_, index) =>
        DatabaseNode.create({
          name: `db${index + 1}`,
          serverId: index + 1,
          readOnly: index > 0,
          clusterFolder: folder,
          template,
          serverArgs: options.serverArgs.mysql,
          flavor,
          accounts: this.accounts,
          launcher,
          signal: options.signal,
        }),
      ),
    );
    this.#databases = this.#group(nodes);
    await this.#databases.start(options.database);
  }

  async #startMemcached(): Promise<void> {
    const { options, folder, launcher } = this.#given;
    this.#memcached = await Promise.all(
      Array.from({ length: options.memcached }, (_, index) =>
        createLocalMemcached({
          name: `cache${index + 1}`,
          clusterFolder: folder,
          serverArgs: options.serverArgs.memcached,
          launcher,
          signal: options.signal,
        }),
      ),
    );
    const results = await Promise.allSettled(this.#memcached.map((node) => node.start()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #close(): Promise<void> {
    const { guardian, launcher, options } = this.#given;
    this.#scriptsEnd.abort(
      new StormlampError(ErrorCode.CLOSED, 'The cluster was closed while a PHP script ran'),
    );
    await Promise.allSettled(this.#scripts);
    await Promise.all(this.#managed().map((node) => node.destroy()));
    await launcher.close();
    if (!options.keepFolder) await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    await guardian.end();
  }

  #managed(): readonly ManagedNode[] {
    return [...this.#databases.nodes, ...this.#memcached, ...this.#sites];
  }

  #group(nodes: readonly DatabaseNode[]): DatabaseGroup {
    return new DatabaseGroup(
      nodes,
      this.#given.options.flavor === 'mariadb' ? mariadbFlavor : mysqlFlavor,
      this.accounts,
    );
  }

  #own(node: LocalDatabaseNode): DatabaseNode {
    const found = this.#databases.nodes.find((own) => own === node);
    if (found !== undefined) return found;
    throw invalidOption('node', 'a database node of this cluster', node);
  }

  #ini(): PhpIni {
    return sessionIni(
      this.#memcached.map((node) => node.id),
      this.folder,
    );
  }

  #runner(): Parameters<typeof runPhp>[0] {
    return { clusterFolder: this.folder, ini: this.#ini(), launcher: this.#given.launcher };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new StormlampError(ErrorCode.CLOSED, 'The local cluster is closed; start another one');
    }
  }
}
