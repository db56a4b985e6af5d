/** Whether an automatic failover may be made now: not while it is paused, and not soon after another one. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { MetaStore } from '../meta/meta-store.js';
import type { Voter } from '../voters.js';

/**
 * Asks the nodes that answer what is remembered of earlier failovers.
 *
 * Rejects with `ERR_CHANGE_REFUSED` saying why none may be made now, and what to do.
 */
export async function checkAutomaticRight(
  meta: MetaStore,
  voters: readonly Voter[],
  blockMs: number,
): Promise<void> {
  await Promise.all(
    voters.map(async (voter) => {
      const [paused, last] = await Promise.all([
        meta.pausedBecause(voter).catch(() => undefined),
        meta.lastFailovers(voter).catch(() => []),
      ]);
      if (paused !== undefined) {
        throw new StormlampError(ErrorCode.CHANGE_REFUSED, `Automatic changes are paused: ${paused}`);
      }
      const recent = last.find(
        ({ ageS, outcome, acknowledgedBy }) =>
          outcome === 'done' && acknowledgedBy === null && ageS * 1_000 < blockMs,
      );
      if (recent === undefined) return;
      throw new StormlampError(
        ErrorCode.CHANGE_REFUSED,
        `The failover ${recent.opId} from ${recent.from} to ${recent.to} was ${recent.ageS} s ago, and nobody has looked at it: ` +
          `a second one within ${Math.round(blockMs / 1_000)} s may make things worse. ` +
          `Call acknowledge('${recent.opId}', name), or failover({ force: true })`,
      );
    }),
  );
}
