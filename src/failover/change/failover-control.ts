/** Plans and makes failovers: those that are called for, and those that the elected process makes by itself. */
import type { NodeId } from '../../common/node-address.js';
import type { ResolvedActingOptions } from '../acting-options.js';
import type { DetectorVerdict } from '../detector/detector-verdict.js';
import type { ForceOptions } from '../failover-manager.js';
import type { FailoverMode } from '../failover-options.js';
import type { MetaStore } from '../meta/meta-store.js';
import { lossRefusal } from '../plan/expected-loss.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import { planFailover } from '../plan/plan-failover.js';
import { refused } from '../plan/plan-switchover.js';
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
  /** The primary that is there, or was last. */
  readonly primary: () => NodeId | null;
  /** What the detector says now. */
  readonly verdict: () => DetectorVerdict;
  /** Nodes that have not answered for seconds. */
  readonly down: () => ReadonlySet<NodeId>;
}

/** Makes failovers. */
export class FailoverControl {
  readonly #parts: FailoverControlParts;

  /** Makes a control. */
  constructor(parts: FailoverControlParts) {
    this.#parts = parts;
  }

  /** What a failover would do now. Rejects with `ERR_CHANGE_REFUSED`. */
  async plan(to?: NodeId): Promise<FailoverPlan> {
    const { control, memory, verdict, voters, down } = this.#parts;
    const from = this.#parts.primary();
    if (from === null)
      throw refused('No primary was ever seen by this process, so that there is nothing to fail over from');
    const survey = await control.survey(undefined, down());
    const { failure } = verdict();
    const lastSeen = memory.of(from);
    return planFailover(await control.context(survey), {
      from,
      reason: failure,
      lastSeen,
      wanted: namedNode(to, voters, survey.nodes),
      silent: survey.silent,
    });
  }

  /** Fails over because somebody calls for it. */
  async make({ to, force = false, acceptLoss = false, signal }: ForceOptions): Promise<ChangeResult> {
    const doubt = this.doubt();
    if (!force && doubt !== undefined)
      throw refused(`${doubt}. Call failover({ force: true }) if you know better`);
    const plan = await this.plan(to);
    this.#checkLoss(plan, acceptLoss);
    return await this.#parts.control.make(plan, {
      again: () => this.#planAgain(plan, acceptLoss),
      signal,
      force,
    });
  }

  /** Fails over because this process finds it right. Rejects with why it is not done. */
  async makeByItself(): Promise<void> {
    const { control, meta, mode, options, primary, voters } = this.#parts;
    const from = primary();
    const others = voters.filter(({ id, kind }) => kind === 'data' && id !== from);
    const [plan] = await Promise.all([this.plan(), checkAutomaticRight(meta, others, options.blockMs)]);
    this.#checkLoss(plan, false);
    if (mode === 'approve') {
      const verdict = await control.ask('approve', plan);
      if (verdict !== 'allow') throw refused(`Not approved: ${verdict.veto}`);
      const doubt = this.doubt();
      if (doubt !== undefined) throw refused(doubt);
    }
    const result = await control.make(plan, { again: () => this.#planAgain(plan, false) });
    if (!result.ok) throw result.error;
  }

  /** Why the primary is not, or no longer, objectively down; undefined while it is. */
  doubt(): string | undefined {
    const { tilted, failover } = this.#parts.verdict();
    if (tilted) return 'This process stalled lately and does not trust what it sees';
    return failover.warranted ? undefined : failover.because;
  }

  async #planAgain({ to }: FailoverPlan, acceptLoss: boolean): Promise<FailoverPlan> {
    const plan = await this.plan(to);
    this.#checkLoss(plan, acceptLoss);
    return plan;
  }

  #checkLoss({ loss, from }: FailoverPlan, accepted: boolean): void {
    const { memory, options } = this.#parts;
    const rate = from === null ? undefined : memory.of(from)?.rate;
    const why = accepted ? undefined : lossRefusal(loss, options.maxLoss, rate);
    if (why !== undefined) throw refused(why);
  }
}
