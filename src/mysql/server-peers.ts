/** Asks a server for the replicas that are connected to it: the statement of each version, and how its answer is read. */
import type { ServerPeer } from '../topology/server-peers.js';
import type { StatusRow } from './replica-status.js';
import { isAtLeast, type ServerVersion } from './server-version.js';

/** The statement that lists the replicas of a server. They show what they report themselves (`report_host`). */
export function replicasStatement(version: ServerVersion): string {
  const isNew = version.flavor === 'mysql' && isAtLeast(version, 8, 0, 22);
  return isNew ? 'SHOW REPLICAS' : 'SHOW SLAVE HOSTS';
}

/** The privilege for {@link replicasStatement}. */
export function replicasPrivilege(version: ServerVersion): string {
  if (version.flavor === 'mysql' || !isAtLeast(version, 10, 5, 2)) return 'REPLICATION SLAVE';
  return 'REPLICATION MASTER ADMIN';
}

/** The replicas in such an answer; one that reports no host cannot be reached by what is known of it. */
export function readReplicas(rows: readonly StatusRow[]): readonly ServerPeer[] {
  return rows.flatMap((row) => {
    const host = String(row['Host'] ?? '');
    const port = Number(row['Port'] ?? 0);
    const serverId = Number(row['Server_Id'] ?? row['Server_id'] ?? 0);
    return host === '' || !Number.isInteger(port) || port < 1 ? [] : [{ host, port, serverId }];
  });
}
