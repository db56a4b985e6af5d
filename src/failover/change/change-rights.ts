/** Whether anything may be changed automatically now: nothing while that is paused, and no failover soon after another one. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { MetaStore } from '../meta/meta-store.js';
import type { NodeStanding } from '../meta/node-standing.js';
import { whyPausedBy } from '../meta/pauses.js';
import type { ToldRights } from '../meta/told-rights.js';
import type { Voter } from '../voters.js';

/**
 * Asks the nodes that answer what is remembered of earlier failovers than this one from `from`. `unheard`: what the lost primary has
 * said besides that these nodes do not know yet.
 *
 * Rejects with `ERR_CHANGE_REFUSED` saying why none may be made now, and what to do.
 */
export async function checkAutomaticRight(
  meta: Pick<MetaStore, 'rights'>,
  voters: readonly Voter[],
  blockMs: number,
  from: NodeId | null,
  unheard: (told: readonly ToldRights[]) => ToldRights | undefined = () => undefined,
): Promise<void> {
  const answers = await Promise.all(voters.map((voter) => meta.rights(voter).catch(() => undefined)));
  const told = answers.filter((answer) => answer !== undefined);
  const paused = whyPaused(told.map(({ pauses }) => ({ paused: whyPausedBy(pauses) })));
  if (paused !== undefined)
    throw refusal(
      `Automatic changes are paused: ${paused}. Call failover() to make this one, or resume() to end all pauses`,
    );
  const last = unheard(told);
  const unknown = unheardPause(last);
  if (unknown !== undefined)
    throw refusal(`Automatic changes are paused: ${unknown}. Call failover() to make this one`);
  for (const { made } of [...told, ...(last === undefined ? [] : [last])]) {
    const recent = made.find(
      (each) =>
        // What another process has left half done is gone on with.
        !(each.isOpen && each.from === from) && each.acknowledgedBy === null && each.ageS * 1_000 < blockMs,
    );
    if (recent === undefined) continue;
    const mayAcknowledge = made !== last?.made;
    throw refusal(
      `The failover ${recent.opId} from ${recent.from} to ${recent.to} was ${recent.ageS} s ago, and nobody has looked at it: ` +
        `a second one within ${Math.round(blockMs / 1_000)} s may make things worse. Call failover() to make it` +
        (mayAcknowledge
          ? `, or acknowledge('${recent.opId}', name) to let it be made`
          : `. It is known from ${from ?? 'the lost primary'} only: no node that answers has executed its row`),
    );
  }
}

/** Why automatic changes are forbidden, by what the nodes that answered say; undefined when they are not. One is enough. */
export function whyPaused(told: readonly Pick<NodeStanding, 'paused'>[]): string | undefined {
  // Nobody does behind an operator's back what he may have forbidden.
  if (told.length === 0) return 'no node could be asked whether they are';
  return told.find(({ paused }) => paused !== undefined)?.paused;
}

/** Why they are forbidden by what only the lost primary has said; undefined when they are not. */
export function unheardPause(last: ToldRights | undefined): string | undefined {
  const because = whyPausedBy(last?.pauses ?? []);
  return because === undefined
    ? undefined
    : `${because}, as the primary said before it was lost; no node that answers has executed that`;
}

function refusal(why: string): StormlampError {
  return new StormlampError(ErrorCode.CHANGE_REFUSED, why);
}
