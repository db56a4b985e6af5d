/** Whether a server can fence itself. */
import type { Deadline } from '../../common/deadline.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { fenceStateSql, readFenceState, whyNoFence } from '../self-fence/fence-state.js';
import { isOn, type NodeSurvey } from '../survey/node-survey.js';
import type { PreflightCheck } from './preflight.js';

/** Whether the server executes events, and the one that fences it runs. Before the first start nobody has made it. */
export async function fenceChecks(
  { node, variables }: NodeSurvey,
  cluster: string,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const sql = fenceStateSql(cluster);
  const rows: readonly StatusRow[] = await connection.ask(sql, deadline);
  const state = readFenceState(rows[0] ?? {});
  const why = whyNoFence(state, isOn(variables.get('super_read_only')));
  const otherwise = state.scheduler === 'ON' ? 'warn' : 'fail';
  return [
    {
      name: 'self-fence',
      node,
      result: why === undefined ? 'pass' : otherwise,
      detail: why === undefined ? 'self-fence: as it should be' : `${node}: ${why}`,
      sql,
    },
  ];
}
