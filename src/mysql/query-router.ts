/** Finds the node for a statement in the present picture of the cluster; synchronous, and cheap while nothing changes. */
import type { NodeId } from '../common/node-address.js';
import { describeError } from '../common/stormlamp-error.js';
import type { Balance, BalanceContext } from '../topology/balance.js';
import { createBalance } from '../topology/choose-balance.js';
import { type GtidPosition, hasOrWrote } from '../topology/gtid-position.js';
import type { NodeDescription, NodeRole } from '../topology/node-description.js';
import { type Selection, type SelectionCriteria, selectNodes, whyUnfit } from '../topology/node-selection.js';
import type { ReadPreference } from '../topology/read-preference.js';
import { allowedLagMs, type LagLimits, stalenessMs } from '../topology/replica-freshness.js';
import { knownFacts } from '../topology/replication-graph.js';
import { noReaderError, noWriterError, type RoutingError } from '../topology/routing-error.js';
import { nodeIn, type TopologyDescription } from '../topology/topology-description.js';
import { AppliedPositions, hasBarrier } from './applied-positions.js';
import { PrimaryBudget } from './primary-budget.js';
import type { ResolvedReadOptions } from './read-options.js';
import type { ActiveScope } from './scope.js';
import { SelectionCache } from './selection-cache.js';
import { SharedNumbers } from './shared-numbers.js';
import { soonestReplicas } from './soonest-replicas.js';
import type { WriteGate } from './write-gate.js';

/** What the router looks at. */
export interface RouterView {
  /** The present picture of the cluster. */
  topology(): TopologyDescription;
  /** Who decides where the primary is, where that is not the topology. */
  gate?(): Pick<WriteGate, 'node' | 'voted'> | undefined;
  /** Whether the breakers of a node let reads through. */
  allows(node: NodeId): boolean;
  /** A number that changes whenever an answer of {@link RouterView.allows} may have changed. */
  breakerVersion(): number;
  /** Statements of this process that the node works on. */
  inFlight(node: NodeId): number;
  /** When the breakers of a node let reads through again last, monotonic milliseconds. */
  returnedAt(node: NodeId): number;
  /** So many statements may wait on one replica at a time for their scopes' writes. */
  readonly waitLimit: number;
}

/** The node for a statement. */
export interface RouteChoice {
  /** The node. */
  readonly node: NodeId;
  /** Its role in the picture. */
  readonly role: NodeRole;
  /** Why this node and not another kind of node, '' when that goes without saying. */
  readonly because: string;
  /** What the node must be waited for; undefined when it is known to have all that the read must see. */
  readonly waitFor?: GtidPosition | undefined;
}

/** A selection is looked at again after this time, because shares and delays change without an event. */
const CACHE_MS = 250;

const ANY_LAG: LagLimits = { maxLagMs: Number.POSITIVE_INFINITY };

/** Chooses nodes for one cluster. */
export class QueryRouter {
  readonly #reads: ResolvedReadOptions;
  readonly #limits: LagLimits;
  readonly #view: RouterView;
  readonly #balance: Balance;
  readonly #budget: PrimaryBudget;
  readonly #context: { now: number } & BalanceContext;
  /** What replicas are known to have applied. */
  readonly positions: AppliedPositions;
  readonly #cache = new SelectionCache();
  readonly #numbers = new SharedNumbers();

