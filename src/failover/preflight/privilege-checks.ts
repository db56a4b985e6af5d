/** What accounts may do: the manager's must be allowed to act, the application's must not get around `read_only`. */
import type { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { lockSight } from '../../mysql/lock-sight.js';
import { quotedAccount } from '../../mysql/missing-privilege.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import {
  type AccountUse,
  GRANTS_SQL,
  type Grants,
  grantStatements,
  grantsOf,
  lackingPrivileges,
  lackingToEnd,
  namesOf,
} from '../survey/account-privileges.js';
import type { PreflightCheck } from './preflight.js';

/** The privileges that the account which acts on `node` lacks for its `use`. */
export async function actingChecks(
  node: NodeId,
  connection: PhysicalConnection,
  deadline: Deadline,
  use: AccountUse,
): Promise<readonly PreflightCheck[]> {
  const grants = grantsOf(await connection.ask(GRANTS_SQL, deadline));
  const lacking = lackingPrivileges(connection.version, grants, use);
  const names = namesOf(lacking);
  const owner = `the account of \`failover.${use === 'vote' ? 'witness' : 'credentials'}\``;
  const rows: readonly StatusRow[] = await connection.ask('SELECT CURRENT_USER() AS account', deadline);
  const account = quotedAccount(String(rows[0]?.['account'] ?? ''));
  const statements = grantStatements(lacking, account);
  return [
    {
      name: 'manager-privileges',
      node,
      result: names.length === 0 ? 'pass' : 'fail',
      detail:
        names.length === 0
          ? `${owner} may do what is needed`
          : `${owner} lacks ${names.join(', ')} on ${node}; ${statements.join('; ')}`,
      sql: GRANTS_SQL,
    },
    // Nobody is kept from voting by another session.
    ...(use === 'vote' ? [] : [endingCheck(node, connection.version, grants, account)]),
  ];
}

/** Whether the account may end who keeps an old primary from being closed. A change is made without, too, where nobody does. */
function endingCheck(node: NodeId, version: ServerVersion, grants: Grants, account: string): PreflightCheck {
  const statements = grantStatements(lackingToEnd(version, grants), account);
  const past = version.flavor === 'mariadb' ? ', and administrators write on past read_only' : '';
  return {
    name: 'ending-privileges',
    node,
    result: statements.length === 0 ? 'pass' : 'warn',
    detail:
      statements.length === 0
        ? 'the account of `failover.credentials` may end who keeps an old primary from being closed'
        : `the account of \`failover.credentials\` may not see or end all sessions on ${node}: commits that wait for a replica keep it from being closed when it is the primary${past}; ${statements.join('; ')}`,
    sql: GRANTS_SQL,
  };
}

/** Whether the application's account writes through `read_only`. */
export async function accountChecks(
  node: NodeId,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const granted = grantsOf(await connection.ask(GRANTS_SQL, deadline)).everywhere;
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
      sql: GRANTS_SQL,
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
