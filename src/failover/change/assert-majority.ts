/** That a new primary has votes enough for anybody to write there; pure. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { PlanStep } from '../plan/failover-plan.js';
import type { LeaseRules } from '../protocol/client-lease.js';
import { majorityOf } from '../protocol/majority.js';

/** Those of `nodes` that `steps` have vote for the new primary. */
export function votersAmong(steps: readonly PlanStep[], nodes: readonly NodeId[]): readonly NodeId[] {
  return nodes.filter((node) => steps.some((step) => step.phase === 'repoint' && step.node === node));
}

/**
 * That `votes` are a majority of all voters: of those that could be given before `to` is made the primary, or that were given since.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` before, `ERR_NO_MAJORITY` since.
 */
export function assertMajority(
  to: NodeId,
  votes: number,
  { voters }: Pick<LeaseRules, 'voters'>,
  when: 'could vote' | 'votes',
): void {
  if (votes >= majorityOf(voters)) return;
  if (when === 'could vote')
    throw new StormlampError(
      ErrorCode.CHANGE_REFUSED,
      `Of the voters that are held only ${votes} of ${voters} could vote for ${to}, so that nobody could write there; start or mend one of the others`,
    );
  throw new StormlampError(
    ErrorCode.NO_MAJORITY,
    `${to} is the primary, and only ${votes} of ${voters} voters vote for it: nobody can write before a majority does`,
    { node: to },
  );
}
