/** Names the GRANT that an account lacks which may not see replication. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { replicasPrivilege } from './server-peers.js';
import { isAtLeast, type ServerVersion } from './server-version.js';

/** The privilege that shows replication status on a server of this version. */
function monitorPrivilege(version: ServerVersion): string {
  if (version.flavor === 'mysql' || !isAtLeast(version, 10, 5, 2)) return 'REPLICATION CLIENT';
  // MariaDB 10.5.2 took the status out of REPLICATION CLIENT; 10.5.9 gave it a privilege of its own.
  return isAtLeast(version, 10, 5, 9) ? 'SLAVE MONITOR' : 'REPLICATION SLAVE ADMIN';
}

/** The `ERR_MISSING_PRIVILEGE` for `account` (as `CURRENT_USER()` tells it: `user@host`). */
export function missingPrivilegeError(
  node: NodeId,
  version: ServerVersion,
  account: string,
  cause?: unknown,
): StormlampError {
  const grant = `GRANT ${monitorPrivilege(version)} ON *.* TO ${quotedAccount(account)}`;
  return new StormlampError(
    ErrorCode.MISSING_PRIVILEGE,
    `Account ${quotedAccount(account)} may not see replication on node ${node} (${version.flavor} ${version.text}), so nobody knows how old its data is; ` +
      `run \`${grant}\` on the primary, or give another account as \`mysql.monitor.credentials\`, or set \`mysql.monitor.lagSource\` to 'unchecked' to read from replicas of any age`,
    { node, cause },
  );
}

/** An account as `CURRENT_USER()` tells it, as statements name it. */
export function quotedAccount(account: string): string {
  const at = account.lastIndexOf('@');
  const parts = at < 0 ? [account, '%'] : [account.slice(0, at), account.slice(at + 1)];
  return parts.map((part) => `'${part.replaceAll("'", "''")}'`).join('@');
}

/** The error of a monitor whose account may not read the heartbeat table; `table` is its quoted name. */
export function unreadableHeartbeatError(node: NodeId, table: string, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.MISSING_PRIVILEGE,
    `The monitor's account may not read the heartbeat on node ${node}; GRANT SELECT ON ${table} to it`,
    { cause, node },
  );
}

/** What discovery tells when the monitor's account may not ask a node for its replicas: only those that are listed are known. */
export function unnamedReplicasError(node: NodeId, version: ServerVersion, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.MISSING_PRIVILEGE,
    `The monitor's account may not ask node ${node} for its replicas; GRANT ${replicasPrivilege(version)} ON *.* to it, ` +
      'or list the nodes and set `mysql.discover` to false',
    { cause, node },
  );
}

/** The error of a monitor whose account may not see the members of a group. */
export function unreadableGroupError(node: NodeId, cause: unknown): StormlampError {
  const tables = ['replication_group_members', 'replication_group_member_stats'];
  const grants = tables.map((table) => `GRANT SELECT ON performance_schema.${table}`).join(' and ');
  return new StormlampError(
    ErrorCode.MISSING_PRIVILEGE,
    `The monitor's account may not see the group of node ${node}; ${grants} to it`,
    { cause, node },
  );
}
