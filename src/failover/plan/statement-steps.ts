/** The commonest step: one statement on one node. */
import type { NodeId } from '../../common/node-address.js';
import type { PlanStep } from './failover-plan.js';

/** Makes a step of a statement; its id gets the node behind it. */
export type StatementStep = (id: string, sql: string, why: string, more?: Partial<PlanStep>) => PlanStep;

/** Makes the steps of one phase on one node; what all of them have is `shared`, what one has beside it `more`. */
export function statementsOf(phase: string, node: NodeId, shared: Partial<PlanStep> = {}): StatementStep {
  return (id, sql, why, more = {}) => ({
    id: `${id}@${node}`,
    phase,
    action: 'statement',
    node,
    sql,
    why,
    ...shared,
    ...more,
  });
}
