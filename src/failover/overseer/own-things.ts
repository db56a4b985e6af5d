/** What every server has for itself and no change moves by itself: its self-fence event, and which scheduled events it executes. */
import type { NodeId } from '../../common/node-address.js';
import type { ChangeControl } from '../change/change-control.js';
import type { MetaStore } from '../meta/meta-store.js';
import { isFresh } from '../plan/closed-primary.js';
import { hasCeased } from '../plan/event-handover.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import type { PlanContext } from '../plan/plan-context.js';
import { planEvents } from '../plan/plan-events.js';
import { planFence } from '../plan/plan-fence.js';
import { refused } from '../plan/refused.js';
import { type RetryPolicy, RetryTimes } from './retry-times.js';

/** What it is put right with. */
export interface OwnThingsParts {
  readonly control: Pick<ChangeControl, 'make' | 'voter'>;
  readonly meta: Pick<MetaStore, 'open'>;
  /** Looks at all nodes as those of `primary`; undefined when it may not be the primary any more. */
  readonly look: (primary: NodeId) => Promise<PlanContext | undefined>;
}

/** Plans what is to be done on the first node that `mayBe`. */
type PlanOwn = (
  context: PlanContext,
  primary: NodeId,
  mayBe: (node: NodeId) => boolean,
) => FailoverPlan | undefined;

/** A lock of a backup may be held for hours, and every attempt is told in the journal. */
const PASSING = { firstMs: 4_000, maxMs: 120_000 };
/** Without its event a primary that is cut off goes on. */
const FENCE_RETRY: RetryPolicy = { passing: { firstMs: 4_000, maxMs: 30_000 }, refusedMs: 30_000 };
/** An account has to be given privileges first. */
const EVENTS_RETRY: RetryPolicy = { passing: PASSING, refusedMs: 600_000 };

/** Puts it right, on one node at a time; what cannot be done is tried again later. */
export class OwnThings {
  readonly #parts: OwnThingsParts;
  readonly #fenceTimes = new RetryTimes(FENCE_RETRY);
  readonly #eventTimes = new RetryTimes(EVENTS_RETRY);

  /** Has failed on no node yet. */
  constructor(parts: OwnThingsParts) {
    this.#parts = parts;
  }

  /** The self-fence event, where it is not as it should be; whether something was done. */
  async putFence(context: PlanContext, primary: NodeId): Promise<boolean> {
    return await this.#put(planFence, this.#fenceTimes, context, primary);
  }

  /** Scheduled events likewise; also what a switchover that nobody has ended has taken from the primary. */
  async putEvents(context: PlanContext, primary: NodeId): Promise<boolean> {
    const { control, meta } = this.#parts;
    const open = hasCeased(context.surveys.get(primary)) ? await meta.open(control.voter(primary)) : [];
    const isTaken = open.some(
      ({ kind, from, ageS }) => kind === 'switchover' && from === primary && !isFresh(ageS),
    );
    const plan: PlanOwn = (now, of, mayBe) => planEvents(now, of, mayBe, isTaken);
    return await this.#put(plan, this.#eventTimes, context, primary);
  }

  async #put(planOf: PlanOwn, times: RetryTimes, context: PlanContext, primary: NodeId): Promise<boolean> {
    const plan = planOf(context, primary, (node) => times.mayTry(node));
    if (plan === undefined) return false;
    const again = async (): Promise<FailoverPlan> => {
      const look = await this.#parts.look(primary);
      const same = look === undefined ? undefined : planOf(look, primary, (node) => node === plan.to);
      if (same !== undefined) return same;
      throw refused(`${plan.to} is as it should be, or ${primary} is not the primary any more`);
    };
    const errors: Error[] = [];
    const onLeftOut = (error: Error): void => void errors.push(error);
    const result = await this.#parts.control.make(plan, { again, onLeftOut });
    if (!result.ok) errors.push(result.error);
    const isOptional = plan.steps.some(({ optional }) => optional !== undefined);
    // A server may do what it was told to, and be as it was.
    const isVain = errors.length > 0 || (isOptional && (await again().catch(() => undefined)) !== undefined);
    if (isVain) times.failed(plan.to, errors);
    else times.done(plan.to);
    return result.ok;
  }
}
