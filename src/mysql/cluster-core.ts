/** The machinery behind one MySQL client: watcher, nodes, router and scopes, plugged together. */
import { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { isObserved, publish } from '../diagnostics/channels.js';
import { noteRoute, type StatementTrace } from '../diagnostics/statement-trace.js';
import type { HealthProbe } from '../health/health-probe.js';
import { TopologyWatcher } from '../health/topology-watcher.js';
import { type Observation, roleOf } from '../topology/node-description.js';
import { nodeIn, type TopologyDescription } from '../topology/topology-description.js';
import { callSite } from './call-site.js';
import type { Classification } from './classifier/classification.js';
import { ClusterNode } from './cluster-node.js';
import type { MysqlNodeConfig } from './connection-options.js';
import type { CoreListeners } from './core-listeners.js';
import { HeartbeatWriter } from './heartbeat-writer.js';
import { createMemcachedBoard } from './memcached-board.js';
import { lagRuleOf, nameOfLagSource } from './monitor-options.js';
import { namesIn, type ResolvedMysqlOptions, weighted } from './mysql-options.js';
import { withListeners } from './new-connection.js';
import { NodeDiscovery } from './node-discovery.js';
import { NodePool } from './node-pool.js';
import type { PhysicalConnection } from './physical-connection.js';
import { unavailable } from './pool-errors.js';
import { QueryRouter } from './query-router.js';
import { onSameServer } from './same-server.js';
import { Scopes } from './scope.js';
import { withSendingGuard } from './sending-guard.js';
import { realServers, type ServerPorts } from './server-ports.js';
import type { CallContext, RouteEvent } from './session-ports.js';
import type { StatementLimits } from './statement.js';
import { TextClassifiers } from './text-classifiers.js';
import { ToldNumbers } from './told-numbers.js';
import type { ConnectionHost } from './virtual-connection.js';
import { admittedWriter, type WriteGate } from './write-gate.js';

/** After so many probes in a row that nobody answered, statements that are under way are given up. */
const SILENT_PROBES = 3;

const NO_LIMIT: Deadline = Deadline.of(undefined);
/** Names of {@link StatementLimits} besides those of every call. */
const LIMIT_NAMES: readonly string[] = ['after', 'maxLagMs', 'maxLagWithoutPrimaryMs', 'preference'];

/** Everything that statements need, for one cluster. */
export class ClusterCore implements ConnectionHost {
  /** The options. */
  readonly options: ResolvedMysqlOptions;
  /** Watches the nodes. */
  readonly watcher: TopologyWatcher;
  /** Chooses nodes. */
  readonly router: QueryRouter;
  /** The scopes of this cluster. */
  readonly scopes: Scopes;
  /** The numbers of server sessions that callers were told. */
  readonly numbers: ToldNumbers = new ToldNumbers();
  /** Who must agree to writes, and knows where they go. */
  writeGate: WriteGate | undefined;
  readonly #nodes: Map<NodeId, ClusterNode>;
  readonly #configs: Map<NodeId, MysqlNodeConfig>;
  readonly #discovery: NodeDiscovery | undefined;
  readonly #listeners: CoreListeners;
  readonly #servers: ServerPorts;
  readonly #texts: TextClassifiers;
  #breakerVersion = 0;
  #closed = false;
  readonly #heartbeat: HeartbeatWriter | undefined;

  /** Plugs the parts together; nothing is connected yet. */
  constructor(options: ResolvedMysqlOptions, listeners: CoreListeners, servers: ServerPorts = realServers) {
    this.#servers = servers;
    this.options = options;
    this.#listeners = listeners;
    this.scopes = new Scopes(options.scope);
    const { functions, variables, nodes } = options;
    this.#texts = new TextClassifiers(
      { functions, variables },
      nodes.map(({ connection }) => connection.database),
    );
    this.#configs = new Map(options.nodes.map((config) => [config.seed.id, config]));
    this.watcher = this.#createWatcher();
    this.#nodes = new Map(options.nodes.map((config) => [config.seed.id, this.#createNode(config)]));
    this.#discovery = this.#createDiscovery();
    const unchecked = options.monitor.lagSource === 'unchecked';
    const reads = unchecked ? { ...options.reads, maxLagMs: Number.POSITIVE_INFINITY } : options.reads;
    this.router = new QueryRouter(reads, {
      topology: () => this.watcher.topology,
      gate: () => this.writeGate,
      allows: (node) => this.node(node).allows('read'),
      breakerVersion: () => this.#breakerVersion,
      inFlight: (node) => this.node(node).inFlight,
      returnedAt: (node) => this.node(node).returnedAt,
      waitLimit: Math.max(1, Math.floor(options.pool.max / 2)),
    });
    this.#heartbeat = this.#startHeartbeat();
    this.watcher.on('node-observed', (observation) => this.#observed(observation));
    this.watcher.on('primary-changed', ({ before, after }) => {
      for (const id of [before, after]) if (id !== null) this.nodes.get(id)?.pool.retire();
      if (before !== null)
        this.nodes.get(before)?.sendAway(unavailable(before, 'it is not the primary any more'));
      if (after === null) return;
      for (const node of this.nodes.values()) if (node.id !== after) node.giveUpQuestions();
    });
  }

  /** The nodes by id. */
  get nodes(): ReadonlyMap<NodeId, ClusterNode> {
    return this.#nodes;
  }

  /** Adds the nodes that the present ones name, and goes on looking for more. */
  async discover(deadline: Deadline): Promise<void> {
    await this.#discovery?.settle(deadline);
    this.#discovery?.start();
  }

  /** See `MysqlOptions.blockMs`. */
  get blockMs(): number {
    return this.options.blockMs;
  }

  /** The node that takes writes, as far as it is known. */
  get writer(): NodeId | undefined {
    return this.router.writer;
  }

  /** Whether no new call is taken. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** The present picture of the cluster. */
  get topology(): TopologyDescription {
    return this.watcher.topology;
  }

  /** Throws `ERR_CLOSED` when the cluster was closed. */
  checkOpen(): void {
    if (this.#closed) throw new StormlampError(ErrorCode.CLOSED, 'The cluster was closed');
  }

  /** The place in the application that calls now; undefined, at no cost, when leaks are not looked for. */
  callSite(): string | undefined {
    return this.options.pool.leakAfterMs === 0 ? undefined : callSite();
  }

  /** What a text is. */
  classify(sql: string, mode: string | undefined): Classification {
    return this.#texts.classify(sql, mode);
  }

  /** Notes a text that looks like a read and writes. */
  noteWriter(sql: string, read: Classification): Classification {
    return this.#texts.noteWriter(sql, read);
  }

  /** The `sql_mode` with which sessions begin. */
  get sqlMode(): string | undefined {
    return this.#texts.expectedMode;
  }

  /** Notes the mode with which a session has begun. */
  modeSeen({ node, sqlMode }: PhysicalConnection): void {
    this.#texts.noteMode(node, sqlMode);
  }

  /** The node called `id`; throws `ERR_INVALID_OPTION` for one that is not known. */
  node(id: NodeId): ClusterNode {
    const node = this.nodes.get(id);
    if (node !== undefined) return node;
    const message = `There is no node ${id}; the nodes are ${[...this.nodes.keys()].join(', ')}`;
    throw new StormlampError(ErrorCode.INVALID_OPTION, message);
  }

  /** How the node called `id` is reached, whether it was listed or found; throws as {@link ClusterCore.node}. */
  configOf(id: NodeId): MysqlNodeConfig {
    const config = this.#configs.get(id);
    if (config !== undefined) return config;
    throw new StormlampError(ErrorCode.INVALID_OPTION, `There is no node ${id}`);
  }

  /** Grows with every change of a breaker. */
  get breakerVersion(): number {
    return this.#breakerVersion;
  }

  /** The limits and the scope of a call that starts now. */
  contextOf(limits: StatementLimits | undefined): CallContext {
    const { timeoutMs } = this.options;
    const deadline =
      limits === undefined && timeoutMs === 0 ? NO_LIMIT : Deadline.ofCall(limits, timeoutMs, LIMIT_NAMES);
    return { deadline, scope: limits === undefined ? this.scopes.current : this.scopes.ofCall(limits) };
  }

  /** The primary, as soon as there is one. */
  waitForWriter(deadline: Deadline): Promise<NodeId> {
    return this.writeGate?.wait(deadline) ?? this.watcher.waitForWriter(deadline);
  }

  /** Looks at a node now, and at all of them often while there is no primary. */
  async refresh(node: NodeId): Promise<void> {
    this.watcher.hurry();
    await this.watcher.refresh(node);
    this.watcher.hurry();
  }

  /** Ends a statement on the server from the side. */
  cancel(connection: PhysicalConnection, sql: string): void {
    const config = this.#configs.get(connection.node);
    if (config === undefined) return;
    const { node, threadId } = connection;
    void this.#servers.kill(connection, config, this.options.monitor.credentials).then((error) => {
      if (error instanceof Error) this.#listeners.onKillFailure({ node, threadId, sql, error });
    });
  }

  /** Lets nobody borrow a connection that was made before now. */
  renewConnections(): void {
    for (const { pool } of this.nodes.values()) pool.retire();
  }

  /** Gives a connection back. */
  release(connection: PhysicalConnection): void {
    this.node(connection.node).pool.release(connection);
  }

  /** Closes a connection. */
  discard(connection: PhysicalConnection): void {
    this.node(connection.node).pool.discard(connection);
  }

  /** Tells listeners and the diagnostics channel where a statement goes; costs nothing when there are none. */
  routed(
    sql: string,
    classification: Classification,
    node: NodeId,
    because: string,
    trace?: StatementTrace | undefined,
  ): void {
    const wanted = this.#listeners.wantsRoutes();
    if (!wanted && trace === undefined && !isObserved('route')) return;
    const description = nodeIn(this.topology, node);
    const role = description === undefined ? 'unknown' : roleOf(description);
    const event: RouteEvent = { sql, kind: classification.kind, node, role, because };
    if (trace !== undefined) noteRoute(trace, event);
    if (wanted) this.#listeners.onRoute(event);
    publish('route', () => event);
  }

  /** Takes no new calls, waits for those that are there, then closes every connection; at the latest at the deadline. */
  async close(deadline: Deadline): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.nodes.values()].map((node) => node.pool.close(deadline)));
    this.#end();
  }

  /** Closes everything now. */
  destroy(): void {
    this.#closed = true;
    for (const node of this.nodes.values()) node.pool.destroy();
    this.#end();
  }

  #end(): void {
    this.#discovery?.close();
    this.#heartbeat?.close();
    this.watcher.close();
    for (const node of this.nodes.values()) node.closeBreakers();
  }

  #createWatcher(): TopologyWatcher {
    const { nodes, monitor, looksOnly } = this.options;
    const share = looksOnly === true ? undefined : monitor.share;
    const ids = nodes.map(({ seed }) => seed.id);
    return new TopologyWatcher({
      seeds: nodes.map(({ seed }) => seed),
      named: namesIn(this.options.reads),
      exempt: this.options.reads,
      intervalMs: monitor.intervalMs,
      timeoutMs: monitor.timeoutMs,
      lagRule: lagRuleOf(monitor.lagSource),
      board: share && createMemcachedBoard(share, ids, nameOfLagSource(monitor.lagSource)),
      isSuspect: (id) => this.#nodes.get(id)?.isStill() === true,
      createProbe: ({ id }) => this.#createProbe(this.configOf(id)),
    });
  }

  #createProbe(config: MysqlNodeConfig): HealthProbe {
    const { credentials, lagSource } = this.options.monitor;
    const namesPeers = this.options.discovery !== undefined;
    const onMissing = (error: Error): void => this.#listeners.onDiscoveryFailure(config.seed.id, error);
    const onUnmeasured = (error: Error): void => this.#listeners.onLagFailure(config.seed.id, error);
    return this.#servers.probeOf({ config, credentials, lagSource, namesPeers, onMissing, onUnmeasured });
  }

  #createDiscovery(): NodeDiscovery | undefined {
    const { discovery, origins, nodes } = this.options;
    if (discovery === undefined) return undefined;
    return new NodeDiscovery(discovery, origins ?? nodes, {
      watcher: this.watcher,
      configOf: (id) => this.configOf(id),
      probe: (config) => this.#createProbe(config),
      add: (config, deadline) => this.#add(config, deadline),
      remove: (id) => this.#remove(id),
      moved: (id) => this.#moved(id),
      onFailure: (id, error) => this.#listeners.onDiscoveryFailure(id, error),
    });
  }

  async #add(found: MysqlNodeConfig, deadline: Deadline): Promise<void> {
    const { id } = found.seed;
    if (this.#closed || this.#nodes.has(id)) return;
    const config = weighted(found, this.options.reads.weights[id]);
    this.#configs.set(id, config);
    this.#nodes.set(id, this.#createNode(config));
    this.watcher.add(config.seed);
    await deadline.race(`The first look at ${id}`, this.watcher.refresh(id));
  }

  #remove(id: NodeId): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    this.watcher.remove(id);
    this.#nodes.delete(id);
    this.#texts.forget(id);
    node.pool.destroy();
    node.closeBreakers();
  }

  /** The name of a node stands for another server: nothing goes over the old connections any more. */
  #moved(id: NodeId): void {
    this.router.positions.forget(id);
    this.#nodes.get(id)?.pool.retire();
    this.watcher.reconnect(id);
  }

  #startHeartbeat(): HeartbeatWriter | undefined {
    const { looksOnly, monitor } = this.options;
    const { lagSource } = monitor;
    if (looksOnly === true || typeof lagSource !== 'object' || !lagSource.write) return undefined;
    return new HeartbeatWriter(lagSource, {
      primary: () => admittedWriter(this.writeGate, this.router.writer),
      factory: (id) => this.#servers.connectionsTo(this.configOf(id)),
      onFailure: (node, error) => this.#listeners.onHeartbeatFailure(node, error),
    });
  }

  #createNode(config: MysqlNodeConfig): ClusterNode {
    const { id } = config.seed;
    const connections = withSendingGuard(this.#servers.connectionsTo(config));
    return new ClusterNode({
      id,
      createPool: (hooks) =>
        new NodePool({
          node: id,
          factory: withListeners(onSameServer(connections, this.watcher), this.#listeners),
          settings: this.options.pool,
          ...hooks,
        }),
      connectAside: (deadline) => connections.connect(deadline),
      canBeSpared: () => this.router.canSpare(id),
      onBreakerChange: (change) => {
        this.#breakerVersion += 1;
        this.#listeners.onBreakerChange(change);
      },
      onConnected: (connection) => {
        this.modeSeen(connection);
        this.watcher.connectionObserved(id, null);
      },
      onConnectError: (error) => {
        this.watcher.connectionObserved(id, error);
        void this.refresh(id);
        this.#listeners.onConnectError(id, error);
      },
    });
  }

  #observed(observation: Observation): void {
    const node = this.nodes.get(observation.node);
    if (node === undefined) return;
    node.probed(observation.ok ? { ok: true } : { ok: false, error: observation.error });
    if (observation.ok) {
      this.#texts.noteNodes(this.topology.nodes);
      if (this.#discovery?.hasWork === true) void this.#discovery.look();
      return;
    }
    const { node: id, error } = observation;
    if (nodeIn(this.topology, id)?.state === 'down')
      node.sendAway(unavailable(id, describeError(error), error));
    if (this.#isSilent(id)) node.abandon();
  }

  /** A dead process resets its connections; only one that hangs, or is cut off, leaves callers waiting for ever. */
  #isSilent(id: NodeId): boolean {
    const node = nodeIn(this.topology, id);
    if (node?.state !== 'down' || node.failures < SILENT_PROBES) return false;
    return node.failure === 'timeout-connect' || node.failure === 'timeout-query';
  }
}
