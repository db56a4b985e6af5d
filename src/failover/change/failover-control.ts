/** Plans and makes failovers: those that are called for, and those that the elected process makes by itself. */
import { pause } from '../../common/backoff.js';
import { aborted } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { ResolvedActingOptions } from '../acting-options.js';
import type { VoterCount } from '../detector/detector-input.js';
import type { DetectorVerdict } from '../detector/detector-verdict.js';
import type { ForceOptions } from '../failover-manager.js';
import type { FailoverMode } from '../failover-options.js';
import type { MetaStore } from '../meta/meta-store.js';
import { lossRefusal } from '../plan/expected-loss.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import { assertStillNamed, namesIn } from '../plan/known-standing.js';
import { planFailover } from '../plan/plan-failover.js';
import { refused } from '../plan/refused.js';
import type { Stranger } from '../strangers.js';
import type { Voter } from '../voters.js';
import type { ChangeControl, ChangeResult } from './change-control.js';
import { checkAutomaticRight } from './change-rights.js';
import { namedNode } from './named-node.js';
import type { PrimaryMemory } from './primary-memory.js';

/** What a control works with. */
export interface FailoverControlParts {
  readonly mode: FailoverMode;
  readonly options: ResolvedActingOptions;
  readonly voters: readonly Voter[];
  readonly control: ChangeControl;
  readonly meta: MetaStore;
  readonly memory: PrimaryMemory;
  /** The primary that is there, or that this process has seen last. */
  readonly seen: () => NodeId | null;
  /** The voters now, and whom a majority of them votes for. */
  readonly count: () => VoterCount;
  /** The replicas that were only found, and the nodes that they replicate from. */
  readonly strangers: () => readonly Stranger[];
  /** What the detector says now. */
  readonly verdict: () => DetectorVerdict;
  /** Nodes that have not answered for seconds. */
  readonly down: () => ReadonlySet<NodeId>;
}

/** How long a process that has just begun waits until all voters were asked, milliseconds. */
const ASKED_MS = 3_000;
/** How long, besides a lease, a process that has just begun may take to find the primary dead, or alive, milliseconds. */
const JUDGED_MS = 10_000;
const POLL_MS = 50;

/** How a failover is planned. */
export interface PlanWish {
  /** Whether somebody answers for it that the right primary is taken for lost. Default false. */
  readonly force?: boolean;
  /** Whether the node that is named is insisted on; default: when one is named. */
  readonly insists?: boolean;
  /** Whether that node may lack what others have. Default false. */
  readonly acceptLoss?: boolean;
  /** Gives it up. */
  readonly signal?: AbortSignal | undefined;
}

/** A plan, and where this process has not seen the primary what the cluster's memory named as that. */
interface Planned {
  readonly plan: FailoverPlan;
  readonly names: ReadonlySet<NodeId> | undefined;
}

/** Makes failovers. */
export class FailoverControl {
  readonly #parts: FailoverControlParts;

  /** Makes a control. */
  constructor(parts: FailoverControlParts) {
    this.#parts = parts;
  }

  /** What a failover would do now. Rejects with `ERR_CHANGE_REFUSED`, or `ERR_ABORTED`. */
  async plan(to?: NodeId, how: PlanWish = {}): Promise<FailoverPlan> {
    return (await this.#planned(to, how)).plan;
  }

  async #planned(to?: NodeId, how: PlanWish = {}): Promise<Planned> {
    const { force = false, insists = to !== undefined, acceptLoss = false, signal } = how;
    const { control, memory, verdict, voters, seen, count, strangers, down } = this.#parts;
    await this.#until(() => this.#from() !== null || count().unasked === 0, ASKED_MS, signal);
    const from = this.#from();
    if (from === null) {
      const { total, reachable } = count();
      throw refused(
        'This process has seen no primary, and no majority of the voters votes for one ' +
          `(${reachable} of ${total} answer), so that there is nothing to fail over from`,
      );
    }
    const survey = await control.surveyFrom(from, down());
    const { failure } = verdict();
    const lastSeen = memory.of(from);
    const context = await control.context(survey);
    const concluded = seen() !== from && !force;
    const plan = planFailover(context, {
      from,
      reason: failure,
      lastSeen,
      wanted: namedNode(to, voters, survey.nodes),
      insists,
      acceptsLoss: acceptLoss,
      concluded,
      silent: survey.silent,
      strangers: strangers().flatMap(({ node, source }) => (source === from ? [node] : [])),
    });
    return { plan, names: concluded ? namesIn(context) : undefined };
  }

