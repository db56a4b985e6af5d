/** Switches semi-synchronous replication on again where a change had to leave it off; pure. */
import type { NodeId } from '../../common/node-address.js';
import { logPlaceOf } from '../survey/log-place.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { acknowledgersNeeded, acknowledges } from '../survey/semi-sync.js';
import { isWithin } from '../survey/transaction-set.js';
import type { FailoverPlan } from './failover-plan.js';
import { completed, lockStep, lockSteps, type PlanContext } from './plan-context.js';
import { rejoinOf } from './plan-repair.js';
import { semiSyncSteps } from './semi-sync-steps.js';
import { follows } from './votes-after.js';

/**
 * Switches it on on `primary`; undefined where that is not owed, or while too few replicas acknowledge. `before`: the primary as it was a look
 * ago. Who has not received by now what it had then is still catching up, and commits would wait for that.
 */
export function planSemiSync(
  found: PlanContext,
  primary: NodeId,
  before: NodeSurvey | undefined,
): FailoverPlan | undefined {
  const context = completed(found, primary);
  const survey = context.surveys.get(primary);
  if (survey === undefined || before?.node !== primary || context.owesSemiSync?.has(primary) !== true)
    return undefined;
  const steps = semiSyncSteps(context, primary, SEMI_SYNC, true);
  const ready = [...context.surveys.values()].filter(
    (each) => acknowledges(each) && follows(context, each, primary) && hasReceived(each, before),
  );
  // A replica that was set to acknowledge when it was connected already does not until it connects anew.
  const given = Math.min(ready.length, survey.acknowledgers);
  if (steps.length === 0 || given < acknowledgersNeeded(survey)) return undefined;
  return rejoinOf(context, primary, primary, [
    ...lockSteps('nobody else changes the primary'),
    ...steps,
    lockStep('release', 'release', 'release', 'nothing else is changed'),
  ]);
}

/** Whether a plan only switches it on. */
export function isSemiSyncPlan({ steps }: FailoverPlan): boolean {
  return steps.some(({ phase }) => phase === SEMI_SYNC);
}

const SEMI_SYNC = 'semi-sync';

function hasReceived(replica: NodeSurvey, { executed, binlog }: NodeSurvey): boolean {
  const [channel] = replica.channels;
  if (channel?.io !== 'yes') return false;
  if (replica.numbering !== 'file-position') return isWithin(executed, replica.reached);
  const status = { Master_Log_File: binlog?.file, Read_Master_Log_Pos: binlog?.position };
  return isWithin(logPlaceOf(channel, status), replica.reached);
}
