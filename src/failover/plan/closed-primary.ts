/** Primaries that stand closed although a majority still votes for them: who closed them, and whether they may be opened; pure. */
import type { NodeId } from '../../common/node-address.js';
import { majorityOf } from '../protocol/majority.js';
import { isOn, type NodeSurvey, variableOf } from '../survey/node-survey.js';
import type { PlanContext } from './plan-context.js';
import type { Unfinished } from './plan-resume.js';

/** The node that each voter which answers votes for, null for none. */
export type Votes = ReadonlyMap<NodeId, NodeId | null>;

/** The process that has begun a change may still be at work for so long, seconds. */
export const GRACE_S = 2;

/** Whether what was begun `ageS` seconds ago may still be under way. A clock that was set back makes it begin in the future: the locks tell. */
export function isFresh(ageS: number): boolean {
  return ageS >= 0 && ageS < GRACE_S;
}

/**
 * An old primary that a failover has closed and that nobody has gone on with; undefined when there is none. The note that it left
 * counts in the epoch in which it was made only, and while a majority still votes for that primary: then nobody else can be one.
 */
export function closedPrimary(context: PlanContext, votes: Votes): Unfinished | undefined {
  for (const { node, readOnly, channels } of context.surveys.values()) {
    const note = context.closed?.get(node);
    if (note === undefined || !readOnly || channels.length > 0 || isFresh(note.ageS)) continue;
    if (note.epoch !== (context.epochs.get(node) ?? 0) || !hasMajority(context, votes, node)) continue;
    const isPassed = Math.max(0, ...context.epochs.values()) > note.epoch;
    return { opId: note.opId, kind: 'failover', from: node, to: note.to, isPassed };
  }
  return undefined;
}

/**
 * A primary that may have been closed by its configuration only, when it was started, and that nobody has taken over from: everybody
 * who answers votes for it, and the newest epoch is its own. undefined when there is none. Whether somebody has closed it since is to
 * be asked of the server.
 */
export function restingPrimary(context: PlanContext, votes: Votes): NodeId | undefined {
  const { surveys, epochs, named } = context;
  for (const survey of surveys.values()) {
    const { node, readOnly, channels } = survey;
    if (!readOnly || channels.length > 0 || !isOn(variableOf(survey, 'log_bin'))) continue;
    const others = [...votes].filter(([voter, vote]) => voter !== node && vote !== null);
    if (others.some(([, vote]) => vote !== node) || !hasMajority(context, votes, node)) continue;
    if (named !== undefined && named !== node) continue;
    if ((epochs.get(node) ?? 0) >= Math.max(0, ...epochs.values())) return node;
  }
  return undefined;
}

/** The node that the newest epoch has made the primary, and that takes writes, whoever votes for it; undefined when there is none. */
export function promotedPrimary({ surveys, epochs, epoch, named = '' }: PlanContext): NodeId | undefined {
  const survey = surveys.get(named);
  if (survey === undefined || survey.readOnly || survey.channels.length > 0) return undefined;
  return epochs.get(named) === epoch ? named : undefined;
}

/**
 * Whether `survey` is a former primary that takes writes though the newest epoch has made another one, which answers and takes them,
 * too: nobody follows it, so that nobody has brought it back by hand.
 */
export function isReplaced(context: PlanContext, { node, channels }: NodeSurvey): boolean {
  const { epochs, epoch, sources } = context;
  const newest = promotedPrimary(context);
  if (newest === undefined || node === newest || channels.length > 0) return false;
  return (epochs.get(node) ?? 0) < epoch && ![...sources.values()].includes(node);
}

/** Whether a majority would vote for `node` if it took writes: then no other node can have one. */
function hasMajority({ rules }: PlanContext, votes: Votes, node: NodeId): boolean {
  const given = [...votes].filter(([voter, vote]) => voter !== node && vote === node).length;
  return given + 1 >= majorityOf(rules.voters);
}

/**
 * Whether `survey` is a primary that was restarted read-only, as its configuration should have it, and that nobody has replaced since
 * this process has seen it: no later epoch, and no replica of a node that does not answer.
 */
export function isRestartedPrimary(
  { named, surveys, sources }: PlanContext,
  survey: NodeSurvey | undefined,
  secondsSinceSeen: number,
): boolean {
  if (survey === undefined || survey.channels.length > 0 || !survey.readOnly) return false;
  if (survey.uptimeS >= secondsSinceSeen || !isOn(variableOf(survey, 'log_bin'))) return false;
  if (named !== undefined && named !== survey.node) return false;
  return [...surveys.keys()].every((node) => !followsUnseen({ surveys, sources }, node));
}

/**
 * Whether nobody who looks can tell what the present primary has, or that it is none any more: the primary of the newest epoch, or
 * `from` before the first one, does not answer. What it acknowledged is a matter of a failover, which says what is lost.
 */
export function isOutOfSight({ named, surveys }: PlanContext, from: NodeId): boolean {
  return !surveys.has(named ?? from);
}

/** Whether a replica receives from a node which does not answer here: that one lives, and may be the primary. */
export function isFedUnseen(context: PlanContext): boolean {
  return [...context.surveys.values()].some(
    ({ node, channels }) => channels.some(({ io }) => io === 'yes') && followsUnseen(context, node),
  );
}

function followsUnseen(
  { surveys, sources }: Pick<PlanContext, 'surveys' | 'sources'>,
  node: NodeId,
): boolean {
  const source = sources.get(node);
  return source !== undefined && !surveys.has(source);
}
