/** Whether a server that is started again, after a crash say, refuses writes until somebody has made sure that it is the primary. */
import type { Deadline } from '../../common/deadline.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import { type AfterRestart, afterRestart, afterRestartSql } from '../survey/after-restart.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import type { PreflightCheck } from './preflight.js';

/** Nothing on MySQL before 8.0, which does not tell. */
export async function restartChecks(
  survey: NodeSurvey,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const { node, version } = survey;
  const [sql = ''] = afterRestartSql(version);
  let after: AfterRestart | undefined;
  try {
    after = await afterRestart(version, (statement) => connection.ask(statement, deadline));
  } catch {
    after = 'unknown';
  }
  if (after === undefined) return [];
  const why = whyOpen(survey, after);
  return [
    {
      name: 'restarts-closed',
      node,
      result: why === undefined ? 'pass' : 'warn',
      detail: why ?? 'restarts-closed: as far as the server tells, as it should be',
      sql,
    },
  ];
}

/** Why it may take writes after a restart, and what to do; undefined when it does not, or when nothing can be known of a primary. */
export function whyOpen({ node, version, readOnly }: NodeSurvey, after: AfterRestart): string | undefined {
  // Of a primary a statement always has set it, but before the first change.
  if (after === 'closed' || (after === 'unknown' && !readOnly)) return undefined;
  const found =
    after === 'open'
      ? `${node} takes writes when it is started again, whoever is the primary then: read_only=1 is not in its configuration`
      : `${node} refuses writes because a statement has said so (SET GLOBAL), and the server does not tell whether it does when it is started again`;
  const file = 'put read_only=1 into its configuration file';
  return `${found}; ${version.flavor === 'mysql' ? `${file}, or run \`SET PERSIST_ONLY read_only=1\`` : file}`;
}
