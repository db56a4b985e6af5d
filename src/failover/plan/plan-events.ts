/** Puts scheduled events right where a change, or new data of a node, has left them otherwise than they should be; pure. */
import type { NodeId } from '../../common/node-address.js';
import { eventRepairs } from './event-handover.js';
import { eventSteps, isEventStep } from './event-steps.js';
import type { FailoverPlan } from './failover-plan.js';
import { lockStep, lockSteps, type PlanContext } from './plan-context.js';
import { rejoinOf } from './plan-repair.js';

/**
 * What is to be done on the first node that `mayBe`; undefined when all is as it should be. Nothing where the account may not alter
 * them. `isTaken`: a change that nobody has ended has made the primary cease to execute what it has ceased to execute.
 */
export function planEvents(
  context: PlanContext,
  primary: NodeId,
  mayBe: (node: NodeId) => boolean,
  isTaken = false,
): FailoverPlan | undefined {
  // First those that cease, else an event would run twice.
  const nodes = [...context.surveys.values()].sort(
    (a, b) => Number(a.node === primary) - Number(b.node === primary),
  );
  for (const survey of nodes) {
    const { node } = survey;
    const changes = mayBe(node) ? eventRepairs(context, node, primary, isTaken) : [];
    if (changes.length === 0) continue;
    const why =
      node === primary
        ? 'the primary executes it'
        : `as it is on ${primary}, or because that one executes it`;
    return rejoinOf(context, node, primary, [
      ...lockSteps('nobody else changes this node'),
      ...eventSteps(survey, changes, { phase: 'events', why, isPrimary: node === primary }),
      lockStep('release', 'release', 'release', 'nothing else is changed'),
    ]);
  }
  return undefined;
}

/** Whether a plan only does that. */
export function isEventPlan({ steps }: FailoverPlan): boolean {
  return steps.some(isEventStep) && steps.every((step) => step.sql === undefined || isEventStep(step));
}
