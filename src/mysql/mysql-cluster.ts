/** The MySQL client: one object in place of a mysql2 pool, over a primary and its replicas. */
import type {
  ConnectionOptions,
  Pool as CorePool,
  ExecuteValues,
  FieldPacket,
  QueryResult,
  QueryValues,
} from 'mysql2';
import type { PoolConnection } from 'mysql2/promise';
import type { BreakerState } from '../breaker/node-breaker.js';
import { type CallOptions, Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { isStatementTraced, traceStatement } from '../diagnostics/statement-trace.js';
import { withCaller } from './call-site.js';
import { CallbackPool } from './callback-pool.js';
import { causalToken } from './causal-token.js';
import { CheckedOut, limitedHost } from './checked-out.js';
import { ClusterCore } from './cluster-core.js';
import type { NodeStats } from './cluster-node.js';
import { type ClusterTopology, phaseOf, TopologyView } from './cluster-topology.js';
import { publicConfig } from './connection-settings.js';
import type { CoreListeners } from './core-listeners.js';
import type { DeferredCommand } from './deferred-command.js';
import { withAllNames } from './expand-nodes.js';
import { explainRoute, type RouteExplanation } from './explain.js';
import type { MysqlClusterEvents } from './mysql-events.js';
import type { MysqlFailoverPorts } from './mysql-failover-ports.js';
import { type MysqlOptions, type ResolvedMysqlOptions, resolveMysqlOptions } from './mysql-options.js';
import { PoolOnly, strayBegin } from './pool-only.js';
import { checkPoolSize, type PoolSize } from './pool-options.js';
import type { MysqlConnection } from './promise-connection.js';
import { type ReadFitness, readFitness } from './read-fitness.js';
import { tellFitness } from './replica-fitness.js';
import type { MysqlScope, ScopeView } from './scope.js';
import type { ServerPorts } from './server-ports.js';
import { SqlText } from './sql-text.js';
import { checkStart, downAtStart } from './start-check.js';
import {
  readStatement,
  type Statement,
  type StatementAnswer,
  type StatementMode,
  type StatementOptions,
  type StatementValues,
} from './statement.js';
import { checkTransaction, type TransactionOptions, Transactions } from './transaction.js';
import type { ConnectionHost } from './virtual-connection.js';
import { VirtualSession } from './virtual-session.js';

/** How long `close()` waits for what is under way, in milliseconds, unless it is told. */
const DRAIN_MS = 5_000;

/**
 * Sends writes to the primary and spreads reads over fresh replicas, with the methods of a `mysql2/promise` pool, to
 * whose type it is assignable. Made by {@link createMysqlCluster}.
 */
export class MysqlCluster extends PoolOnly<MysqlClusterEvents> {
  readonly #core: ClusterCore;
  readonly #text: SqlText;
  readonly #config: ConnectionOptions;
  readonly #transactions: Transactions;
  readonly #topology = new TopologyView();
  /** @internal */
  readonly readFitness: () => ReadFitness;
  #callbackPool: CallbackPool | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(options: ResolvedMysqlOptions, servers?: ServerPorts) {
    super();
    const listeners: CoreListeners = {
      wantsRoutes: () => this.listenerCount('route') > 0,
      wantsConnections: () => this.listenerCount('connection') > 0,
      onConnection: (connection) => this.ask('connection', connection),
      onRoute: (event) => this.publish('route', event),
      onBreakerChange: (change) => this.publish('breaker-changed', change),
      onConnectError: (node, error) => this.publish('connect-failed', { node, error }),
      onDiscoveryFailure: (node, error) => {
        // Where all nodes are listed, an account that may not ask for others is well.
        if (options.nodes.length > 1 && isStormlampError(error, ErrorCode.MISSING_PRIVILEGE))
          this.publish('discovery-failed', { node, error });
        else this.publishOrKeep('discovery-failed', { node, error });
      },
      onLagFailure: (node, error) => this.publishOrKeep('lag-failed', { node, error }),
      onKillFailure: (failure) => this.publish('kill-failed', failure),
      onHeartbeatFailure: (node, error) => this.publish('heartbeat-failed', { node, error }),
    };
    this.#core = new ClusterCore(options, listeners, servers);
    this.#config = publicConfig(options.nodes[0]?.connection ?? {});
    this.#text = new SqlText(this.#config, servers?.takesValues);
    this.#transactions = new Transactions({
      callSite: () => this.#core.callSite(),
      open: (deadline, borrower) =>
        this.#checkOut(limitedHost(this.#core, deadline), () => undefined, borrower),
      refresh: (node) => this.#core.refresh(node),
    });
    // What was connected before somebody listens would not be as he wants it.
    this.on(
      'newListener' as never,
      ((event: string) => {
        if (event === 'connection' && this.listenerCount(event) === 0) this.#core.renewConnections();
      }) as never,
    );
    const { watcher } = this.#core;
    watcher.on('topology-changed', (change) => this.publish('topology-changed', change));
    watcher.on('primary-changed', (change) => this.publish('primary-changed', change));
    watcher.on('node-changed', (change) => this.publish('node-changed', change));
    const fitness = tellFitness(watcher, options, (it) => this.publishOrKeep('replica-fitness-changed', it));
    this.readFitness = () => readFitness(this.#core, fitness);
    watcher.on('warning-began', (warning) => this.publishOrKeep('warning-began', warning));
    watcher.on('warning-ended', (warning) => this.publish('warning-ended', warning));
  }

  /** @internal */
  async start(check: (core: ClusterCore, deadline: Deadline) => Promise<void> = checkStart): Promise<void> {
    const core = this.#core;
    try {
      await check(core, Deadline.of({ timeoutMs: core.options.startTimeoutMs }));
    } catch (error) {
      core.destroy();
      throw error;
    }
    // Listeners are attached when the caller has the cluster.
    setImmediate(() => {
      for (const change of downAtStart(core.topology)) this.publishOrKeep('node-changed', change);
    });
  }

  /** Runs a statement as text. */
  query<T extends QueryResult>(sql: string, values?: QueryValues): Promise<[T, FieldPacket[]]>;
  /** Runs a statement as text, with options. */
  query<T extends QueryResult>(options: StatementOptions, values?: QueryValues): Promise<[T, FieldPacket[]]>;
  query<T extends QueryResult>(
    sql: string | StatementOptions,
    values?: QueryValues,
  ): Promise<[T, FieldPacket[]]> {
    return this.#call('query', sql, values) as Promise<[T, FieldPacket[]]>;
  }

  /** Runs a prepared statement. */
  execute<T extends QueryResult>(sql: string, values?: ExecuteValues): Promise<[T, FieldPacket[]]>;
  /** Runs a prepared statement, with options. */
  execute<T extends QueryResult>(
    options: StatementOptions,
    values?: ExecuteValues,
  ): Promise<[T, FieldPacket[]]>;
  execute<T extends QueryResult>(
    sql: string | StatementOptions,
    values?: ExecuteValues,
  ): Promise<[T, FieldPacket[]]> {
    return this.#call('execute', sql, values) as Promise<[T, FieldPacket[]]>;
  }

  /**
   * Checks a connection out. Nothing is connected by that: its statements choose their node when they run, and each has
   * limits of its own. So `limits` only rejects for a signal that has fired already.
   */
  async getConnection(limits?: CallOptions): Promise<PoolConnection & MysqlConnection> {
    this.#core.checkOpen();
    if (limits !== undefined) Deadline.ofCall(limits).check('Checking out a connection');
    const { face } = this.#checkOut(this.#core, (released) => this.publish('release', released));
    this.publish('acquire', face);
    return face as PoolConnection & MysqlConnection;
  }

  /** Gives a connection back. */
  releaseConnection(connection: { release(): void }): void {
    connection.release();
  }

  /**
   * Runs `fn` as a transaction: commits when it resolves, rolls back when it rejects, and runs it again after a deadlock
   * or another conflict. Calls inside `fn` are savepoints. Everything that belongs to the transaction goes through the
   * connection that `fn` gets, which refuses (`ERR_UNSUPPORTED`) what would end the transaction.
   *
   * Rejects with what `fn` rejects with, with `ERR_OUTCOME_UNKNOWN` when the connection was lost during the commit or when
   * a procedure ended the transaction, or as `query` does.
   */
  async transaction<T>(
    fn: (connection: MysqlConnection) => Promise<T> | T,
    options: TransactionOptions = {},
  ): Promise<T> {
    this.#core.checkOpen();
    checkTransaction(fn, options);
    const { timeoutMs, signal } = options;
    return this.#transactions.run(fn, options, this.#core.contextOf({ timeoutMs, signal }).deadline);
  }

  /** Where `sql` would go now, outside a transaction, and what speaks against each other node. Nothing is sent. */
  explain(sql: string): RouteExplanation {
    return explainRoute(this.#core, sql);
  }

  /**
   * Runs `fn` in a scope: one request, or one job. Within it the given limits hold for reads, and once it has written,
   * its reads see that write: they go to a replica that has it, wait up to `waitMs` for one, or go to the primary
   * (`consistency: 'eventual'` lets them go anywhere). Outside a scope nothing sticks: a read may go to a replica that has not
   * got an earlier write yet.
   *
   * @throws StormlampError `ERR_INVALID_OPTION`, and whatever `fn` throws.
   */
  run<T>(scope: MysqlScope, fn: () => T): T {
    return this.#core.scopes.run(scope, fn);
  }

  /** The scope of the present call; undefined outside `run`. */
  get scope(): ScopeView | undefined {
    return this.#core.scopes.current;
  }

  /**
   * A causal token: who reads with it (`run({ after: token }, …)`, `query({ sql, after: token })`), in whatever process, sees
   * what was written so far. It is a list of GTIDs, as `MASTER_GTID_WAIT` or `WAIT_FOR_EXECUTED_GTID_SET` take it.
   *
   * With the `result` of a statement it stands for that statement. Without, it stands for what the present scope wrote or was
   * to see (`''` when that is nothing), and outside a scope for everything that is committed on the primary. The primary is
   * asked only when the GTIDs are not known here.
   *
   * Rejects with `ERR_UNSUPPORTED` when the primary has no GTIDs, or as `query` does.
   */
  async token(result?: unknown, options: CallOptions = {}): Promise<string> {
    this.#core.checkOpen();
    return causalToken(this.#core, result, this.#core.contextOf(options));
  }

  /** The same cluster with the methods of mysql2's callback pool. */
  callbackPool(): CallbackPool {
    this.#callbackPool ??= new CallbackPool({
      cluster: this,
      run: this.#run.bind(this),
      text: this.#text,
      faceOf: ({ connection }) => connection as never,
    });
    return this.#callbackPool;
  }

  /** {@link MysqlCluster.callbackPool}, where tools for mysql2 look for it. */
  get pool(): CorePool {
    return this.callbackPool();
  }

  /** The present picture of the nodes: the same object until something changes. */
  topology(): ClusterTopology {
    return this.#topology.of(this.#core);
  }

  /** Counters and gauges of every node. */
  stats(): readonly NodeStats[] {
    return [...this.#core.nodes.values()].map((node) => node.stats());
  }

  /**
   * Changes how many connections the pools of all nodes may have, or of one node. What is too many is closed when nobody
   * uses it.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for impossible sizes, or for a node that is not known.
   */
  resizePools(size: PoolSize, node?: NodeId): void {
    const checked = checkPoolSize('size', size);
    const nodes = node === undefined ? this.#core.nodes.values() : [this.#core.node(node)];
    for (const { pool } of nodes) pool.resize(checked);
  }

  /**
   * The phase of a node's breakers; when they differ, the one that lets fewer calls through.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for a node that is not known.
   */
  breakerOf(node: NodeId): BreakerState['phase'] {
    return phaseOf(this.#core.node(node));
  }

  /** @internal What the failover manager watches, and what it may do to the calls of this process. */
  failoverPorts(): MysqlFailoverPorts {
    const core = this.#core;
    return {
      watcher: core.watcher,
      nodes: core.options.nodes,
      monitorCredentials: core.options.monitor.credentials,
      targets: {
        isolate: (node, reason) => core.node(node).isolate(reason),
        guardWrites: (gate) => {
          core.writeGate = gate;
        },
      },
    };
  }

  /** Takes no new calls, waits for what is under way (5 s unless told), then closes every connection. Safe to call twice. */
  async close(options: CallOptions = {}): Promise<void> {
    this.#closing ??= this.#core.close(Deadline.ofCall(options, DRAIN_MS));
    await this.#closing;
  }

  /** Same as {@link MysqlCluster.close}. */
  async end(): Promise<void> {
    await this.close();
  }

  /** Asks a node that serves reads for a sign of life. */
  async ping(limits?: CallOptions): Promise<void> {
    this.#core.checkOpen();
    const { virtual } = this.#checkOut(this.#core, () => undefined);
    try {
      await virtual.ping(limits);
    } finally {
      virtual.release();
    }
  }

  /** Closes every connection now; statements that are under way fail. */
  destroy(): void {
    this.#core.destroy();
  }

  /** Same as {@link MysqlCluster.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A value as SQL text. */
  escape(value: unknown): string {
    return this.#text.escape(value);
  }

  /** A name as SQL text. */
  escapeId(name: string | string[]): string {
    return this.#text.escapeId(name);
  }

  /** A text with its values put in. */
  format(sql: string, values?: unknown): string {
    return this.#text.format(sql, values);
  }

  /** The options of the nodes' connections, without secrets. */
  get config(): ConnectionOptions {
    return this.#config;
  }

  #checkOut(host: ConnectionHost, onDone: (face: MysqlConnection) => void, borrower?: string): CheckedOut {
    return new CheckedOut(host, this.#text, this.#config, onDone, borrower);
  }

  /** Not async: one promise less for every call. */
  #call(
    mode: StatementMode,
    sql: string | StatementOptions,
    values: StatementValues | undefined,
  ): Promise<StatementAnswer> {
    try {
      return this.#run(readStatement(mode, sql, values, this.#text));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #run(statement: Statement, command?: DeferredCommand): Promise<StatementAnswer> {
    const core = this.#core;
    core.checkOpen();
    const { transaction } = core.classify(statement.sql, core.sqlMode);
    if (transaction?.startsWith('begin') === true) throw strayBegin();
    const context = core.contextOf(statement.limits);
    const session = new VirtualSession(core);
    // Who streams says so right after the call.
    if (command !== undefined) await undefined;
    try {
      if (!isStatementTraced()) return await session.run(statement, context, command);
      return await traceStatement(this.#config, statement.sql, (trace) =>
        session.run(statement, { ...context, trace }, command),
      );
    } catch (error) {
      throw this.#config.trace === false ? error : withCaller(error);
    } finally {
      session.end();
    }
  }
}

/**
 * Looks at all nodes once, and connects to those that answer.
 *
 * A node that is down while others answer does not stop the start; it is told as a `node-changed` event right after. Nor does a
 * replica that lacks the database of the primary: `connect-failed` tells of it, and it serves once it has it.
 * What is certainly a mistake does stop it, and then nothing is left running.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` or `ERR_UNSUPPORTED` naming the option; `ERR_ACCESS_DENIED`,
 * `ERR_MISSING_PRIVILEGE` or `ERR_PROTOCOL` naming the node and the remedy; `ERR_NODE_UNREACHABLE` naming every node when
 * none answers.
 */
export async function createMysqlCluster(options: MysqlOptions): Promise<MysqlCluster> {
  const cluster = new MysqlCluster(await withAllNames(resolveMysqlOptions(options)));
  await cluster.start();
  return cluster;
}
