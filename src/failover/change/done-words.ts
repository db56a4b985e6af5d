/** What the journal says of a change that is done. */
import type { FailoverPlan } from '../plan/failover-plan.js';
import { isEventPlan } from '../plan/plan-events.js';
import { isFencePlan } from '../plan/plan-fence.js';
import { isSemiSyncPlan } from '../plan/plan-semi-sync.js';

/** The words for a node that was put right. */
export function rejoinWords(plan: FailoverPlan, isWitness: boolean): string {
  const { from, to, steps } = plan;
  if (isWitness) return `${to} votes for ${from} again`;
  if (isSemiSyncPlan(plan)) return `Commits on ${to} wait for a replica again (semi-synchronous replication)`;
  if (isFencePlan(plan)) {
    const isMade = steps.some(({ id }) => id.startsWith('make-self-fence'));
    return `${to} has ${isMade ? 'its' : 'no'} self-fence event`;
  }
  if (isEventPlan(plan)) return `${to}: its scheduled events are as they should be beside ${from}`;
  const isClosed = steps.every(({ id, sql }) => sql === undefined || id.startsWith('refuse-writes'));
  return isClosed ? `${to} refuses writes` : `${to} was put right as a replica of ${from}`;
}
