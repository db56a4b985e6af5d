/** Closes an old primary that still answers before another node takes its place, so that whoever comes after knows what was meant. */
import type { NodeId } from '../../common/node-address.js';
import { CLOSED_TABLE } from '../meta/meta-tables.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { type Dialect, dialectOf } from './dialect.js';
import { endWaitsSql } from './ending-sql.js';
import { escaped } from './escaped.js';
import type { PlanStep } from './failover-plan.js';
import type { PlanContext } from './plan-context.js';

/**
 * Makes `from`, which answers, refuse writes. Only the user's `fence` hook can prove as much where that fails: without one the
 * change is given up. What is written before is not logged: nothing waits for a replica's acknowledgement, and a primary that was
 * restored from an older copy gives no transaction a number that another one has. Nor is it a condition: what keeps two nodes from
 * taking writes is that this one refuses them. The note only tells a process that comes after who has closed it; without one it has
 * no right to open it, and says that there is no primary.
 */
export function closeSteps(context: PlanContext, from: NodeId, to: NodeId): readonly PlanStep[] {
  const survey = context.surveys.get(from);
  if (survey === undefined) return [];
  if (survey.readOnly) return [stillClosed(survey)];
  const dialect = dialectOf(survey);
  const step = (
    id: string,
    sql: string,
    why: string,
    more: Pick<PlanStep, 'optional' | 'spares' | 'inTheWay' | 'endsWaits'>,
    undo?: string,
  ): PlanStep => ({
    id: `${id}@${from}`,
    phase: 'close-old',
    action: 'statement',
    node: from,
    sql,
    why,
    ...more,
    ...(undo === undefined ? {} : { undo }),
  });
  const { cluster, opId, epochs } = context;
  const mark = [`'${cluster}'`, String(epochs.get(from) ?? 0), `'${opId}'`, `'${escaped(to)}'`].join(', ');
  const optional = { optional: true as const };
  const place = 'a place for the note';
  return [
    step('unlogged', 'SET SESSION sql_log_bin=0', 'what is noted there is about this server only', optional),
    ...(context.noteless?.has(from) === true
      ? [
          step('home', 'CREATE DATABASE IF NOT EXISTS ha_meta', place, optional),
          step('table', CLOSED_TABLE, place, optional),
        ]
      : []),
    step(
      'note',
      `REPLACE INTO ha_meta.closed (cluster, epoch, op_id, to_node, at) VALUES (${mark}, UTC_TIMESTAMP(6))`,
      'another process can finish or undo it; where the server takes no note (a backup holds its lock, its disk is full) it is done ' +
        'without: should this process die then before the new primary takes writes, this one stays closed until somebody opens it',
      optional,
      `DELETE FROM ha_meta.closed WHERE cluster='${cluster}'`,
    ),
    step(
      'refuse-writes',
      dialect.refuseWrites,
      `it answers here, and takes no more writes; ${ENDING}`,
      { spares: context.hooks.has('fence'), inTheWay: dialect.waiters, endsWaits: endWaitsSql(survey) },
      dialect.takeWrites.join('; '),
    ),
    ...endWritersSteps(dialect, from, 'close-old'),
  ];
}

/** Why a step that closes a primary may end sessions. */
export const ENDING: string =
  'where commits that wait for a replica keep the server from that, all sessions that are about to commit are ended (`inTheWay` ' +
  'lists them), and it is tried once more: they were acknowledged to nobody';

/** Ends who may write past `read_only`, and has begun to; nothing where nobody may. It is tried as far as the account may see, and end, them. */
export function endWritersSteps(
  { pastReadOnly }: Pick<Dialect, 'pastReadOnly'>,
  from: NodeId,
  phase: string,
): readonly PlanStep[] {
  if (pastReadOnly === undefined) return [];
  return [
    {
      id: `end-writers@${from}`,
      phase,
      action: 'statement',
      node: from,
      sql: pastReadOnly,
      why: 'administrators whose transactions would be committed past read_only: the sessions that it lists are ended',
      ends: true,
      optional: true,
    },
  ];
}

function stillClosed({ node }: NodeSurvey): PlanStep {
  return {
    id: `assert-closed@${node}`,
    phase: 'close-old',
    action: 'assert-closed',
    node,
    why: 'it answers here, and nobody has made it take writes since the plan was made',
  };
}
