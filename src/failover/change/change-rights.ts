/** Whether anything may be changed automatically now: nothing while that is paused, and no failover soon after another one. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { MetaStore } from '../meta/meta-store.js';
import type { NodeStanding } from '../meta/node-standing.js';
import type { Voter } from '../voters.js';

/**
 * Asks the nodes that answer what is remembered of earlier failovers than this one from `from`.
 *
 * Rejects with `ERR_CHANGE_REFUSED` saying why none may be made now, and what to do.
 */
export async function checkAutomaticRight(
  meta: MetaStore,
  voters: readonly Voter[],
  blockMs: number,
  from: NodeId | null,
): Promise<void> {
  const answers = await Promise.all(
    voters.map(async (voter) => {
      try {
        const [paused, last] = await Promise.all([meta.pausedBecause(voter), meta.lastFailovers(voter)]);
        return { paused, last };
      } catch {
        return undefined;
      }
    }),
  );
  const told = answers.filter((answer) => answer !== undefined);
  const paused = whyPaused(told);
  if (paused !== undefined)
    throw new StormlampError(
      ErrorCode.CHANGE_REFUSED,
      `Automatic changes are paused: ${paused}. Call failover() to make this one, or resume() to end all pauses`,
    );
  for (const { last } of told) {
    const recent = last.find(
      (each) =>
        // What another process has left half done is gone on with.
        !(each.isOpen && each.from === from) && each.acknowledgedBy === null && each.ageS * 1_000 < blockMs,
    );
    if (recent === undefined) continue;
    throw new StormlampError(
      ErrorCode.CHANGE_REFUSED,
      `The failover ${recent.opId} from ${recent.from} to ${recent.to} was ${recent.ageS} s ago, and nobody has looked at it: ` +
        `a second one within ${Math.round(blockMs / 1_000)} s may make things worse. ` +
        `Call failover() to make it, or acknowledge('${recent.opId}', name) to let it be made`,
    );
  }
}

/** Why automatic changes are forbidden, by what the nodes that answered say; undefined when they are not. One is enough. */
export function whyPaused(told: readonly Pick<NodeStanding, 'paused'>[]): string | undefined {
  // Nobody does behind an operator's back what he may have forbidden.
  if (told.length === 0) return 'no node could be asked whether they are';
  return told.find(({ paused }) => paused !== undefined)?.paused;
}
