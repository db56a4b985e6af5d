/**
 * Whether commits on a new primary wait for replicas: only where enough of those that follow it then acknowledge. Else every commit
 * would wait for as long as the plugin does, though no replica can have it; pure.
 */
import type { NodeId } from '../../common/node-address.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { acknowledgementMs, acknowledgersNeeded, acknowledges, waitsAlone } from '../survey/semi-sync.js';
import type { PlanContext } from './plan-context.js';
import { follows, hindranceOf } from './votes-after.js';

/** What is done about it on a new primary. */
export interface SemiSyncChoice {
  /** Whether commits wait there. */
  readonly on: boolean;
  /** Whether they shall as soon as replicas that acknowledge follow it. */
  readonly owed: boolean;
  /** What an operator should know before. */
  readonly warnings: readonly string[];
}

/**
 * What is done on `to`. `wanted`: whether commits waited on the primary before, or should have. `pointed`: the nodes that are made to
 * follow it; those that cannot acknowledge nothing there. `catchUp`: they read on until all stand at one place.
 */
export function chooseSemiSync(
  context: PlanContext,
  to: NodeSurvey,
  wanted: boolean,
  pointed: readonly NodeSurvey[],
  catchUp = false,
): SemiSyncChoice {
  if (!wanted) return { on: false, owed: false, warnings: [] };
  const needed = acknowledgersNeeded(to);
  const given = pointed.filter(
    (survey) =>
      acknowledges(survey) &&
      (follows(context, survey, to.node) || hindranceOf(survey, catchUp ? undefined : to) === undefined),
  ).length;
  // Where commits wait for connected replicas only, none waits for nobody.
  if (given >= needed || !waitsAlone(to)) return { on: true, owed: false, warnings: [] };
  const who =
    needed === 1
      ? 'no replica that acknowledges follows it'
      : `${given} replicas that acknowledge follow it, and ${needed} have to`;
  const warning =
    `Semi-synchronous replication is left off on ${to.node}, where ${who}: every commit would wait ${acknowledgementMs(to)} ms. ` +
    `Until it is switched on again, as soon as enough of them follow, what ${to.node} acknowledges may be on that server only, and is ` +
    'lost with it';
  return { on: false, owed: true, warnings: [warning] };
}

/** Whether some node knows that semi-synchronous replication was left off. */
export function isOwed({ owesSemiSync }: PlanContext, nodes: Iterable<NodeId>): boolean {
  return [...nodes].some((node) => owesSemiSync?.has(node) === true);
}
