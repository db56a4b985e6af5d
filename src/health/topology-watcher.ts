/** Keeps the picture of the cluster: one monitor per node feeds one pure reducer, and whoever needs a writer can wait here. */
import { type Clock, systemClock } from '../common/clock.js';
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { publish } from '../diagnostics/channels.js';
import {
  type ExemptReplicas,
  initialTopology,
  observe,
  withNode,
  withoutNode,
} from '../topology/describe-topology.js';
import type { LagRule } from '../topology/measured-lag.js';
import {
  type NodeDescription,
  type NodeSeed,
  type Observation,
  type ProbeFailure,
  roleOf,
} from '../topology/node-description.js';
import { noWriterError } from '../topology/routing-error.js';
import type { TopologyDescription, TopologyWarning } from '../topology/topology-description.js';
import { hasNewShape } from '../topology/topology-shape.js';
import type { HealthProbe } from './health-probe.js';
import { NodeMonitor } from './node-monitor.js';
import type { ObservationBoard } from './observation-board.js';
import { OwnServers } from './own-servers.js';
import { probeFailureOf } from './probe-failure.js';
import type { SuccessfulLook } from './published-look.js';
import { SharedLooks } from './shared-looks.js';

/** The events of a {@link TopologyWatcher}. */
export interface TopologyEvents {
  /** The writer, a node's state or role, the warnings, or the list of nodes changed; not told for mere lag and latency. */
  'topology-changed': { readonly before: TopologyDescription; readonly after: TopologyDescription };
  /** Writes go to another node, or to none (null), or to the same one again. */
  'primary-changed': {
    readonly before: NodeId | null;
    readonly after: NodeId | null;
    readonly epoch: number;
  };
  /** A probe ended, well or not. */
  'node-observed': Observation;
  /** An application's connection was made (`failure` null), or not. */
  'connection-observed': ObservedConnection;
  /** A trouble that `topology().warnings` tells of began; those that are there at the start are told after the first look at all nodes. */
  'warning-began': TopologyWarning;
  /** Such a trouble is over. */
  'warning-ended': TopologyWarning;
  /** The state or role of one node changed. */
  'node-changed': { readonly before: NodeDescription; readonly after: NodeDescription };
}

/** What an application's own attempt to connect to a node found. */
export interface ObservedConnection {
  /** The node. */
  readonly node: NodeId;
  /** When, monotonic milliseconds. */
  readonly at: number;
  /** Why it could not be made; null when it was. */
  readonly failure: ProbeFailure | null;
}

/** Options of a {@link TopologyWatcher}. */
export interface TopologyWatcherOptions {
  /** The nodes to begin with. */
  readonly seeds: readonly NodeSeed[];
  /** Makes the probe of a node; it is closed with the watcher. */
  readonly createProbe: (seed: NodeSeed) => HealthProbe;
  /** Longest time between two probes of a node, milliseconds. */
  readonly intervalMs: number;
  /** Longest time that a probe may take, milliseconds. */
  readonly timeoutMs: number;
  /** Where this process shares what it sees with others. Default: nowhere. */
  readonly board?: ObservationBoard | undefined;
  /**
   * Asked whenever another process has looked at a node: whether this one should look as well, since the node seems to be silent
   * here. Default: never.
   */
  readonly isSuspect?: ((node: NodeId) => boolean) | undefined;
  /** Nodes that the options give a part to: a warning tells which of them are not known. */
  readonly named?: readonly NodeId[] | undefined;
  /** Replicas that serve reads although something speaks against them. Default: none. */
  readonly exempt?: ExemptReplicas | undefined;
  /** How the lag of replicas is known. Default: by what the servers report. */
  readonly lagRule?: LagRule | undefined;
  /** Source of time. */
  readonly clock?: Clock | undefined;
}

/** How long the search for a lost writer goes on at the fast pace, milliseconds. */
const HURRY_MS = 30_000;

/** Watches the nodes of one cluster. */
export class TopologyWatcher extends SafeEmitter<TopologyEvents> {
  readonly #options: TopologyWatcherOptions;
  readonly #clock: Clock;
  readonly #monitors = new Map<NodeId, NodeMonitor>();
  readonly #waiting = new Set<() => void>();
  readonly #servers = new OwnServers();
  #shared: SharedLooks | undefined;
  #isActive = true;
  #topology: TopologyDescription;
  /** The troubles that were told. */
  #warned: readonly TopologyWarning[] = [];
  #state: 'idle' | 'started' | 'closed' = 'idle';

