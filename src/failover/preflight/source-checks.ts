/** Whether a replica keeps the source that it was given: that is its vote. */
import type { Deadline } from '../../common/deadline.js';
import { quotedAccount } from '../../mysql/missing-privilege.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { isAtLeast } from '../../mysql/server-version.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import type { PreflightCheck } from './preflight.js';

const TABLE = 'performance_schema.replication_connection_configuration';
const SQL = `SELECT CHANNEL_NAME AS channel FROM ${TABLE} WHERE SOURCE_CONNECTION_AUTO_FAILOVER='1'`;
const DENIED = 1142;

/** Only MySQL from 8.0.22 on has replicas that choose another source by themselves, and tells it only in a table of its own. */
export async function sourceChecks(
  { node, version }: NodeSurvey,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  if (version.flavor !== 'mysql' || !isAtLeast(version, 8, 0, 22)) return [];
  const result = (result: PreflightCheck['result'], detail: string): readonly PreflightCheck[] => [
    { name: 'keeps-source', node, result, detail, sql: SQL },
  ];
  try {
    const rows: readonly StatusRow[] = await connection.ask(SQL, deadline);
    if (rows.length === 0) return result('pass', 'keeps-source: as it should be');
    return result(
      'fail',
      `${node} changes its source by itself (SOURCE_CONNECTION_AUTO_FAILOVER=1), and with it its vote; ` +
        'run `CHANGE REPLICATION SOURCE TO SOURCE_CONNECTION_AUTO_FAILOVER=0` there',
    );
  } catch (error) {
    if (Number((error as { errno?: unknown }).errno) !== DENIED) throw error;
    const rows: readonly StatusRow[] = await connection.ask('SELECT CURRENT_USER() AS account', deadline);
    const account = quotedAccount(String(rows[0]?.['account'] ?? ''));
    return result(
      'warn',
      `whether ${node} changes its source by itself (SOURCE_CONNECTION_AUTO_FAILOVER) cannot be seen; ` +
        `GRANT SELECT ON ${TABLE} TO ${account}`,
    );
  }
}
