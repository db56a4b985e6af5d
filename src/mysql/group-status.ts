/** Asks a server about the group that it is a member of: Group Replication of MySQL, Galera of MariaDB. */
import type { Deadline } from '../common/deadline.js';
import type { GroupFacts } from '../topology/node-description.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { StatusRow } from './replica-status.js';
import { isAtLeast, type ServerVersion } from './server-version.js';

/** The members as this one sees them, and what it has received and not applied yet. */
const GROUP_REPLICATION_SQL = `SELECT m.MEMBER_ID AS id, m.MEMBER_HOST AS host, m.MEMBER_PORT AS port, m.MEMBER_STATE AS state,
m.MEMBER_ROLE AS role, m.MEMBER_ID = @@global.server_uuid AS is_self,
@@global.group_replication_single_primary_mode AS single_primary,
(SELECT s.COUNT_TRANSACTIONS_IN_QUEUE + s.COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE
FROM performance_schema.replication_group_member_stats s WHERE s.MEMBER_ID = @@global.server_uuid) AS queue
FROM performance_schema.replication_group_members m WHERE m.MEMBER_ID <> ''`;

const GALERA_SQL = `SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_ready', 'wsrep_local_state',
'wsrep_local_recv_queue', 'wsrep_incoming_addresses', 'wsrep_gcomm_uuid', 'wsrep_local_state_uuid', 'wsrep_last_committed')`;

/** How the members number transactions; it can be changed while they run. */
const GALERA_GTID_SQL = `SELECT @@global.wsrep_gtid_mode AS is_shared, @@global.wsrep_gtid_domain_id AS domain`;

/** Whether the server may be in a group, found out once per connection: both are settings of its start. */
export async function groupKindOf(
  connection: PhysicalConnection,
  version: ServerVersion,
  deadline: Deadline,
): Promise<GroupFacts['kind'] | undefined> {
  if (version.flavor === 'mysql') {
    if (!isAtLeast(version, 8, 0, 2)) return undefined;
    const rows = await connection.ask("SHOW GLOBAL VARIABLES LIKE 'group_replication_group_name'", deadline);
    return rows.length > 0 ? 'group-replication' : undefined;
  }
  const sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_provider')";
  const settings = statusOf(await connection.ask(sql, deadline));
  // Switched on without a library that does it, it is a server like any other.
  const hasProvider = !['', 'none'].includes(settings.get('wsrep_provider') ?? '');
  return hasProvider && /^(on|1)$/i.test(settings.get('wsrep_on') ?? '') ? 'galera' : undefined;
}

/** What the server says about its group; undefined when it takes part in none. */
export async function readGroup(
  connection: PhysicalConnection,
  kind: GroupFacts['kind'],
  deadline: Deadline,
): Promise<GroupFacts | undefined> {
  if (kind === 'galera') {
    const [status, gtids] = await Promise.all([
      connection.ask(GALERA_SQL, deadline),
      connection.ask(GALERA_GTID_SQL, deadline),
    ]);
    return galeraFacts(status, gtids[0]);
  }
  return groupReplicationFacts(await connection.ask(GROUP_REPLICATION_SQL, deadline));
}

/** The facts in the rows of Group Replication's members. */
export function groupReplicationFacts(rows: readonly StatusRow[]): GroupFacts | undefined {
  const self = rows.find((row) => Number(row['is_self']) === 1);
  // A server whose plugin is loaded and was never started is in no group.
  if (self === undefined || (rows.length === 1 && self['state'] === 'OFFLINE')) return undefined;
  const reachable = rows.filter((row) => row['state'] !== 'UNREACHABLE').length;
  const isPrimary = self['role'] === 'PRIMARY';
  const isSingle = /^(on|1)$/i.test(String(self['single_primary'] ?? '1'));
  return {
    kind: 'group-replication',
    state: self['state'] === 'ONLINE' ? 'online' : self['state'] === 'RECOVERING' ? 'joining' : 'offline',
    hasQuorum: reachable * 2 > rows.length,
    writes: isSingle ? (isPrimary ? 'here' : 'elsewhere') : 'everywhere',
    queue: countOf(self['queue']),
    members: rows.flatMap((row) => memberOf(String(row['host'] ?? ''), Number(row['port'] ?? 0))),
  };
}

/** The facts in Galera's status variables, and in the row that says how it numbers transactions. */
export function galeraFacts(rows: readonly StatusRow[], gtids?: StatusRow): GroupFacts | undefined {
  const status = statusOf(rows);
  const clusterStatus = status.get('wsrep_cluster_status');
  if (clusterStatus === undefined) return undefined;
  const isReady = /^on$/i.test(status.get('wsrep_ready') ?? '');
  const local = status.get('wsrep_local_state');
  const addresses = (status.get('wsrep_incoming_addresses') ?? '').split(',');
  const memberId = status.get('wsrep_gcomm_uuid') ?? '';
  const isShared = Number(gtids?.['is_shared'] ?? 0) === 1;
  return {
    kind: 'galera',
    state: isReady && local === '4' ? 'online' : local === '2' ? 'donor' : isReady ? 'joining' : 'offline',
    hasQuorum: clusterStatus === 'Primary',
    writes: 'everywhere',
    queue: countOf(status.get('wsrep_local_recv_queue')),
    ...committedIn(status),
    ...(memberId === '' ? {} : { memberId }),
    ...(isShared ? { gtidDomain: Number(gtids?.['domain'] ?? 0) } : {}),
    members: addresses.flatMap((address) => {
      const colon = address.lastIndexOf(':');
      return memberOf(address.slice(0, colon).trim(), Number(address.slice(colon + 1)));
    }),
  };
}

/** The place in the order of the cluster; nothing where it has none. */
function committedIn(status: ReadonlyMap<string, string>): Pick<GroupFacts, 'committed'> {
  const history = status.get('wsrep_local_state_uuid') ?? '';
  const number = status.get('wsrep_last_committed') ?? '';
  return history !== '' && /^\d{1,15}$/.test(number)
    ? { committed: { history, number: Number(number) } }
    : {};
}

function statusOf(rows: readonly StatusRow[]): ReadonlyMap<string, string> {
  return new Map(rows.map((row) => [String(row['Variable_name']), String(row['Value'] ?? '')]));
}

function memberOf(host: string, port: number): GroupFacts['members'] {
  const isAddress = host !== '' && Number.isInteger(port) && port > 0;
  return isAddress ? [{ host: host.replace(/^\[|\]$/g, ''), port, serverId: 0 }] : [];
}

/** What cannot be read is not known to be empty. */
function countOf(value: unknown): number {
  const number = Number(value ?? 1);
  return Number.isFinite(number) && number >= 0 ? number : 1;
}
