/** How a server is set up for semi-synchronous replication: read from what was found of it; pure. */
import { isOn, type NodeSurvey, variableOf } from './node-survey.js';

/** Whether commits on this server wait until a replica has them. */
export function isSemiSync(survey: NodeSurvey): boolean {
  return isOn(variableOf(survey, 'rpl_semi_sync_source_enabled', 'rpl_semi_sync_master_enabled'));
}

/** Whether this replica is set to acknowledge what it receives: commits on its primary are to wait for that. */
export function acknowledges(survey: NodeSurvey): boolean {
  return isOn(variableOf(survey, 'rpl_semi_sync_replica_enabled', 'rpl_semi_sync_slave_enabled'));
}

/** How many replicas have to acknowledge a commit on this server; MariaDB knows no other number than 1. */
export function acknowledgersNeeded(survey: NodeSurvey): number {
  const names = ['rpl_semi_sync_source_wait_for_replica_count', 'rpl_semi_sync_master_wait_for_slave_count'];
  return Number(variableOf(survey, ...names) ?? 1);
}

/** For how long a commit on this server waits for them, milliseconds. */
export function acknowledgementMs(survey: NodeSurvey): number {
  return Number(variableOf(survey, 'rpl_semi_sync_source_timeout', 'rpl_semi_sync_master_timeout') ?? 0);
}

/** Whether commits go on waiting for an acknowledgement when too few replicas are connected; a server without the plugin has none that wait. */
export function waitsAlone(survey: NodeSurvey): boolean {
  return isOn(variableOf(survey, waitsAloneName(survey)) ?? 'ON');
}

/** The variable that says so. */
export function waitsAloneName({ variables }: NodeSurvey): string {
  const [newer, older] = ['rpl_semi_sync_source_wait_no_replica', 'rpl_semi_sync_master_wait_no_slave'];
  return variables.has(newer) ? newer : older;
}
