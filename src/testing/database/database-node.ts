/** A database server of a local cluster. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminConnection } from '../admin-connection.js';
import { FaultProxy } from '../faults/fault-proxy.js';
import type { DatabaseRow, LocalDatabaseNode } from '../nodes/local-node.js';
import { ManagedNode } from '../nodes/managed-node.js';
import { LOCAL_HOST } from '../process/free-port.js';
import type { ServerLauncher } from '../process/server-launcher.js';
import { copyData } from './data-template.js';
import type { DatabaseFlavor } from './database-flavor.js';
import type { LocalAccounts } from './local-accounts.js';

/** What a database node is made of. */
export interface DatabaseNodeOptions {
  /** Its name. */
  readonly name: string;
  /** Its `server_id`. */
  readonly serverId: number;
  /** Whether its configuration says `read_only`. */
  readonly readOnly: boolean;
  /** The cluster's folder. */
  readonly clusterFolder: string;
  /** The folder that holds an empty database. */
  readonly template: string;
  /** Arguments that come last. */
  readonly serverArgs: readonly string[];
  /** The kind of server. */
  readonly flavor: DatabaseFlavor;
  /** Who may log in. */
  readonly accounts: LocalAccounts;
  /** Starts it. */
  readonly launcher: ServerLauncher;
  /** Ends a start that is under way. */
  readonly signal: AbortSignal | undefined;
}

/** A {@link LocalDatabaseNode}. */
export class DatabaseNode extends ManagedNode implements LocalDatabaseNode {
  readonly serverId: number;
  readonly socketPath: string;
  role: 'primary' | 'replica';
  /** What `read_only` is set to when the server starts: its configuration file, so to say. */
  startsReadOnly: boolean;
  readonly #admin: AdminConnection;

  /** Makes the node's folder with its data, and its proxy; starts nothing. */
  static async create(options: DatabaseNodeOptions): Promise<DatabaseNode> {
    const { name, flavor, accounts, launcher } = options;
    const folder = join(options.clusterFolder, name);
    const dataDir = join(folder, 'data');
    const tmpDir = join(folder, 'tmp');
    mkdirSync(tmpDir, { recursive: true, mode: 0o700 });
    const initFile = join(folder, 'init.sql');
    const initSql = flavor.initSql(accounts).map((statement) => `${statement};\n`);
    writeFileSync(initFile, initSql.join(''), { mode: 0o600 });
    await copyData(options.template, dataDir);
    const proxy: FaultProxy = await FaultProxy.open(() => node.realPort, accounts.repl.user);
    const socketPath = launcher.socketPath(folder);
    const node: DatabaseNode = new DatabaseNode(
      options,
      socketPath,
      new AdminConnection({ name, port: () => node.realPort, account: accounts.admin }),
      {
        proxy,
        logFile: join(folder, 'server.log'),
        launch: async (port) => {
          for (const file of readdirSync(dataDir).filter((each) => flavor.isDisposable(each))) {
            rmSync(join(dataDir, file), { force: true });
          }
          return await launcher.launch({
            server: flavor.name,
            name,
            folder,
            logFile: join(folder, 'server.log'),
            args: [
              ...launcher.databaseArgs(flavor.name),
              ...flavor.serverArgs({
                dataDir,
                tmpDir,
                socketPath,
                initFile,
                port,
                serverId: options.serverId,
                reported: { host: LOCAL_HOST, port: proxy.port },
                readOnly: node.startsReadOnly,
              }),
              ...options.serverArgs,
            ],
          });
        },
      },
    );
    return node;
  }

  private constructor(
    options: DatabaseNodeOptions,
    socketPath: string,
    admin: AdminConnection,
    life: {
      readonly proxy: FaultProxy;
      readonly logFile: string;
      readonly launch: ConstructorParameters<typeof ManagedNode>[0]['launch'];
    },
  ) {
    super({
      ...life,
      name: options.name,
      signal: options.signal,
      // Being let in as this cluster's administrator proves that it is this server and that its start is complete.
      isReady: () => admin.answers(),
      onEnd: () => admin.close(),
    });
    this.#admin = admin;
    this.serverId = options.serverId;
    this.socketPath = socketPath;
    this.startsReadOnly = options.readOnly;
    this.role = options.readOnly ? 'replica' : 'primary';
  }

  query<T extends DatabaseRow = DatabaseRow>(sql: string, params: readonly unknown[] = []): Promise<T[]> {
    return this.#admin.query<T>(sql, params);
  }

  /** Runs several statements one after the other. */
  async run(statements: readonly string[]): Promise<void> {
    for (const statement of statements) await this.#admin.query(statement);
  }

  /** {@link LocalDatabaseNode.query} on a connection of its own, for statements that wait. */
  async queryApart<T extends DatabaseRow>(
    sql: string,
    account: LocalAccounts['admin'],
    timeoutMs: number,
  ): Promise<T[]> {
    const connection = new AdminConnection({ name: this.name, port: () => this.realPort, account });
    try {
      return await connection.query<T>(sql, [], timeoutMs);
    } finally {
      connection.close();
    }
  }

  override async destroy(): Promise<void> {
    await super.destroy();
    this.#admin.close();
  }
}