  /** Makes a watcher that looks at nothing until it is started or asked. */
  constructor(options: TopologyWatcherOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#topology = initialTopology(options.seeds, options.lagRule, options.named, options.exempt);
    for (const seed of options.seeds) this.#watch(seed);
  }

  /** The present picture. */
  get topology(): TopologyDescription {
    return this.#topology;
  }

  /** The nodes with what this process itself read from them last: what others publish may name any server. */
  get seenHere(): readonly NodeDescription[] {
    const { nodes } = this.#topology;
    return this.#shared === undefined ? nodes : nodes.map((node) => this.#servers.asSeenHere(node));
  }

  /** Begins to look at all nodes, at once. */
  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'started';
    for (const monitor of this.#monitors.values()) monitor.start();
    const { board, intervalMs, clock } = this.#options;
    if (board === undefined) return;
    this.#shared = new SharedLooks({
      board,
      intervalMs,
      clock,
      onObservation: (observation) => this.#takePublished(observation),
      setActive: (active, published) => {
        this.#isActive = active;
        for (const [id, monitor] of this.#monitors)
          monitor.active = active || !published.has(id) || this.#servers.isUnreached(id);
      },
    });
  }

  /** Whether this process looks at the nodes for others, too. */
  get leads(): boolean {
    return this.#shared?.isLeader === true;
  }

  /** Adds a node, which is watched from now on; nothing happens when it is known. */
  add(seed: NodeSeed): void {
    if (this.#state === 'closed' || this.#monitors.has(seed.id)) return;
    this.#watch(seed);
    this.#replace(withNode(this.#topology, seed));
    if (this.#state === 'started') this.#monitors.get(seed.id)?.start();
  }

  /** Forgets a node that is another one under a second name. */
  remove(id: NodeId): void {
    const monitor = this.#monitors.get(id);
    if (monitor === undefined) return;
    this.#monitors.delete(id);
    monitor.close();
    this.#replace(withoutNode(this.#topology, id));
  }

  /**
   * Resolves when every node has been looked at once, whatever was found.
   *
   * @throws StormlampError `ERR_TIMEOUT`, `ERR_ABORTED` or `ERR_CLOSED`.
   */
  async ready(deadline: Deadline): Promise<TopologyDescription> {
    while (this.#topology.nodes.some((node) => node.state === 'new')) {
      this.#checkOpen();
      await this.#next('The first look at all nodes', deadline);
    }
    return this.#topology;
  }

  /** Looks at a node, or at all of them, now. Resolves when that is done; never rejects. Callers at one time share one probe. */
  async refresh(node?: NodeId): Promise<void> {
    const monitors = node === undefined ? [...this.#monitors.values()] : [this.#monitors.get(node)];
    await Promise.all(monitors.map((monitor) => monitor?.checkNow()));
  }

  /** Has the monitor of a node connect anew: the node's name has come to stand for another server. */
  reconnect(node: NodeId): void {
    this.#monitors.get(node)?.reconnect();
  }

  /** Probes all nodes every 100 to 250 ms until there is a writer, for 30 seconds at most. Nothing happens while there is one. */
  hurry(): void {
    if (this.#topology.writer.kind === 'primary') return;
    const until = this.#clock.now() + HURRY_MS;
    for (const monitor of this.#monitors.values()) monitor.hurryUntil(until);
  }

  /**
   * The node that takes writes, as soon as there is one; looks for it at the fast pace meanwhile.
   *
   * @throws RoutingError `ERR_NO_PRIMARY` or `ERR_SPLIT_BRAIN` at the deadline, naming every node, why it is not the primary,
   * and what to do; StormlampError `ERR_ABORTED` or `ERR_CLOSED`.
   */
  async waitForWriter(deadline: Deadline): Promise<NodeId> {
    for (;;) {
      this.#checkOpen();
      const { writer } = this.#topology;
      if (writer.kind === 'primary') return writer.node;
      this.hurry();
      try {
        deadline.check('Waiting for a primary');
        await this.#next('Waiting for a primary', deadline);
      } catch (error) {
        throw isStormlampError(error, ErrorCode.TIMEOUT) ? noWriterError(this.#topology) : error;
      }
    }
  }

  /**
   * Notes what an application's attempt to connect found (null: it succeeded). The monitor's own connection stays open, and so
   * does not see that a node takes no new ones.
   */
  connectionObserved(node: NodeId, error: unknown): void {
    if (this.#state === 'closed') return;
    const failure = error === null ? null : probeFailureOf(error);
    this.publish('connection-observed', { node, at: this.#clock.now(), failure });
  }

  /** Stops looking and closes the probes; who waits gets `ERR_CLOSED`. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const monitor of this.#monitors.values()) monitor.close();
    void this.#shared?.close();
    this.#wake();
  }

  #watch(seed: NodeSeed): void {
    const { createProbe, intervalMs, timeoutMs, clock } = this.#options;
    const probe = createProbe(seed);
    const onObservation = (observation: Observation): void => {
      this.#shared?.note(observation);
      this.#servers.note(observation);
      this.#take(observation);
    };
    const monitor = new NodeMonitor({ seed, probe, intervalMs, timeoutMs, onObservation, clock });
    monitor.active = this.#isActive;
    this.#monitors.set(seed.id, monitor);
  }

  /**
   * The process that looks for all may reach another server under a node's address: such a node everybody looks at for himself,
   * as at one that it could not look at, which is not published, and at one that only it can reach.
   */
  #takePublished(observation: SuccessfulLook): void {
    const { node } = observation;
    const agreement = this.#servers.compare(observation);
    if (agreement === 'same') this.#take(observation);
    if (agreement === 'other') this.reconnect(node);
    else if (agreement === 'still-other' || this.#options.isSuspect?.(node) === true) void this.refresh(node);
  }

  #take(observation: Observation): void {
    // What is published may name anything; only known nodes are looked at.
    if (this.#state === 'closed' || !this.#monitors.has(observation.node)) return;
    this.#replace(observe(this.#topology, observation), observation);
  }

  #replace(after: TopologyDescription, observation?: Observation): void {
    const before = this.#topology;
    this.#topology = after;
    // The evidence comes before the verdict.
    if (observation !== undefined) this.publish('node-observed', observation);
    if (hasNewShape(before, after)) this.#tell(before, after);
    this.#wake();
  }

  #tell(before: TopologyDescription, after: TopologyDescription): void {
    const was = before.writer.kind === 'primary' ? before.writer.node : null;
    const is = after.writer.kind === 'primary' ? after.writer.node : null;
    const firstLookIsOver = before.nodes.every((node) => node.state !== 'new');
    if (this.#state === 'started' && firstLookIsOver && before.writer !== after.writer) {
      // What the other nodes said a moment ago may be from before the change.
      void this.refresh();
      if (is === null) this.hurry();
      else for (const monitor of this.#monitors.values()) monitor.hurryUntil(Number.NEGATIVE_INFINITY);
    }
    publish('topology', () => ({ before, after }));
    after.nodes.forEach((node) => {
      const old = before.nodes.find(({ id }) => id === node.id);
      if (old !== undefined && (old.state !== node.state || roleOf(old) !== roleOf(node)))
        this.publish('node-changed', { before: old, after: node });
    });
    this.publish('topology-changed', { before, after });
    this.#tellWarnings(after);
    if (was !== is) this.publish('primary-changed', { before: was, after: is, epoch: after.epoch });
  }

  #tellWarnings({ nodes, warnings }: TopologyDescription): void {
    // Before all nodes were looked at, the others seem to be what they are not.
    if (this.#warned === warnings || nodes.some(({ state }) => state === 'new')) return;
    const before = this.#warned;
    this.#warned = warnings;
    for (const old of before) if (!hasWarning(warnings, old)) this.publish('warning-ended', old);
    for (const warning of warnings) if (!hasWarning(before, warning)) this.publish('warning-began', warning);
  }

  #next(what: string, deadline: Deadline): Promise<void> {
    let wake = (): void => {};
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    return deadline.race(what, changed).finally(() => this.#waiting.delete(wake));
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #checkOpen(): void {
    if (this.#state === 'closed')
      throw new StormlampError(ErrorCode.CLOSED, 'The cluster was closed; no node is watched any more');
  }
}

/** Whether `warnings` has one of the same kind about the same node: its words may change while it lasts. */
function hasWarning(warnings: readonly TopologyWarning[], { code, node }: TopologyWarning): boolean {
  return warnings.some((other) => other.code === code && other.node === node);
}
