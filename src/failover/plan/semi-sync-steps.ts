/** Switches semi-synchronous replication on or off on one node, and remembers that it is to be switched on. */
import type { NodeId } from '../../common/node-address.js';
import { OWED_TABLE, owedSemiSyncSql } from '../meta/owed-semi-sync.js';
import { isSemiSync } from '../survey/semi-sync.js';
import type { PlanStep } from './failover-plan.js';
import type { PlanContext } from './plan-context.js';
import { statementsOf } from './statement-steps.js';

/** It is the primary's: a replica with it would wait for replicas that it does not have. */
export function semiSyncSteps(
  { surveys }: PlanContext,
  node: NodeId,
  phase: string,
  on: boolean,
): readonly PlanStep[] {
  const survey = surveys.get(node);
  const name = ['rpl_semi_sync_source_enabled', 'rpl_semi_sync_master_enabled'].find((each) =>
    survey?.variables.has(each),
  );
  if (survey === undefined || name === undefined || isSemiSync(survey) === on) return [];
  const why = on ? 'commits wait for a replica, as they did on the old primary' : 'it waits for nobody';
  return [statementsOf(phase, node)('semi-sync', `SET GLOBAL ${name}=${on ? 1 : 0}`, why)];
}

/** Remembers that it was left off, also for whoever is the primary next. Writes must not wait for that. */
export function oweSteps({ cluster, opId }: PlanContext, node: NodeId): readonly PlanStep[] {
  const step = statementsOf('promote', node, { optional: 'alone' });
  return [
    step('owed-table', OWED_TABLE, 'what is noted next needs a place'),
    step(
      'owe-semi-sync',
      owedSemiSyncSql(cluster, opId),
      'it is switched on as soon as replicas that acknowledge follow',
    ),
  ];
}