  /** Makes a router over `view`. */
  constructor(reads: ResolvedReadOptions, view: RouterView) {
    const { maxLagMs, maxLagWithoutPrimaryMs } = reads;
    this.#reads = reads;
    this.#limits = { maxLagMs, maxLagWithoutPrimaryMs };
    this.#view = view;
    this.#balance = createBalance(reads.balance);
    this.positions = new AppliedPositions(view.waitLimit);
    this.#budget = new PrimaryBudget(reads.primaryShareLimit);
    this.#context = {
      now: 0,
      random: Math.random,
      inFlight: (node) => view.inFlight(node),
      returnedAt: (node) => view.returnedAt(node),
    };
  }

  /** The present picture of the cluster. */
  get topology(): TopologyDescription {
    return this.#view.topology();
  }

  /** The preference that holds for a read in `scope`. */
  preferenceIn(scope: ActiveScope | undefined): ReadPreference {
    if (scope === undefined) return this.#reads.preference;
    return scope.readsFromPrimary ? 'primary' : (scope.preference ?? this.#reads.preference);
  }

  #limitsIn(scope: ActiveScope | undefined): LagLimits {
    return scope?.limitsOver(this.#limits) ?? this.#limits;
  }

  /**
   * A node for a read. `avoid` are nodes that this statement already tried; one of them is only taken again when no
   * other can serve. With `mayWait`, it may be a replica that has to be waited for.
   *
   * @throws RoutingError `ERR_NO_REPLICA` naming every node and why it cannot serve; `ERR_NO_PRIMARY` when only the
   * primary would do.
   */
  reader(scope: ActiveScope | undefined, avoid?: ReadonlySet<NodeId>, mayWait = false): RouteChoice {
    const now = performance.now();
    const topology = this.#view.topology();
    const preference = this.preferenceIn(scope);
    const limits = this.#limitsIn(scope);
    let candidates =
      avoid === undefined || avoid.size === 0
        ? this.#candidates(topology, preference, limits, now)
        : this.#select(topology, preference, limits, now, avoid).candidates;
    this.#context.now = now;
    const wanted = scope?.wanted;
    let waitFor: GtidPosition | undefined;
    let reason = 'no replica is fit';
    if (wanted !== undefined && preference !== 'primary' && candidates.some(isReplica)) {
      const there = this.#whoHas(wanted, candidates, topology, preference, limits, now, avoid);
      const isEnough =
        there === candidates ||
        there.some((node) => isReplica(node) && !isReserve(node, candidates)) ||
        (preference === 'nearest' && there.length > 0);
      if (isEnough) candidates = there;
      else {
        const awaited = mayWait ? this.#whomToAwait(candidates, wanted, scope?.waitMs ?? 0) : undefined;
        candidates = awaited === undefined ? there : [awaited];
        waitFor = awaited === undefined ? undefined : wanted;
        reason = 'no replica is known to have what it must see';
      }
    }
    const chosen = candidates.length === 1 ? candidates[0] : this.#balance(candidates, this.#context);
    if (chosen === undefined) throw this.noReader(scope, avoid, undefined);
    const role = chosen.state === 'up' ? chosen.role : 'unknown';
    if (role === 'replica') {
      this.#budget.servedByReplica(now);
      return { node: chosen.id, role, because: '', waitFor };
    }
    const fallback = preference === 'replica-preferred' || preference === 'nearest';
    // Whoever asks for this node by its name does not fall back to it.
    if (chosen.id === this.#reads.affinity) reason = 'affinity names it';
    else if (preference === 'replica-preferred' && !this.#budget.mayFallBack(now)) {
      throw this.#overBudget(topology, limits, now);
    }
    return { node: chosen.id, role, because: fallback ? reason : '' };
  }

  /**
   * Whether the primary may be asked for a read in `scope` that a replica could not answer, as it may be behind; if so, it is counted
   * as a read that falls back to the primary.
   */
  mayAskPrimary(scope: ActiveScope | undefined): boolean {
    const { writer } = this;
    if (writer === undefined || nodeIn(this.topology, writer)?.state !== 'up') return false;
    return this.preferenceIn(scope) !== 'replica' && this.#budget.mayFallBack(performance.now());
  }

  /** Whether `node` may serve a read in `scope` now, so that a connection to it need not be given back. */
  serves(node: NodeId, scope: ActiveScope | undefined): boolean {
    const limits = this.#limitsIn(scope);
    const topology = this.#view.topology();
    const preference = this.preferenceIn(scope);
    // Whoever wants the primary looks again whether it still is, when it takes no writes.
    if (preference === 'primary' && this.writer !== node) return false;
    const candidates = this.#candidates(topology, preference, limits, performance.now());
    const found = candidates.find(({ id }) => id === node);
    if (found === undefined) return false;
    const wanted = scope?.wanted;
    return wanted === undefined || !isReplica(found) || this.#has(found, wanted);
  }

  /** Whether `node`, which was chosen for a read in `scope` some time ago, may serve it as far as its role and its lag say. */
  mayStillRead(node: NodeId, scope: ActiveScope | undefined): boolean {
    return this.serves(node, scope) || this.whyUnfit(node, scope) === undefined;
  }

  /** Whether another node could serve reads if `node` did not: the last one that can is never shut off. */
  canSpare(node: NodeId): boolean {
    const allows = (other: NodeId): boolean => other !== node && this.#view.allows(other);
    const criteria = { ...this.#criteria(this.#reads.preference, this.#limits), allows };
    return selectNodes(this.#view.topology(), criteria).candidates.length > 0;
  }

  /** Whether a read in `scope` could go to the primary if only its breaker let it through. */
  isShutOff(scope: ActiveScope | undefined): boolean {
    const { writer } = this;
    if (writer === undefined || this.#view.allows(writer)) return false;
    const criteria = this.#criteria(this.preferenceIn(scope), this.#limitsIn(scope));
    const { candidates } = selectNodes(this.topology, { ...criteria, allows: (node) => node === writer });
    return candidates.some(({ id }) => id === writer);
  }

  /** Whether `node` must be asked to catch up before every read that must see something. */
  hasBarrier(node: NodeId): boolean {
    const found = nodeIn(this.topology, node);
    return found !== undefined && hasBarrier(found);
  }

  /** Whether `node` was a member of a Galera cluster when it was last seen. */
  isGalera(node: NodeId): boolean {
    const found = nodeIn(this.topology, node);
    return found !== undefined && knownFacts(found)?.group?.kind === 'galera';
  }

  /**
   * Whether `node`, which was chosen for a read that must see `wanted`, may lack it all the same: a supposed primary that was
   * replaced since it was looked at, or a member of a group that has to be asked anyhow.
   */
  mayLack(id: NodeId, wanted: GtidPosition): boolean {
    const node = nodeIn(this.topology, id);
    if (node?.state !== 'up' || hasBarrier(node)) return true;
    return node.role === 'replica' ? !this.#has(node, wanted) : !hasOrWrote(node.facts, wanted);
  }

  /** Whether a node is known to have `wanted`, whose numbers may be those of a Galera member, which nobody else shares. */
  #has(node: NodeDescription, wanted: GtidPosition): boolean {
    return this.positions.has(node, wanted) && this.#isShared(wanted);
  }

  #isShared(wanted: GtidPosition): boolean {
    return this.#numbers.are(wanted, this.#view.topology());
  }

  /** Whether `id`, which is no member of a Galera cluster, can be waited for until it has `wanted`. */
  canAwait(id: NodeId, wanted: GtidPosition): boolean {
    const node = nodeIn(this.topology, id);
    return node?.state === 'up' && node.facts.flavor === wanted.flavor && this.#isShared(wanted);
  }

  /**
   * Why a session that cannot leave the node `id` may not read there in `scope`; undefined when it may. Whether the node has
   * what the scope must see is another question.
   */
  whyUnfit(id: NodeId, scope: ActiveScope | undefined): string | undefined {
    const { topology } = this;
    const node = nodeIn(topology, id);
    if (node === undefined) return 'it is not one of the nodes any more';
    const preference = this.preferenceIn(scope);
    if (preference === 'primary' && node.state === 'up' && node.role === 'replica') {
      return scope?.readsFromPrimary === true
        ? 'the scope wrote, and it is not known which nodes have that'
        : "the read preference is 'primary'";
    }
    const criteria = this.#criteria(preference, this.#limitsIn(scope));
    return whyUnfit(node, topology, { ...criteria, allows: () => true });
  }

  /** The primary; undefined while there is none, or more than one. */
  get writer(): NodeId | undefined {
    const gate = this.#view.gate?.();
    if (gate !== undefined) return gate.node;
    const { writer } = this.#view.topology();
    return writer.kind === 'primary' ? writer.node : undefined;
  }

  /** Whether a majority votes for another node than the one that looks like the primary: what looks so may be old. */
  get isOutvoted(): boolean {
    const { writer } = this.#view.topology();
    return writer.kind === 'primary' && (this.#voted ?? writer.node) !== writer.node;
  }

  get #voted(): NodeId | undefined {
    return this.#view.gate?.()?.voted;
  }

  /** The primary that only refuses writes, while no node is known to take them: it has the newest data all the same. */
  get restingPrimary(): NodeId | undefined {
    const topology = this.#view.topology();
    if (this.writer !== undefined || topology.writer.kind !== 'no-primary') return undefined;
    return this.#select(topology, 'primary', ANY_LAG, performance.now()).candidates[0]?.id;
  }

  /** The error of a read that no node can serve. */
  noReader(
    scope: ActiveScope | undefined,
    avoid: ReadonlySet<NodeId> | undefined,
    cause: unknown,
  ): RoutingError {
    const topology = this.#view.topology();
    const preference = this.preferenceIn(scope);
    if (preference === 'primary' && topology.writer.kind !== 'primary') return noWriterError(topology);
    const limits = this.#limitsIn(scope);
    const { candidates, rejected } = this.considered(scope);
    const why = cause === undefined ? 'it was already tried' : describeError(cause);
    const tried = candidates
      .filter(({ id }) => avoid?.has(id) === true)
      .map(({ id }) => ({ node: id, reason: why }));
    return noReaderError(topology, { ...limits, preference }, [...tried, ...rejected]);
  }

  /** All nodes and what speaks against each, for a read in `scope`. */
  considered(scope: ActiveScope | undefined): Selection {
    const [preference, limits] = [this.preferenceIn(scope), this.#limitsIn(scope)];
    return this.#select(this.topology, preference, limits, performance.now(), undefined, scope?.wanted);
  }

  /** All nodes and what speaks against each, for a write. */
  consideredForWrite(): Selection {
    return selectNodes(this.topology, { ...this.#criteria('primary', ANY_LAG), forWrite: true });
  }

  #candidates(
    topology: TopologyDescription,
    preference: ReadPreference,
    limits: LagLimits,
    now: number,
  ): readonly NodeDescription[] {
    const breakerVersion = this.#view.breakerVersion();
    const voted = this.#voted;
    const cached = this.#cache.find(topology, breakerVersion, preference, limits, voted, now);
    if (cached !== undefined) return cached;
    const { candidates } = this.#select(topology, preference, limits, now);
    let validUntil = now + CACHE_MS;
    for (const node of candidates) {
      const lag = stalenessMs(node, topology, now);
      if (lag !== null) validUntil = Math.min(validUntil, now + allowedLagMs(node, topology, limits) - lag);
    }
    this.#cache.keep({ topology, breakerVersion, preference, limits, voted, candidates, validUntil });
    return candidates;
  }

  #select(
    topology: TopologyDescription,
    preference: ReadPreference,
    limits: LagLimits,
    now: number,
    avoid?: ReadonlySet<NodeId>,
    wanted?: GtidPosition,
  ): Selection {
    const { zone, affinity, latencyWindowMs } = this.#reads;
    return selectNodes(topology, {
      ...this.#criteria(preference, limits, now),
      zone,
      affinity,
      latencyWindowMs,
      avoid,
      causal: wanted === undefined ? undefined : { wanted, reached: (node) => this.#has(node, wanted) },
    });
  }

  #criteria(preference: ReadPreference, limits: LagLimits, now = performance.now()): SelectionCriteria {
    const allows = (node: NodeId): boolean => this.#view.allows(node);
    return { ...limits, preference, now, voted: this.#voted, allows };
  }

  /** Those of `candidates` that are known to have what is wanted, else any others that are. */
  #whoHas(
    wanted: GtidPosition,
    candidates: readonly NodeDescription[],
    topology: TopologyDescription,
    preference: ReadPreference,
    limits: LagLimits,
    now: number,
    avoid: ReadonlySet<NodeId> | undefined,
  ): readonly NodeDescription[] {
    const has = (node: NodeDescription): boolean => !isReplica(node) || this.#has(node, wanted);
    if (candidates.every(has)) return candidates;
    const there = candidates.filter(has);
    if (there.length > 0) return there;
    return this.#select(topology, preference, limits, now, avoid, wanted).candidates;
  }

  /** The replica that will have what is wanted first, if it may be there in time. */
  #whomToAwait(
    candidates: readonly NodeDescription[],
    wanted: GtidPosition,
    waitMs: number,
  ): NodeDescription | undefined {
    if (waitMs <= 0) return undefined;
    const may = (node: NodeDescription): boolean =>
      this.positions.mayWait(node.id) && (hasBarrier(node) || this.#isShared(wanted));
    const soonest = soonestReplicas(candidates, wanted.flavor, waitMs, may);
    return soonest.length > 1 ? this.#balance(soonest, this.#context) : soonest[0];
  }

  #overBudget(topology: TopologyDescription, limits: LagLimits, now: number): RoutingError {
    const { rejected } = this.#select(topology, 'replica', limits, now);
    const share = `its share of reads is used up (primaryShareLimit ${this.#reads.primaryShareLimit})`;
    const all = rejected.map((entry) =>
      entry.reason === 'it is the primary' ? { ...entry, reason: share } : entry,
    );
    return noReaderError(topology, { ...limits, preference: 'replica-preferred' }, all);
  }
}

function isReplica(node: NodeDescription): boolean {
  return node.state === 'up' && node.role === 'replica';
}

/** Whether a node of weight 0 is to serve only when no other can, since one of the candidates for a read has more weight. */
function isReserve({ weight }: NodeDescription, candidates: readonly NodeDescription[]): boolean {
  return weight === 0 && candidates.some((other) => other.weight > 0);
}
