/** Has commits wait for replicas again, where a change had to leave that off, as soon as enough replicas acknowledge. */
import type { NodeId } from '../../common/node-address.js';
import type { ChangeControl } from '../change/change-control.js';
import type { MetaStore } from '../meta/meta-store.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import type { PlanContext } from '../plan/plan-context.js';
import { planSemiSync } from '../plan/plan-semi-sync.js';
import { refused } from '../plan/refused.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { isSemiSync } from '../survey/semi-sync.js';

/** What a desk works with. */
export interface SemiSyncParts {
  readonly control: Pick<ChangeControl, 'make' | 'voter'>;
  readonly meta: Pick<MetaStore, 'paySemiSync'>;
}

/** What could not be done is tried again after so long, milliseconds. */
const RETRY_MS = 30_000;

/** Remembers the primary from one look to the next. */
export class SemiSyncDesk {
  readonly #parts: SemiSyncParts;
  #before: NodeSurvey | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;

  /** Has seen nothing yet. */
  constructor(parts: SemiSyncParts) {
    this.#parts = parts;
  }

  /** Switches it on on `primary` where it is time for that; whether that was done. `look`: looks again, under the lock. */
  async switchOn(
    context: PlanContext,
    primary: NodeId,
    look: () => Promise<PlanContext | undefined>,
  ): Promise<boolean> {
    const survey = context.surveys.get(primary);
    const before = this.#before;
    this.#before = survey;
    if (survey === undefined || context.owesSemiSync?.has(primary) !== true) return false;
    const { control, meta } = this.#parts;
    if (isSemiSync(survey)) {
      await meta.paySemiSync(control.voter(primary)).catch(() => undefined);
      return false;
    }
    const plan = planSemiSync(context, primary, before);
    if (plan === undefined || performance.now() - this.#failedAt < RETRY_MS) return false;
    const again = async (): Promise<FailoverPlan> => {
      const now = await look();
      const same = now === undefined ? undefined : planSemiSync(now, primary, before);
      if (same !== undefined) return same;
      throw refused(`Too few replicas of ${primary} acknowledge now, or it is not the primary any more`);
    };
    const { ok } = await control.make(plan, { again });
    if (!ok) this.#failedAt = performance.now();
    return ok;
  }
}
