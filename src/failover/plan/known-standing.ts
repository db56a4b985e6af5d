/** What has to be known of the cluster's memory before the primary is changed: a look that failed says nothing of it; pure. */
import type { NodeId } from '../../common/node-address.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import type { PlanContext } from './plan-context.js';
import { refused } from './refused.js';

/**
 * That what `nodes` know of the cluster's changes was read, as far as they answer: the next epoch is counted from it.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` naming the node and why it could not be read.
 */
export function assertRead({ unread }: PlanContext, nodes: readonly NodeId[]): void {
  for (const node of nodes) {
    const why = unread?.get(node);
    if (why !== undefined)
      throw refused(
        `What ${node} knows of the cluster's changes could not be read (${why}), and the number of the next one is not known without it. ` +
          `Nothing was done; plan it again, and look at ha_meta on ${node} when that stays so`,
      );
  }
}

/**
 * That no node's memory names another primary than the votes do, unless that is what an unfinished change has left: somebody has
 * made a change by hand, and who has not seen the primary cannot know what was meant. It may have reached one replica and not the
 * other, so that every node that answers has to say what it knows.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` naming the other primary, or the nodes of which that could not be read.
 */
export function assertNamed(context: PlanContext, from: NodeId, group: readonly NodeSurvey[]): void {
  const { unread = new Map<NodeId, string>() } = context;
  const isHalf = (named: NodeId): boolean =>
    group.some(({ node, channels }) => node === named && channels.length === 0);
  const others = [...namesIn(context)].filter((named) => named !== from && !isHalf(named));
  if (others.length > 0) throw changedByHand(from, others);
  if (unread.size === 0) return;
  const which = [...unread].map(([node, why]) => `${node} (${why})`).join(', ');
  throw refused(
    `This process has not seen the primary. A majority votes for ${from}, and whether somebody has changed the primary by hand ` +
      `could not be read from ha_meta.topology on ${which}. Nothing was done; call failover() again, or failover({ force: true }) ` +
      `if ${from} was the primary`,
  );
}

/**
 * The same of `named`, which is what the new primary says once it has executed what it had received: that may be younger than the
 * plan. `before`: the names that the plan was made with.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` naming it.
 */
export function assertStillNamed(
  named: NodeId | undefined,
  { from, to }: { readonly from: NodeId; readonly to: NodeId },
  before: ReadonlySet<NodeId>,
): void {
  if (named === undefined || named === from || named === to || before.has(named)) return;
  throw changedByHand(from, [named]);
}

/** The primaries that the nodes of the newest epoch name. */
export function namesIn({ named, names }: PlanContext): ReadonlySet<NodeId> {
  return names ?? new Set(named === undefined ? [] : [named]);
}

function changedByHand(from: NodeId, named: readonly NodeId[]): Error {
  return refused(
    `This process has not seen the primary. A majority votes for ${from}, and ha_meta.topology names ${named.join(' and ')}: somebody ` +
      `has changed the primary by hand. Call failover({ force: true }) if ${from} was the primary`,
  );
}
