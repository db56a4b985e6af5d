/** What accounts may do: the manager's must be allowed to act, the application's must not get around `read_only`. */
import type { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { lockSight } from '../../mysql/lock-sight.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import type { PreflightCheck } from './preflight.js';

const SQL = 'SHOW GRANTS FOR CURRENT_USER()';

/** The privileges that the manager's account lacks; with `selfFence` those for the event, too. */
export async function actingChecks(
  node: NodeId,
  connection: PhysicalConnection,
  deadline: Deadline,
  selfFence: boolean = false,
): Promise<readonly PreflightCheck[]> {
  const granted = await globalPrivileges(connection, deadline);
  const needed = [...neededFor(connection.version), ...(selfFence ? forEvent(connection.version) : [])];
  const lacking = needed.filter((privilege) => !holds(granted, privilege, connection.version));
  return [
    {
      name: 'manager-privileges',
      node,
      result: lacking.length === 0 ? 'pass' : 'fail',
      detail:
        lacking.length === 0
          ? 'the account of `failover.credentials` may do what is needed'
          : `the account of \`failover.credentials\` lacks ${lacking.join(', ')} on ${node}; GRANT ${lacking.join(', ')} ON *.* TO it`,
      sql: SQL,
    },
  ];
}

/** Whether the application's account writes through `read_only`. */
export async function accountChecks(
  node: NodeId,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const granted = await globalPrivileges(connection, deadline);
  const { flavor } = connection.version;
  const evil =
    flavor === 'mysql'
      ? ['SUPER', 'CONNECTION_ADMIN']
      : ['READ_ONLY ADMIN', 'READ ONLY ADMIN', ...(isAtLeast(connection.version, 10, 11) ? [] : ['SUPER'])];
  const has = [...granted].filter((privilege) => evil.includes(privilege) || privilege === 'ALL PRIVILEGES');
  return [
    {
      name: 'application-privileges',
      node,
      result: has.length === 0 ? 'pass' : 'fail',
      detail:
        has.length === 0
          ? 'the application cannot write on a read-only server'
          : `the application's account has ${has.join(', ')} on ${node}, so that it writes on read-only servers, too; revoke it`,
      sql: SQL,
    },
  ];
}

/** The check of the monitor's account. The doctor makes it without this, too. */
export const SIGHT_CHECK = 'monitor-privileges';

/** Whether the monitor's account sees that a primary is locked. */
export async function sightChecks(
  node: NodeId,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const { sql, grant } = await lockSight(connection, deadline);
  return [
    {
      name: SIGHT_CHECK,
      node,
      result: grant === '' ? 'pass' : 'warn',
      detail:
        grant === ''
          ? 'the account of the monitor sees who waits for the lock of the whole server'
          : `the account of the monitor does not see the sessions of others on ${node}, so that nobody is told of a primary that is locked (\`locked\`: FLUSH TABLES WITH READ LOCK, a backup); run \`${grant}\` on the primary`,
      sql,
    },
  ];
}

function neededFor(version: ServerVersion): readonly string[] {
  if (version.flavor === 'mysql') {
    return isAtLeast(version, 8, 0, 0)
      ? [
          'SYSTEM_VARIABLES_ADMIN',
          'REPLICATION_SLAVE_ADMIN',
          'CONNECTION_ADMIN',
          'REPLICATION CLIENT',
          'CREATE',
          'INSERT',
        ]
      : ['SUPER', 'REPLICATION CLIENT', 'CREATE', 'INSERT'];
  }
  return isAtLeast(version, 10, 5, 2)
    ? ['READ_ONLY ADMIN', 'REPLICATION SLAVE ADMIN', 'REPLICA MONITOR', 'BINLOG MONITOR', 'CREATE', 'INSERT']
    : ['SUPER', 'REPLICATION CLIENT', 'CREATE', 'INSERT'];
}

/** What the self-fence event needs besides: to be made, and not to be logged. */
function forEvent(version: ServerVersion): readonly string[] {
  return version.flavor === 'mariadb' && isAtLeast(version, 10, 5, 2) ? ['EVENT', 'BINLOG ADMIN'] : ['EVENT'];
}

/** Names that servers have given one privilege over time. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  'READ_ONLY ADMIN': ['READ ONLY ADMIN'],
  'REPLICA MONITOR': ['SLAVE MONITOR'],
  'BINLOG MONITOR': ['REPLICATION CLIENT'],
  'REPLICATION SLAVE ADMIN': ['REPLICATION REPLICA ADMIN'],
};

function holds(granted: ReadonlySet<string>, privilege: string, version: ServerVersion): boolean {
  if (granted.has('ALL PRIVILEGES') || granted.has(privilege)) return true;
  // ALL on MySQL 8 is shown as a list; SUPER stands for the newer ones.
  if (version.flavor === 'mysql' && granted.has('SUPER') && /_ADMIN$/.test(privilege)) return true;
  return ALIASES[privilege]?.some((name) => granted.has(name)) === true;
}

async function globalPrivileges(
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<ReadonlySet<string>> {
  const rows = await connection.ask(SQL, deadline);
  const names = new Set<string>();
  for (const row of rows) {
    const text = String(Object.values(row)[0] ?? '');
    const match = /^GRANT (.*?) ON \*\.\* TO /i.exec(text);
    for (const name of (match?.[1] ?? '').split(',')) {
      if (name.trim() !== '') names.add(name.trim().toUpperCase());
    }
  }
  return names;
}
