/** The failover manager that only follows: it turns changes of the topology into events, hooks and a journal. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../common/clock.js';
import { describeWithoutValues } from '../common/error-without-values.js';
import type { NodeId } from '../common/node-address.js';
import { readNumber, readString, rejectUnknownOptions } from '../common/option-reader.js';
import { SafeEmitter } from '../common/safe-emitter.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import { roleOf } from '../topology/node-description.js';
import { nodeIn, type TopologyDescription } from '../topology/topology-description.js';
import type { ChangeResult } from './change/change-control.js';
import type { ClusterSnapshot } from './cluster-snapshot.js';
import type { VoterCount } from './detector/detector-input.js';
import { readDetectorPolicy } from './detector/detector-policy.js';
import type { DetectorVerdict } from './detector/detector-verdict.js';
import { FailureDetector } from './detector/failure-detector.js';
import type { FailoverEvents } from './failover-events.js';
import type { DetectedFailure, FailoverHooks, FollowedChange, HookContext } from './failover-hooks.js';
import { FailoverJournal, type JournalKind, type JournalRecord } from './failover-journal.js';
import type { PauseHandle } from './failover-manager.js';
import { type FailoverOptions, failoverDefaults } from './failover-options.js';
import type { FailoverTargets, IsolateOptions } from './failover-targets.js';
import type { FailureKind } from './failure-kind.js';
import { HookRunner } from './hook-runner.js';
import { ManagedNodes, type NodesManaged } from './managed-nodes.js';
import type { FailoverPlan } from './plan/failover-plan.js';
import type { PreflightReport } from './preflight/preflight.js';
import type { Voter } from './voters.js';

/** The manager in mode `follow`; see `FailoverManager`. */
export class FollowingManager extends SafeEmitter<FailoverEvents> {
  readonly #watcher: TopologyWatcher;
  readonly #targets: FailoverTargets;
  readonly #cluster: string;
  readonly #clock: Clock;
  readonly #options: FailoverOptions;
  readonly #journal = new FailoverJournal();
  readonly #runner: HookRunner;
  readonly #detector: FailureDetector;
  readonly #isolated = new Map<symbol, { readonly node: NodeId; readonly end: () => void }>();
  #outage: { readonly opId: string; readonly kind: FailureKind; readonly since: number } | undefined;
  #trouble: DetectedFailure | undefined;
  #lastPrimary: NodeId | null;
  #errant: ReadonlySet<NodeId> = new Set();
  #managed: ManagedNodes | undefined;
  #closed = false;

