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

/** What it is put right with. */
export interface OwnThingsParts {
  readonly control: ChangeControl;
  readonly meta: MetaStore;
  /** Looks at all nodes as those of `primary`; undefined when it may not be the primary any more. */
  readonly look: (primary: NodeId) => Promise<PlanContext | undefined>;
}

/** Plans what is to be done on the first node that `mayBe`. */
type PlanOwn = (
  context: PlanContext,
  primary: NodeId,
  mayBe: (node: NodeId) => boolean,
) => FailoverPlan | undefined;

/** A node on which the self-fence event could not be made is tried again after so long, milliseconds. */
const FENCE_RETRY_MS = 30_000;
/** Likewise for scheduled events, milliseconds: an account may have to be given privileges first. */
const EVENTS_RETRY_MS = 600_000;

/** Puts it right, on one node at a time; what cannot be done is tried again later. */
export class OwnThings {
  readonly #parts: OwnThingsParts;
  readonly #fenceFailed = new Map<NodeId, number>();
  readonly #eventsFailed = new Map<NodeId, number>();

  /** Has failed on no node yet. */
  constructor(parts: OwnThingsParts) {
    this.#parts = parts;
  }

  /** The self-fence event, where it is not as it should be; whether something was done. */
  async putFence(context: PlanContext, primary: NodeId): Promise<boolean> {
    return await this.#put(planFence, this.#fenceFailed, FENCE_RETRY_MS, context, primary);
  }

  /** Scheduled events likewise; also what a switchover that nobody has ended has taken from the primary. */
  async putEvents(context: PlanContext, primary: NodeId): Promise<boolean> {
    const { control, meta } = this.#parts;
    const open = hasCeased(context.surveys.get(primary)) ? await meta.open(control.voter(primary)) : [];
    const isTaken = open.some(
      ({ kind, from, ageS }) => kind === 'switchover' && from === primary && !isFresh(ageS),
    );
    const plan: PlanOwn = (now, of, mayBe) => planEvents(now, of, mayBe, isTaken);
    return await this.#put(plan, this.#eventsFailed, EVENTS_RETRY_MS, context, primary);
  }

  async #put(
    planOf: PlanOwn,
    failed: Map<NodeId, number>,
    retryMs: number,
    context: PlanContext,
    primary: NodeId,
  ): Promise<boolean> {
    const now = performance.now();
    for (const [node, at] of failed) if (now - at > retryMs) failed.delete(node);
    const plan = planOf(context, primary, (node) => !failed.has(node));
    if (plan === undefined) return false;
    const again = async (): Promise<FailoverPlan> => {
      const look = await this.#parts.look(primary);
      const same = look === undefined ? undefined : planOf(look, primary, (node) => node === plan.to);
      if (same !== undefined) return same;
      throw refused(`${plan.to} is as it should be, or ${primary} is not the primary any more`);
    };
    const { ok } = await this.#parts.control.make(plan, { again });
    // Of what may be left out some may have been.
    const isLeft = ok && plan.steps.some(({ optional }) => optional !== undefined);
    if (!ok || (isLeft && (await again().catch(() => undefined)) !== undefined)) failed.set(plan.to, now);
    return ok;
  }
}
