/** What a probe asks one server, question by question, and what it makes of a refusal. */
import type { Deadline } from '../common/deadline.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { GroupFacts, ReplicationChannel, ServerFacts } from '../topology/node-description.js';
import type { ServerPeer } from '../topology/server-peers.js';
import { readGroup } from './group-status.js';
import { heartbeatSql, readHeartbeats } from './heartbeat-table.js';
import { LAG_SHARE } from './lag-meter.js';
import {
  missingPrivilegeError,
  unnamedReplicasError,
  unreadableGroupError,
  unreadableHeartbeatError,
} from './missing-privilege.js';
import type { ResolvedLagSource } from './monitor-options.js';
import type { PhysicalConnection } from './physical-connection.js';
import {
  binlogStatusStatement,
  readBinlogFilters,
  readReplicaStatus,
  replicaStatusStatements,
  type StatusRow,
} from './replica-status.js';
import { classifyServerError } from './server-error.js';
import { readReplicas, replicasStatement } from './server-peers.js';
import { serverVariablesSql } from './server-variables.js';
import type { ServerVersion } from './server-version.js';
import {
  blockedWritesSql,
  HEARTBEATS_SQL,
  readBlockedWrites,
  readSemiSync,
  SEMI_SYNC_SETTINGS_SQL,
  SEMI_SYNC_SQL,
} from './signs-of-life.js';

/** What is learnt once per connection. */
export interface ProbeSession {
  /** The connection that asks. */
  readonly connection: PhysicalConnection;
  /** The server's version. */
  readonly version: ServerVersion;
  /** The statement that shows replication; the other spelling is tried when the server does not know it. */
  status: string;
  /** Whether the server tells lag in milliseconds. */
  fineLag: boolean;
  /** Whether the server's heartbeats must be, and may be, read apart. */
  heartbeats: boolean;
  /** Whether the account may count the sessions that wait for the lock of the whole server. */
  countsBlocked: boolean;
  /** Whether it replicated from somebody at the last look; undefined before the first. */
  isReplica?: boolean;
  /** The replicas when they were asked for last. */
  peers: { readonly at: number; readonly list: readonly ServerPeer[] } | undefined;
  /** What the server leaves out of its binary log; undefined before that was asked. */
  binlogFilters?: Pick<ServerFacts, 'binlogFilters'>;
  /** The group that the server may be a member of. */
  readonly group: GroupFacts['kind'] | undefined;
}

/** Who the replicas are is asked for so often, in milliseconds. */
const PEERS_MS = 10_000;

/** The server's variables. */
export async function askVariables(session: ProbeSession, deadline: Deadline): Promise<StatusRow> {
  const { connection, version, fineLag } = session;
  try {
    const [row] = await connection.ask(serverVariablesSql(version, fineLag), deadline);
    return row ?? {};
  } catch (error) {
    // Reading performance_schema is a privilege of its own, and it can be switched off.
    if (!fineLag || !isRefusal(error)) throw error;
    session.fineLag = false;
    const [row] = await connection.ask(serverVariablesSql(version, false), deadline);
    return row ?? {};
  }
}

/** The channels; undefined when they may not be seen and nobody minds. */
export async function askChannels(
  session: ProbeSession,
  deadline: Deadline,
  isUnchecked: boolean,
): Promise<readonly ReplicationChannel[] | undefined> {
  try {
    const rows = await askStatus(session, deadline);
    return readReplicaStatus(rows, session.version.flavor);
  } catch (error) {
    if (classifyServerError(error, session.version.flavor).kind !== 'access') throw error;
    if (isUnchecked) return undefined;
    const [row] = await session.connection.ask('SELECT CURRENT_USER() AS account', deadline);
    throw missingPrivilegeError(
      session.connection.node,
      session.version,
      String(row?.['account'] ?? ''),
      error,
    );
  }
}

async function askStatus(session: ProbeSession, deadline: Deadline): Promise<readonly StatusRow[]> {
  try {
    return await session.connection.ask(session.status, deadline);
  } catch (error) {
    if ((error as { errno?: unknown }).errno !== 1064) throw error;
    const other = replicaStatusStatements(session.version).find((statement) => statement !== session.status);
    if (other === undefined) throw error;
    const rows = await session.connection.ask(other, deadline);
    session.status = other;
    return rows;
  }
}

