/** What a former primary that becomes a replica would lack of what the replicas have set. */
import type { Deadline } from '../../common/deadline.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import { replicaStatusStatements, type StatusRow } from '../../mysql/replica-status.js';
import { isAtLeast } from '../../mysql/server-version.js';
import {
  type ReplicationTls,
  type TlsSettings,
  tlsAmong,
  tlsIn,
  unseenFiles,
  unseenWords,
  weaknessesOf,
} from '../plan/replication-tls.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import type { PreflightCheck } from './preflight.js';

/** Tables of MySQL with a row of each channel, and what they say where nothing is set. */
const TABLES: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  [
    'performance_schema.replication_connection_configuration',
    { COMPRESSION_ALGORITHM: 'uncompressed', TLS_CIPHERSUITES: '', GTID_ONLY: '0' },
  ],
  [
    'performance_schema.replication_applier_configuration',
    {
      PRIVILEGE_CHECKS_USER: '',
      REQUIRE_ROW_FORMAT: 'NO',
      REQUIRE_TABLE_PRIMARY_KEY_CHECK: 'STREAM',
      ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS_TYPE: 'OFF',
    },
  ],
];
/** Columns of the status, and what they say where nothing is set. */
const COLUMNS = ['Source_Bind', 'Master_Bind', 'Source_public_key_path', 'Network_Namespace', 'SQL_Delay'];
const NOTHING: ReadonlySet<string> = new Set(['', '0', 'NULL']);
const DENIED = 1142;

/** That a replica has nothing set which no change carries over; what an account may not see is not told. */
export async function settingsChecks(
  survey: NodeSurvey,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const { node, version, channels, status } = survey;
  const [channel] = channels;
  if (channel === undefined || status === undefined) return [];
  // MariaDB's others are the server's own, whatever it replicates from.
  const filters = (channel.filters ?? []).filter((each) => version.flavor === 'mysql' || /_Ids=/.test(each));
  const set = [...settingsIn(status), ...filters];
  if (version.flavor === 'mysql' && isAtLeast(version, 8, 0, 18)) {
    for (const [table, standard] of TABLES)
      set.push(...differencesFrom(standard, await rowOf(table, channel.name, connection, deadline)));
  }
  const [sql] = replicaStatusStatements(version);
  const name = 'carried-settings';
  if (set.length === 0) return [{ name, node, result: 'pass', detail: `${name}: as it should be`, sql }];
  const detail =
    `${node} replicates with ${set.join(', ')}, which a former primary that becomes a replica does not get, and this one loses when it becomes ` +
    'the primary; set that by hand after a change';
  return [{ name, node, result: 'warn', detail, sql }];
}

/** That former primaries receive no worse protected than these replicas: as `tls` says, or undefined: as the replicas do. Pure. */
export function tlsChecks(
  surveys: readonly NodeSurvey[],
  tls: ReplicationTls | undefined,
): readonly PreflightCheck[] {
  const replicas = surveys.flatMap(({ node, version, status }) => {
    const used = status === undefined ? undefined : tlsIn(status);
    return used === undefined ? [] : [{ node, version, used }];
  });
  return replicas.map(({ node, version, used }): PreflightCheck => {
    const [sql] = replicaStatusStatements(version);
    const check = (result: 'pass' | 'warn', detail: string): PreflightCheck => ({
      name: 'replication-tls',
      node,
      result,
      detail,
      sql,
    });
    if (used !== false && tls !== undefined) {
      const weak = weaknessesOf(tls, used, version);
      if (weak.length > 0)
        return check(
          'warn',
          `${node} receives encrypted, and with \`failover.replication.tls\` as it is a former primary would receive ${weak.join(', ')}; ` +
            `leave it out, or set it to ${optionFor(used)}`,
        );
    }
    return check('pass', 'replication-tls: as it should be');
  });
}

/** That every node has the files that it reads as a replica: of one that uses them already that is known. Pure. */
export function tlsFileChecks(
  surveys: readonly NodeSurvey[],
  option: ReplicationTls | undefined,
): readonly PreflightCheck[] {
  const tls = option ?? tlsAmong(surveys);
  if (tls === undefined || tls === false || Object.keys(tls.texts).length === 0) return [];
  const name = 'replication-tls-files';
  const sql = "SHOW GLOBAL VARIABLES LIKE 'ssl\\_%'";
  return surveys.map((survey): PreflightCheck => {
    const { node } = survey;
    const unseen = unseenFiles(survey, tls);
    if (unseen.length === 0) return { name, node, result: 'pass', detail: `${name}: as it should be`, sql };
    const detail = `${unseenWords(node, unseen)}; without them it receives nothing. Put them there, readable by its server`;
    return { name, node, result: 'warn', detail, sql };
  });
}

/** The option that says the same as a status. */
function optionFor({ verify, texts }: TlsSettings): string {
  const files = ['ca', 'cert', 'key'].flatMap((name) => {
    const file = texts[`SSL_${name.toUpperCase()}`];
    return file === undefined ? [] : [`${name}: '${file}'`];
  });
  return `\`{ ${[...files, `verify: ${verify === true}`].join(', ')} }\``;
}

function settingsIn(status: StatusRow): readonly string[] {
  return COLUMNS.flatMap((name) => {
    const value = String(status[name] ?? '');
    return NOTHING.has(value) ? [] : [`${name}=${value}`];
  });
}

function differencesFrom(
  standard: Readonly<Record<string, string>>,
  row: StatusRow | undefined,
): readonly string[] {
  return Object.entries(standard).flatMap(([name, usual]) => {
    const value = String(row?.[name] ?? usual);
    return value === usual || NOTHING.has(value) ? [] : [`${name}=${value}`];
  });
}

async function rowOf(
  table: string,
  channel: string,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<StatusRow | undefined> {
  try {
    const rows: readonly StatusRow[] = await connection.ask(`SELECT * FROM ${table}`, deadline);
    return rows.find((row) => row['CHANNEL_NAME'] === channel);
  } catch (error) {
    if (Number((error as { errno?: unknown }).errno) !== DENIED) throw error;
    return undefined;
  }
}