  /** Begins to listen to the watcher. */
  constructor(
    watcher: TopologyWatcher,
    targets: FailoverTargets,
    cluster: string,
    clock: Clock,
    options: FailoverOptions,
    voters?: () => VoterCount | undefined,
  ) {
    super();
    this.#watcher = watcher;
    this.#targets = targets;
    this.#cluster = cluster;
    this.#clock = clock;
    this.#options = options;
    this.#lastPrimary = watcher.topology.lastPrimary ?? null;
    this.#runner = new HookRunner(
      {
        failed: (hook, error) => {
          this.record(
            'hook-failed',
            this.#outage?.opId ?? 'hooks',
            [],
            `Hook '${hook}': ${describeWithoutValues(error)}`,
          );
          this.publish('hook-failed', { hook, error });
        },
        logged: (hook, message) =>
          this.record('hook-logged', this.#outage?.opId ?? 'hooks', [], `${hook}: ${message}`),
      },
      clock,
    );
    this.#detector = new FailureDetector({
      watcher,
      clock,
      policy: readDetectorPolicy('failover.detector', options.detector),
      isolated: () => new Set([...this.#isolated.values()].map((each) => each.node)),
      voters,
    });
    this.#detector.on('verdict-changed', ({ before, after }) => this.#judged(before, after));
    watcher.on('topology-changed', this.#onChanged);
  }

  /** The cluster as it is now. */
  get state(): ClusterSnapshot {
    const { topology } = this.#watcher;
    const verdict = this.#detector.verdict();
    return {
      mode: this.#options.mode ?? failoverDefaults.mode,
      writer: topology.writer,
      epoch: topology.epoch,
      failure: verdict.failure,
      because: verdict.because,
      failover: verdict.failover,
      tilted: verdict.tilted,
      nodes: topology.nodes.map((node, index) => {
        const { level = 'unknown', because = '', phi = 0 } = verdict.nodes[index] ?? {};
        return { node: node.id, role: roleOf(node), suspicion: level, because, phi };
      }),
    };
  }

  /** Takes a node out in this process; see `FailoverManager`. */
  isolate(node: NodeId, options: IsolateOptions = {}): Disposable {
    if (this.#closed) throw new StormlampError(ErrorCode.CLOSED, 'The failover manager was closed');
    rejectUnknownOptions('isolate', options, ['reason', 'ttlMs']);
    if (nodeIn(this.#watcher.topology, node) === undefined) {
      const known = this.#watcher.topology.nodes.map(({ id }) => id).join(', ');
      throw new StormlampError(ErrorCode.INVALID_OPTION, `No node is called ${node}; known are: ${known}`);
    }
    const reason = readString('isolate.reason', options.reason, 'isolated by an operator');
    const ttlMs = readNumber('isolate.ttlMs', options.ttlMs, 0, { min: 0, max: 2_147_483_647 });
    const opId = randomUUID();
    const key = Symbol(node);
    const release = this.#targets.isolate(node, reason);
    this.record('node-isolated', opId, [node], `${node} takes no calls: ${reason}`);
    const end = (): void => {
      clearTimeout(timer);
      if (!this.#isolated.delete(key)) return;
      release();
      this.record('node-released', opId, [node], `${node} takes calls again`);
    };
    const timer = ttlMs === 0 ? undefined : setTimeout(end, ttlMs);
    timer?.unref();
    this.#isolated.set(key, { node, end });
    return { [Symbol.dispose]: end };
  }

  /** The newest records of the journal, newest first; all of them without `count`. */
  async history(count?: number): Promise<readonly JournalRecord[]> {
    return this.#journal.newest(count ?? Number.POSITIVE_INFINITY);
  }

  /** Nothing: whoever only follows needs nothing of the servers. */
  async start(): Promise<void> {}

  /** Rejects: this mode never changes a server. */
  plan(_kind: 'failover' | 'switchover', _to?: NodeId): Promise<FailoverPlan> {
    return Promise.reject(onlyFollows());
  }

  /** Rejects: this mode never changes a server. */
  switchover(_options?: object): Promise<ChangeResult> {
    return Promise.reject(onlyFollows());
  }

  /** Rejects: this mode never changes a server. */
  failover(_options?: object): Promise<ChangeResult> {
    return Promise.reject(onlyFollows());
  }

  /** Rejects: this mode never changes a server. */
  rejoin(_node: NodeId): Promise<ChangeResult> {
    return Promise.reject(onlyFollows());
  }

  /** Rejects: this mode never changes a server. */
  rebuild(_node: NodeId): Promise<'rebuilt' | 'skipped'> {
    return Promise.reject(onlyFollows());
  }

  /** Rejects: nothing is automatic here. */
  acknowledge(_opId: string, _who: string): Promise<void> {
    return Promise.reject(onlyFollows());
  }

  /** Rejects: nothing is automatic here. */
  pause(_options: object): Promise<PauseHandle> {
    return Promise.reject(onlyFollows());
  }

  /** Rejects: nothing is automatic here. */
  resume(_id?: string): Promise<boolean> {
    return Promise.reject(onlyFollows());
  }

  /** Rejects: nothing has to be allowed here. */
  preflight(): Promise<PreflightReport> {
    return Promise.reject(onlyFollows());
  }

  /** @internal Nobody votes here. */
  async asked(): Promise<void> {}

  /** Lets all isolated nodes in, gives up the running hook, and stops. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#detector.close();
    this.#managed?.close();
    this.#watcher.off('topology-changed', this.#onChanged);
    for (const { end } of [...this.#isolated.values()]) end();
    await this.#runner.close();
  }

  /** Tells what changed in the detector's eyes: levels of nodes, and what is wrong with the primary. */
  #judged(before: DetectorVerdict, after: DetectorVerdict): void {
    if (this.#closed) return;
    after.nodes.forEach(({ node, level, because }, index) => {
      const was = before.nodes[index]?.level ?? 'unknown';
      if (was !== level) this.publish('suspicion-changed', { node, before: was, after: level, because });
    });
    const { failure: kind, because, evidence, primary } = after;
    const { warranted } = after.failover;
    const known = this.#trouble;
    if (kind === null) {
      this.#trouble = undefined;
      if (known === undefined) return;
      this.record('failure-cleared', known.opId, nodesOf(primary), `${known.kind} is over`);
      this.publish('failure-cleared', { opId: known.opId, kind: known.kind, node: primary });
      return;
    }
    // Before a primary was known nothing is lost.
    if (this.#lastPrimary === null && kind === 'no-primary') return;
    const opId = known?.opId ?? this.#outage?.opId ?? randomUUID();
    this.#trouble = { opId, kind, node: primary, because, warranted, evidence };
    if (known?.kind === kind && (known.warranted || !warranted)) return;
    this.record('failure-detected', opId, nodesOf(primary), `${kind}: ${because}`);
    this.publish('failure-detected', this.#trouble);
    this.#call('onDetected', this.#trouble);
  }

  /** Tells the hook of what is wrong now: to whoever tells it from now on, it may be known for long. */
  protected tellTrouble(): void {
    if (this.#trouble !== undefined) this.#call('onDetected', this.#trouble);
  }

  readonly #onChanged = ({
    before,
    after,
  }: {
    readonly before: TopologyDescription;
    readonly after: TopologyDescription;
  }): void => {
    if (before.warnings !== after.warnings) this.#warned(after);
    if (before.writer === after.writer) return;
    if (after.writer.kind === 'primary') this.#gained(after.writer.node, after);
    else this.#lost(after);
  };

  /** Tells once which replicas have transactions of their own. */
  #warned({ warnings, writer }: TopologyDescription): void {
    // While there is no primary nobody can be compared with it.
    if (writer.kind !== 'primary') return;
    const errant = warnings.filter(({ code }) => code === 'errant-transactions');
    for (const { node, message } of errant) {
      if (this.#errant.has(node)) continue;
      this.record('errant-transactions', randomUUID(), [node], message);
      this.publish('errant-transactions', { node, message });
    }
    this.#errant = new Set(errant.map(({ node }) => node));
  }

  #lost(topology: TopologyDescription): void {
    const verdict = this.#detector.verdict();
    const kind = verdict.failure ?? 'no-primary';
    const opId = this.#outage?.opId ?? this.#trouble?.opId ?? randomUUID();
    const since = this.#outage?.since ?? this.#clock.now();
    const known = this.#outage !== undefined;
    this.#outage = { opId, kind, since };
    const { epoch, writer } = topology;
    const { evidence } = verdict;
    if (writer.kind === 'split-brain') {
      this.record(
        'split-brain',
        opId,
        writer.nodes,
        `${writer.nodes.join(' and ')} all claim to be the primary`,
      );
      this.publish('split-brain', { opId, nodes: writer.nodes, epoch });
    } else if (!known && this.#lastPrimary !== null) {
      const node = this.#lastPrimary;
      this.record('primary-lost', opId, [node], `${node} takes no writes: ${kind}`);
      this.publish('primary-lost', { opId, node, kind, epoch, evidence });
    }
  }

  #gained(node: NodeId, { epoch }: TopologyDescription): void {
    const outage = this.#outage;
    const from = this.#lastPrimary;
    const opId = outage?.opId ?? this.#trouble?.opId ?? randomUUID();
    const outageMs = outage === undefined ? 0 : this.#clock.now() - outage.since;
    this.#outage = undefined;
    this.#lastPrimary = node;
    if (from === null) {
      this.record('primary-found', opId, [node], `${node} takes writes`);
      return;
    }
    const after = `after ${Math.round(outageMs)} ms without a writer`;
    if (from === node) {
      this.record('primary-returned', opId, [node], `${node} takes writes again ${after}`);
      this.publish('primary-returned', { opId, node, epoch, outageMs });
      return;
    }
    const change: FollowedChange = {
      opId,
      cluster: this.#cluster,
      from,
      to: node,
      epoch,
      reason: outage?.kind ?? null,
      outageMs,
    };
    this.record('primary-followed', opId, [from, node], `writes go from ${from} to ${node} ${after}`);
    this.publish('primary-followed', change);
    this.#call('afterPromote', change);
    this.#call('afterFailover', change);
  }

  #call<K extends keyof FailoverHooks>(
    name: K,
    event: Omit<Parameters<NonNullable<FailoverHooks[K]>>[0], keyof HookContext>,
  ): void {
    if (!this.callsHook(name)) return;
    const hook = this.#options.hooks?.[name] as ((event: object) => unknown) | undefined;
    const limit = this.#options.hookPolicy?.timeoutMs?.[name] ?? failoverDefaults.hookTimeoutMs;
    void this.#runner.run(name, hook, event, limit);
  }

  /** Tells, from now on, which nodes plans are made for: `voters`. */
  protected tellManaged(voters: readonly Voter[]): void {
    const tell = (managed: NodesManaged): void => {
      this.record('nodes-managed', 'start', managed.nodes, managed.message);
      this.publishOrKeep('nodes-managed', managed);
    };
    this.#managed = new ManagedNodes({ watcher: this.#watcher, voters, tell });
  }

  /** Writes into the journal; a manager that acts keeps it on the servers, too. */
  protected record(
    kind: JournalKind,
    opId: string,
    nodes: readonly NodeId[],
    message: string,
  ): JournalRecord {
    const { epoch } = this.#watcher.topology;
    const record = { opId, at: this.#clock.wall(), kind, nodes, epoch, message };
    this.#journal.add(record);
    return record;
  }

  /** Whether this process calls the hook `name` for what it saw. */
  protected callsHook(_name: keyof FailoverHooks): boolean {
    return true;
  }

  /** What the detector says now. */
  protected get verdict(): DetectorVerdict {
    return this.#detector.verdict();
  }

  /** The nodes that have not answered for so long that nobody waits for them any more. */
  protected get down(): ReadonlySet<NodeId> {
    return this.verdict.down;
  }

  /** The nodes that an operator has taken out. */
  protected get isolated(): ReadonlySet<NodeId> {
    return new Set([...this.#isolated.values()].map(({ node }) => node));
  }

  /** Since when no writer is known, monotonic milliseconds; undefined while one is. */
  protected get writerlessSince(): number | undefined {
    return this.#outage?.since;
  }

  /** The last primary that was seen. */
  protected get lastPrimary(): NodeId | null {
    return this.#lastPrimary;
  }
}

function nodesOf(node: NodeId | null): readonly NodeId[] {
  return node === null ? [] : [node];
}

function onlyFollows(): StormlampError {
  return new StormlampError(
    ErrorCode.UNSUPPORTED,
    "The failover manager is in mode 'follow', which never changes a server; use mode 'approve' or 'auto'",
  );
}
