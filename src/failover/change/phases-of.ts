/** The order in which the steps of a plan are carried out; pure. */
import type { PlanStep } from '../plan/failover-plan.js';

/** The steps in runs of one phase. */
export function phasesOf(steps: readonly PlanStep[]): readonly (readonly PlanStep[])[] {
  const phases: PlanStep[][] = [];
  for (const step of steps) {
    const last = phases.at(-1);
    if (last?.[0]?.phase === step.phase) last.push(step);
    else phases.push([step]);
  }
  return phases;
}
