/** The steps that keep what a replica has received from growing, without throwing any of it away. */
import type { NodeId } from '../../common/node-address.js';
import type { Dialect } from './dialect.js';
import type { PlanStep } from './failover-plan.js';

/**
 * How long a replica may take to stop receiving, milliseconds: on MySQL one that is just connecting to a silent source ends that
 * attempt first, which takes some times its `replica_net_timeout`.
 */
export const STOP_MS = 60_000;

/** Stops the receiver of `node`; with `spares` a node that cannot is left behind instead of failing the plan. */
export function freezeSteps(dialect: Dialect, node: NodeId, spares: boolean): readonly PlanStep[] {
  const common = { phase: 'freeze', action: 'statement', node, spares } as const;
  const end: PlanStep = {
    ...common,
    id: `end-attempt@${node}`,
    sql: dialect.endAttempt,
    why: 'a receiver that is just connecting to a silent source would stop only when that attempt is over',
  };
  const stop: PlanStep = {
    ...common,
    id: `freeze@${node}`,
    sql: dialect.stopReceiving,
    why: 'what it has received does not grow any more, and is kept',
    undo: dialect.startReceiving,
    timeoutMs: STOP_MS,
  };
  return dialect.endAttempt === undefined ? [stop] : [end, stop];
}
