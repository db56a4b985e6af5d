/** Holds administrators back who would write on an old primary past `read_only` while another node takes its place. */
import type { NodeId } from '../../common/node-address.js';
import type { Dialect } from './dialect.js';
import type { PlanStep } from './failover-plan.js';
import { statementsOf } from './statement-steps.js';

/** What holding takes of a server's words. */
type HoldWords = Pick<Dialect, 'holdWrites' | 'letWrites' | 'held'>;

/**
 * Nothing is committed from here on, by nobody, for as long as this session lives or until {@link letSteps}; nothing where nobody could.
 * Who reads goes on. Should it not be to be had, the change goes on without: what is written until the last position is compared is
 * found then.
 */
export function holdSteps({ holdWrites, letWrites }: HoldWords, from: NodeId): readonly PlanStep[] {
  if (holdWrites === undefined) return [];
  const why = 'administrators who write past read_only wait from here on, until it follows the new primary';
  return [
    statementsOf('hold', from, { optional: true })('hold-writes', holdWrites, why, { undo: letWrites }),
  ];
}

/** Ends whoever was held, and would write on a replica next, and lets go. */
export function letSteps({ holdWrites, letWrites, held }: HoldWords, from: NodeId): readonly PlanStep[] {
  if (holdWrites === undefined || held === undefined) return [];
  const step = statementsOf('repoint', from, { optional: 'alone' });
  return [
    step(
      'end-held',
      held,
      'what they were about to write would be on this server only: the sessions that it lists are ended',
      {
        ends: true,
      },
    ),
    step('let-writes', letWrites, 'it can follow, and execute what it receives'),
  ];
}
