/** The failover manager of the modes `approve` and `auto`: a lease for writes, changes of the primary, and repair. */
import { hostname } from 'node:os';
import type { Clock } from '../common/clock.js';
import { aborted, Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { rejectUnknownOptions } from '../common/option-reader.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import type { MysqlNodeConfig } from '../mysql/connection-options.js';
import type { CredentialsSource, MysqlCredentials } from '../mysql/connection-settings.js';
import { type ResolvedActingOptions, resolveActingOptions } from './acting-options.js';
import { ChangeControl, type ChangeResult } from './change/change-control.js';
import { FailoverControl } from './change/failover-control.js';
import { namedNode } from './change/named-node.js';
import { PrimaryMemory } from './change/primary-memory.js';
import type { ClusterSnapshot } from './cluster-snapshot.js';
import { lacksMajority, type VoterCount } from './detector/detector-input.js';
import type { FailoverHooks } from './failover-hooks.js';
import { isSighting, type JournalKind, type JournalRecord } from './failover-journal.js';
import type {
  FailoverManager,
  ForceOptions,
  PauseHandle,
  PauseOptions,
  SwitchoverOptions,
} from './failover-manager.js';
import { type FailoverOptions, failoverDefaults } from './failover-options.js';
import type { FailoverTargets } from './failover-targets.js';
import { FollowingManager } from './following-manager.js';
import { HistoryGuard } from './lease/history-guard.js';
import { LastLease } from './lease/last-lease.js';
import type { LeaseKeeper } from './lease/lease-keeper.js';
import { noPrimary } from './lease/lease-missing.js';
import { openKeeper } from './lease/open-keeper.js';
import { JournalWriter } from './meta/journal-writer.js';
import { MetaStore } from './meta/meta-store.js';
import { OperatorOrders } from './meta/operator-orders.js';
import { agreeOnConfig } from './meta/shared-config.js';
import { sharedHistory } from './meta/shared-history.js';
import { withNodeIds } from './named-options.js';
import { Election } from './overseer/election.js';
import { Overseer } from './overseer/overseer.js';
import { RepairShop } from './overseer/repair-shop.js';
import type { FailoverPlan } from './plan/failover-plan.js';
import { planSwitchover } from './plan/plan-switchover.js';
import { refused } from './plan/refused.js';
import { type PreflightReport, preflight, refusalOf } from './preflight/preflight.js';
import type { LeaseRules } from './protocol/client-lease.js';
import { waitTimeoutOf } from './protocol/wait-timeout.js';
import { FenceGuard } from './self-fence/fence-guard.js';
import { type Stranger, strangersOf } from './strangers.js';
import { lockTargetOf, sourceFinder, tooFewVoters, type Voter, votersOf } from './voters.js';

/** What an acting manager needs besides what a following one does. */
export interface ActingParts {
  readonly watcher: TopologyWatcher;
  readonly targets: FailoverTargets;
  readonly nodes: readonly MysqlNodeConfig[];
  readonly monitorCredentials: MysqlCredentials | CredentialsSource | undefined;
  readonly clock: Clock;
  readonly options: FailoverOptions;
}

/** A manager that may change servers; see `FailoverManager`. */
export class ActingManager extends FollowingManager implements FailoverManager {
  readonly #parts: ActingParts;
  readonly #options: ResolvedActingOptions;
  readonly #voters: readonly Voter[];
  readonly #rules: LeaseRules;
  readonly #keeper: LeaseKeeper;
  readonly #guard: HistoryGuard;
  readonly #control: ChangeControl;
  readonly #meta: MetaStore;
  readonly #journal: JournalWriter;
  readonly #memory: PrimaryMemory;
  readonly #failovers: FailoverControl;
  readonly #election: Election;
  readonly #shop: RepairShop;
  readonly #orders: OperatorOrders;
  readonly #actor: string;
  #overseer: Overseer | undefined;
  #fenceGuard: FenceGuard | undefined;
  readonly #lastLease: LastLease;

  /** Begins to look at the voters; writes wait from now on until a majority agrees. */
  constructor(parts: ActingParts) {
    const options = withNodeIds('failover', resolveActingOptions('failover', parts.options), parts.nodes);
    // The base judges before this object is complete.
    const count: { now: () => VoterCount | undefined } = { now: () => undefined };
    super(parts.watcher, parts.targets, options.cluster, parts.clock, parts.options, () => count.now());
    this.#parts = parts;
    this.#options = options;
    this.#voters = votersOf({
      nodes: parts.nodes,
      witnesses: options.witnesses,
      watchAs: parts.monitorCredentials,
      actAs: options.credentials,
      addresses: options.addresses,
    });
    const { cluster, leaseMs, handoverMs, host = hostname() } = options;
    this.#rules = { voters: this.#voters.length, leaseMs, handoverMs };
    this.#actor = `${host}:${process.pid}`;
    this.#meta = new MetaStore(cluster);
    this.#journal = new JournalWriter(this.#meta, this.#actor, () =>
      this.#control.failsOver ? undefined : this.#writer(),
    );
    this.#memory = new PrimaryMemory(parts.watcher, leaseMs, parts.clock);
    this.#lastLease = new LastLease(parts.clock);
    this.#keeper = openKeeper({
      cluster,
      voters: this.#voters,
      rules: this.#rules,
      clock: parts.clock,
      meta: this.#meta,
      watcher: parts.watcher,
      targets: parts.targets,
      last: this.#lastLease,
      publish: this.#tellers().publish,
    });
    this.#guard = new HistoryGuard(parts.watcher, (node, why) => {
      this.#keeper.refuse(node, why);
      if (why !== undefined) this.record('node-diverged', 'history', [node], `${why}. Fail over from it`);
    });
    count.now = () => this.#keeper.count;
    this.#control = this.#openControl();
    this.#failovers = new FailoverControl({
      mode: parts.options.mode ?? failoverDefaults.mode,
      options,
      voters: this.#voters,
      control: this.#control,
      meta: this.#meta,
      memory: this.#memory,
      seen: () => this.#keeper.node ?? this.lastPrimary,
      count: () => this.#keeper.count,
      strangers: () => this.#strangers(),
      verdict: () => this.verdict,
      down: () => this.down,
    });
    this.#orders = new OperatorOrders({
      cluster,
      meta: this.#meta,
      actor: this.#actor,
      voters: this.#voters,
      writer: () => this.#writer(),
      noPrimary: () => noPrimary(this.#keeper.missing()),
      given: () => this.#overseer?.hurry(),
      record: this.#tellers().record,
    });
    this.#election = new Election({
      cluster,
      host,
      targets: this.#voters.map(lockTargetOf),
      waitTimeoutS: waitTimeoutOf(this.#rules),
      onChange: (leads) => {
        this.publish('leadership-changed', { leads });
        if (leads) this.tellTrouble();
      },
    });
    this.#shop = new RepairShop({
      options,
      control: this.#control,
      meta: this.#meta,
      voters: this.#voters,
      primary: () => this.#keeper.lease?.primary,
      down: () => this.down,
      calm: () => this.#keeper.calm,
      voteOf: (voter) => this.#keeper.voteOf(voter),
      last: () => this.#lastLease.get(),
      seen: (node) => this.#memory.of(node),
      ...this.#tellers(),
      rebuild: (node, from, why, gtids) => this.#control.hooks.rebuild(node, from, why, gtids),
    });
  }

  /** The cluster as it is now. */
  override get state(): ClusterSnapshot {
    return { ...super.state, voted: this.#keeper.voted ?? null };
  }

  override asked(): Promise<void> {
    return this.#keeper.asked();
  }

  /** Checks the servers, makes the tables in which changes are remembered, and begins to act. */
  override async start(): Promise<void> {
    if (this.#voters.length < 3 && this.#parts.options.mode === 'auto') throw tooFewVoters(this.#voters);
    const refusal = refusalOf(await this.preflight());
    if (refusal !== undefined && this.#parts.options.mode === 'auto') throw refusal;
    // What the monitors take for the primary may be one that was replaced: only where the voters agree is anything written.
    await this.#keeper.wait(Deadline.of({ timeoutMs: this.#rules.leaseMs })).catch(() => undefined);
    const writer = this.#writer();
    if (writer !== undefined) await this.#meta.prepare(writer);
    await this.#agree(writer);
    if (writer !== undefined) await this.#meta.prepareWitnesses(this.#voters, writer.id);
    if (!this.#options.automatic) return;
    this.tellManaged(this.#voters);
    this.#fenceGuard = FenceGuard.open(this.#options, {
      voters: this.#voters,
      keeper: this.#keeper,
      election: this.#election,
      onTrouble: (why) => this.#refused('repair', why),
    });
    this.#overseer = new Overseer(this.#election, {
      tilted: () => this.verdict.tilted,
      busy: () => this.#control.busy,
      warranted: () => this.verdict.failover.warranted,
      failOver: () => this.#failovers.makeByItself(),
      repair: () => this.#shop.repair(),
      onRefusal: (what, why) => this.#refused(what, why),
    });
  }

  /** Rejects in mode `auto` when other processes run with other voters or other times; tells it in the journal else. */
  async #agree(writer: Voter | undefined): Promise<void> {
    const { automatic, cluster } = this.#options;
    const { leaseMs, handoverMs } = this.#rules;
    const mine = { voters: this.#voters.map(({ id }) => id).sort(), leaseMs, handoverMs };
    const why = await agreeOnConfig(cluster, mine, this.#voters, writer, automatic);
    if (why === undefined) return;
    if (this.#parts.options.mode === 'auto') throw refused(`Mode 'auto' does not start: ${why}`);
    this.#refused('repair', why);
  }

  override async plan(kind: 'failover' | 'switchover', to?: NodeId): Promise<FailoverPlan> {
    return kind === 'failover' ? await this.#failovers.plan(to) : await this.#planSwitchover(to);
  }

  async #planSwitchover(to?: NodeId, signal?: AbortSignal): Promise<FailoverPlan> {
    // The locks of the change before this one may have been given back a moment ago.
    const patience = Deadline.of({ timeoutMs: this.#rules.leaseMs, signal });
    if (this.#writer() === undefined) await this.#keeper.wait(patience).catch(() => undefined);
    if (signal?.aborted === true) throw aborted('The switchover', signal.reason);
    const primary = this.#primary();
    const survey = await this.#control.survey(primary);
    const wanted = namedNode(to, this.#voters, survey.nodes);
    return planSwitchover(await this.#control.context(survey), primary, wanted);
  }

  override async switchover(options: SwitchoverOptions = {}): Promise<ChangeResult> {
    rejectUnknownOptions('switchover', options, ['to', 'signal']);
    const plan = await this.#planSwitchover(options.to, options.signal);
    await this.#meta.prepare(this.#control.voter(this.#primary()));
    const again = (): Promise<FailoverPlan> => this.plan('switchover', plan.to);
    return await this.#control.make(plan, { again, signal: options.signal });
  }

  override async failover(options: ForceOptions = {}): Promise<ChangeResult> {
    rejectUnknownOptions('failover', options, ['to', 'force', 'acceptLoss', 'signal']);
    return await this.#failovers.make(options);
  }

  override async rejoin(node: NodeId): Promise<ChangeResult> {
    this.#control.voter(node);
    const again = async (): Promise<FailoverPlan> => this.#shop.planRejoin(node, await this.#source());
    return await this.#control.make(await again(), { again });
  }

  override async rebuild(node: NodeId): Promise<'rebuilt' | 'skipped'> {
    this.#control.voter(node);
    const primary = await this.#source();
    const obstacle = await this.#shop.obstacle(node, primary);
    const gtids = obstacle?.kind === 'diverged' ? obstacle.gtids : '';
    const why = obstacle?.kind === 'purged' ? 'purged' : 'errant';
    const result = await this.#control.hooks.rebuild(node, primary, why, gtids);
    if (typeof result === 'object') throw refused(`${node} is not rebuilt: ${result.veto}`);
    if (result === 'rebuilt') this.#overseer?.hurry();
    return result;
  }

  override async acknowledge(opId: string, who: string): Promise<void> {
    await this.#orders.acknowledge(opId, who);
  }

  override async pause(options: PauseOptions): Promise<PauseHandle> {
    return await this.#orders.pause(options);
  }

  override async resume(id?: string): Promise<boolean> {
    return await this.#orders.resume(id);
  }

  override async history(count = 1_000): Promise<readonly JournalRecord[]> {
    await this.#journal.flush();
    return await sharedHistory(this.#meta, this.#voters, this.#writer(), await super.history(count), count);
  }

  override preflight(): Promise<PreflightReport> {
    return preflight({
      voters: this.#voters,
      nodes: this.#parts.nodes,
      cluster: this.#options.cluster,
      maxLoss: this.#options.maxLoss,
      replicationTls: this.#options.replication.tls,
      selfFenceMs: this.#options.selfFenceMs,
      sourceOf: sourceFinder(this.#voters),
      rebuild: this.#parts.options.hooks?.rebuild,
      strangers: this.#strangers(),
    });
  }

  override async close(): Promise<void> {
    this.#orders.close();
    await Promise.all([this.#control.close(), this.#overseer?.close(), this.#fenceGuard?.close()]);
    await this.#election.close();
    await super.close();
    this.#memory.close();
    this.#guard.close();
    if (this.#journal.waits) {
      // After a change of its own it may take a moment until a majority names the new primary.
      await this.#keeper.wait(Deadline.of({ timeoutMs: 1_000 })).catch(() => undefined);
    }
    await this.#journal.close();
    this.#keeper.close();
  }

  /** Of those that act, the elected one tells what is wrong; of a change tells who made it. */
  protected override callsHook(name: keyof FailoverHooks): boolean {
    return name === 'onDetected' && this.#election.leads;
  }

  protected override record(
    kind: JournalKind,
    opId: string,
    nodes: readonly NodeId[],
    message: string,
  ): JournalRecord {
    const record = super.record(kind, opId, nodes, message);
    // Whoever takes no part tells the others what it does, not what it sees.
    if (this.#options.automatic || !isSighting(kind)) this.#journal.add(record);
    return record;
  }

  #refused(what: 'failover' | 'repair', why: string): void {
    const { failure } = this.verdict;
    this.record('failover-blocked', what, [], why);
    if (what === 'failover') this.publish('failover-blocked', { why, reason: failure ?? 'no-primary' });
  }

  #openControl(): ChangeControl {
    const { options, clock, watcher } = this.#parts;
    return new ChangeControl({
      options: this.#options,
      hooks: options.hooks ?? {},
      policy: options.hookPolicy ?? {},
      voters: this.#voters,
      rules: this.#rules,
      meta: this.#meta,
      actor: this.#actor,
      clock,
      evidence: () => this.verdict.evidence,
      isolated: () => this.isolated,
      doubt: () => this.#failovers.doubt(),
      primary: () => this.#keeper.lease?.primary,
      hasAnswered: (voter) => this.#keeper.voteOf(voter) !== undefined,
      writerlessSince: () => this.writerlessSince,
      tilted: () => this.verdict.tilted,
      ...this.#tellers(),
      onStatement: (statement) => void this.publish('statement', statement),
      hurry: () => {
        this.#keeper.hurry();
        void watcher.refresh();
      },
    });
  }

  #tellers(): Pick<ConstructorParameters<typeof ChangeControl>[0], 'record' | 'publish'> {
    return {
      record: (kind, opId, nodes, message) => void this.record(kind, opId, nodes, message),
      publish: (event, payload) => void this.publish(event, payload),
    };
  }

  #strangers(): readonly Stranger[] {
    return strangersOf(this.#parts.watcher.topology, new Set(this.#voters.map(({ id }) => id)));
  }

  /** The node that is the primary by the word of a majority. */
  #primary(): NodeId {
    const writer = this.#writer();
    if (writer !== undefined) return writer.id;
    throw noPrimary(this.#keeper.missing());
  }

  /** The node that was made the primary, and that a majority votes for only when others were made anew from it. */
  async #promoted(): Promise<NodeId | undefined> {
    const { count } = this.#keeper;
    if (lacksMajority(count)) return undefined;
    const made = await this.#shop.promoted();
    return (count.votedFor ?? made) === made ? made : undefined;
  }

  /** The primary, or the node that was made it: what others follow, and are made anew from. */
  async #source(): Promise<NodeId> {
    return this.#writer()?.id ?? (await this.#promoted()) ?? this.#primary();
  }

  /** The node that takes writes by the word of a majority; nothing is written anywhere else. */
  #writer(): Voter | undefined {
    return this.#voters.find(({ id }) => id === this.#keeper.lease?.primary);
  }
}