/** What the server was at the last look decides what else is asked; a change is caught up with by the next look. */
export async function askSigns(session: ProbeSession, deadline: Deadline): Promise<readonly StatusRow[]> {
  if (session.isReplica === false) {
    const rows = await session.connection.ask(SEMI_SYNC_SQL, deadline);
    if (readSemiSync(rows)?.active !== true) return rows;
    return [...rows, ...(await session.connection.ask(SEMI_SYNC_SETTINGS_SQL, deadline))];
  }
  if (session.isReplica === undefined || !session.heartbeats) return [];
  try {
    return await session.connection.ask(HEARTBEATS_SQL, deadline);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    session.heartbeats = false;
    return [];
  }
}

/** The sessions of a server without a source that wait for the lock of the whole server; undefined when they may not be seen. */
export async function askBlockedWrites(
  session: ProbeSession,
  deadline: Deadline,
): Promise<number | undefined> {
  if (session.isReplica !== false || !session.countsBlocked) return undefined;
  try {
    return readBlockedWrites(await session.connection.ask(blockedWritesSql(session.version), deadline));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    session.countsBlocked = false;
    return undefined;
  }
}

/** The replicas of the server, asked for now and then; `onMissing` is told once when they may not be seen. */
export async function askPeers(
  session: ProbeSession,
  deadline: Deadline,
  onMissing: ((error: Error) => void) | undefined,
): Promise<readonly ServerPeer[]> {
  const now = performance.now();
  if (session.peers !== undefined && now - session.peers.at < PEERS_MS) return session.peers.list;
  let list: readonly ServerPeer[] = [];
  try {
    list = readReplicas(await session.connection.ask(replicasStatement(session.version), deadline));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (session.peers === undefined) {
      onMissing?.(unnamedReplicasError(session.connection.node, session.version, error));
    }
  }
  session.peers = { at: now, list };
  return list;
}

/** What the server leaves out of its binary log: asked once, because only a restart changes it. */
export async function askBinlogFilters(
  session: ProbeSession,
  deadline: Deadline,
): Promise<Pick<ServerFacts, 'binlogFilters'>> {
  if (session.binlogFilters !== undefined) return session.binlogFilters;
  try {
    const [row] = await session.connection.ask(binlogStatusStatement(session.version), deadline);
    session.binlogFilters = { binlogFilters: readBinlogFilters(row ?? {}) };
  } catch (error) {
    // To see the binary log is a privilege of its own on MariaDB, and not one that everything needs.
    if (!classifyServerError(error, session.version.flavor).answered) throw error;
    session.binlogFilters = {};
  }
  return session.binlogFilters;
}

/** What the node says about its group; undefined when it is in none. */
export async function askGroup(
  { connection, group }: ProbeSession,
  deadline: Deadline,
): Promise<GroupFacts | undefined> {
  if (group === undefined) return undefined;
  try {
    return await readGroup(connection, group, deadline);
  } catch (error) {
    if ((error as { errno?: unknown }).errno !== 1142) throw error;
    throw unreadableGroupError(connection.node, error);
  }
}

/** The heartbeats that a server has. */
export interface HeartbeatsRead {
  /** The heartbeats; undefined when nobody wants to know. */
  readonly beats: ServerFacts['heartbeats'];
  /** Why there are none: the table is missing, or locked. */
  readonly error?: StormlampError;
}

/** The heartbeats of all servers; none while they cannot be read: that says nothing about the server. */
export async function askHeartbeats(
  { connection, version }: ProbeSession,
  deadline: Deadline,
  source: ResolvedLagSource,
): Promise<HeartbeatsRead> {
  if (typeof source !== 'object') return { beats: undefined };
  try {
    const sql = heartbeatSql(source.table, version.flavor, deadline.remainingMs() * LAG_SHARE);
    return { beats: readHeartbeats(await connection.ask(sql, deadline)) };
  } catch (error) {
    const { errno } = error as { errno?: unknown };
    if (errno === 1142) throw unreadableHeartbeatError(connection.node, source.table, error);
    if (!classifyServerError(error, version.flavor).answered || connection.lost !== undefined) throw error;
    // Who is to write it makes it.
    const isAwaited = errno === 1146 && source.write;
    return { beats: {}, ...(isAwaited ? {} : { error: noHeartbeat(connection.node, source.table, error) }) };
  }
}

function noHeartbeat(node: string, table: string, cause: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `The heartbeat on ${node} cannot be read from ${table} (\`mysql.monitor.lagSource\`), so the lag of replicas is unknown: ${describeError(cause)}; ` +
      'let pt-heartbeat write that table, or name the one that it writes, or set `write: true`',
    { node, cause },
  );
}

/** An account that may not read, or a table, column or function that this server does not have. */
function isRefusal(error: unknown): boolean {
  const { errno } = error as { errno?: unknown };
  return typeof errno === 'number' && [1044, 1054, 1109, 1142, 1143, 1146, 1227, 1305, 1683].includes(errno);
}