  /** Fails over because somebody calls for it. */
  async make({ to, force = false, acceptLoss = false, signal }: ForceOptions): Promise<ChangeResult> {
    // A process that has only just begun to look cannot know yet.
    const { seen, options } = this.#parts;
    const judgedMs = force ? 0 : options.leaseMs + JUDGED_MS;
    await this.#until(() => seen() !== null || this.doubt() === undefined, judgedMs, signal);
    const doubt = this.doubt();
    if (!force && doubt !== undefined)
      throw refused(
        `${doubt}. For a planned change call switchover(), which loses nothing; call failover({ force: true }) only if you know better`,
      );
    const insists = to !== undefined;
    const planned = await this.#planned(to, { force, insists, acceptLoss, signal });
    const { plan } = planned;
    this.#checkLoss(plan, acceptLoss);
    return await this.#parts.control.make(plan, {
      again: () => this.#planAgain(plan, { acceptLoss, force, insists }),
      mayStill: () => this.#checkNamed(planned),
      signal,
      force,
    });
  }

  /** Fails over because this process finds it right. Rejects with why it is not done. */
  async makeByItself(): Promise<void> {
    const { control, mode } = this.#parts;
    // What may forbid it is asked again when the hooks have had their say, and the locks are held.
    const allowed = async <T>(made: Promise<T>): Promise<T> =>
      (await Promise.all([made, this.#checkRight()]))[0];
    const planned = await allowed(this.#planned());
    const { plan } = planned;
    this.#checkLoss(plan, false);
    if (mode === 'approve') {
      const verdict = await control.hooks.ask('approve', plan);
      if (verdict !== 'allow') throw refused(`Not approved: ${verdict.veto}`);
      const doubt = this.doubt();
      if (doubt !== undefined) throw refused(doubt);
    }
    const result = await control.make(plan, {
      again: () => allowed(this.#planAgain(plan)),
      mayStill: () => allowed(this.#checkNamed(planned)),
    });
    if (!result.ok) throw result.error;
  }

  /** Why the primary is not, or no longer, objectively down; undefined while it is. */
  doubt(): string | undefined {
    const { tilted, failover } = this.#parts.verdict();
    if (tilted) return 'This process stalled lately and does not trust what it sees';
    return failover.warranted ? undefined : failover.because;
  }

  /** Whether this may be done by itself now; asked of the nodes that answer, the lost primary not among them: of it what it said last. */
  async #checkRight(): Promise<void> {
    const { meta, options, voters, down, control } = this.#parts;
    const [from, silent] = [this.#from(), down()];
    const others = voters.filter(({ id, kind }) => kind === 'data' && id !== from && !silent.has(id));
    await checkAutomaticRight(meta, others, options.blockMs, from, (told) => control.unheard(from, told));
  }

  /** A change by hand that the new primary had received, and had not executed when this was planned. */
  async #checkNamed({ plan: { from, to }, names }: Planned): Promise<void> {
    if (names === undefined || from === null) return;
    const { primary } = await this.#parts.meta.standing(this.#parts.control.voter(to));
    assertStillNamed(primary, { from, to }, names);
  }

  /** The same node again, unless nothing but the first plan speaks for it. */
  async #planAgain(
    { to }: FailoverPlan,
    { acceptLoss = false, force = false, insists = false }: PlanWish = {},
  ): Promise<FailoverPlan> {
    const plan = await this.plan(to, { force, insists, acceptLoss });
    this.#checkLoss(plan, acceptLoss);
    return plan;
  }

  /** The primary to fail over from: the one that a majority still votes for, else the one that was seen. */
  #from(): NodeId | null {
    return this.#parts.count().votedFor ?? this.#parts.seen();
  }

  async #until(isKnown: () => boolean, limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const end = performance.now() + limitMs;
    while (signal?.aborted !== true && !isKnown() && performance.now() < end) await pause(POLL_MS, signal);
    if (signal?.aborted === true) throw aborted('The failover', signal.reason);
  }

  #checkLoss({ loss, from }: FailoverPlan, accepted: boolean): void {
    const { memory, options } = this.#parts;
    const rate = from === null ? undefined : memory.of(from)?.rate;
    const why = accepted ? undefined : lossRefusal(loss, options.maxLoss, rate);
    if (why !== undefined) throw refused(why);
  }
}
