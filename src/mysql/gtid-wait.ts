/** Asks one server for its position, or waits on a replica until it has applied one: the statements of both flavors. */
import type { Deadline } from '../common/deadline.js';
import {
  type GtidPosition,
  positionReached,
  primaryPosition,
  readGtidPosition,
} from '../topology/gtid-position.js';
import { type MariadbGtid, mariadbGtids } from '../topology/mariadb-gtid-list.js';
import type { Flavor } from '../topology/node-description.js';
import type { PhysicalConnection } from './physical-connection.js';
import { MYSQL_POSITION } from './server-variables.js';

/** An answer that comes later than this after the wait should be over means that the server hangs. */
const GRACE_MS = 1_000;

/** A server that does not say within this time where it stands hangs. */
const STANDING_MS = 5_000;

/** The shortest wait: 0 means for ever to MySQL. */
const SHORTEST_MS = 1;

/**
 * Waits on a replica until it has applied `wanted`, at most `waitMs` and half of what is left of the call; whether it has. The server itself ends the wait, since
 * one whose client is gone stays there. Never call it on a primary: MariaDB's would wait for nothing.
 */
export async function waitForGtids(
  connection: PhysicalConnection,
  wanted: GtidPosition,
  waitMs: number,
  deadline: Deadline,
): Promise<boolean> {
  const limitMs = waitWithin(waitMs, deadline);
  const call = wanted.flavor === 'mysql' ? 'WAIT_FOR_EXECUTED_GTID_SET' : 'MASTER_GTID_WAIT';
  // What MariaDB's wait compares is no proof; the columns are evaluated in their order.
  const proof =
    wanted.flavor === 'mysql'
      ? ''
      : ', @@global.gtid_slave_pos AS position, @@global.gtid_binlog_state AS logged';
  const sql = `SELECT ${call}('${wanted.text}', ${(limitMs / 1_000).toFixed(3)}) AS timed_out${proof}`;
  const [row] = await connection.ask(sql, deadline.within(limitMs + GRACE_MS));
  if (row?.['timed_out'] === null || Number(row?.['timed_out']) !== 0) return false;
  if (wanted.flavor === 'mysql') return true;
  const [position, log] = positionAndLog(wanted.flavor, row);
  return position !== undefined && positionReached(position, wanted, log);
}

/**
 * Waits on a member of a Galera cluster until it has applied all that the cluster had committed before, at most `waitMs`;
 * whether it has.
 */
export async function waitForCluster(
  connection: PhysicalConnection,
  waitMs: number,
  deadline: Deadline,
): Promise<boolean> {
  const limitMs = waitWithin(waitMs, deadline);
  const sql = `SET STATEMENT wsrep_sync_wait = 1, max_statement_time = ${(limitMs / 1_000).toFixed(3)} FOR SELECT 1`;
  try {
    await connection.ask(sql, deadline.within(limitMs + GRACE_MS));
    return true;
  } catch (error) {
    // The statement's own limit, or that of the cluster (`repl.causal_read_timeout`), or a member that is not ready.
    const { errno } = error as { errno?: unknown };
    if (errno === 1969 || errno === 1205 || errno === 1047 || errno === 1317) return false;
    throw error;
  }
}

/** How long to wait: a call whose time is short needs the other half of it where the wait was in vain, on the primary. */
function waitWithin(waitMs: number, deadline: Deadline): number {
  return Math.max(SHORTEST_MS, Math.min(waitMs, deadline.remainingMs() / 2));
}

/** Where a server stands. */
export interface Standing {
  /** Everything that is committed there; undefined when it has no GTIDs. */
  readonly position: GtidPosition | undefined;
  /** Whether it refuses writes: it is no primary, or is about to be none. */
  readonly isReadOnly: boolean;
  /** Whether it is proven to have `wanted`. */
  has(wanted: GtidPosition): boolean;
}

/**
 * Where the server stands now that is taken for the primary. A member of a Galera cluster knows what the others wrote by its
 * binary log only.
 */
export async function readStanding(
  connection: PhysicalConnection,
  deadline: Deadline,
  isGalera: boolean,
): Promise<Standing> {
  const { flavor } = connection;
  const current = isGalera ? '@@global.gtid_binlog_pos' : '@@global.gtid_current_pos';
  const position =
    flavor === 'mysql'
      ? `${MYSQL_POSITION} AS position`
      : `${current} AS position, @@global.gtid_binlog_state AS logged`;
  const sql = `SELECT ${position}, @@global.read_only AS is_read_only`;
  const [row] = await connection.ask(sql, deadline.within(STANDING_MS));
  return standingOf(flavor, row);
}

function standingOf(flavor: Flavor, row: Readonly<Record<string, unknown>> | undefined): Standing {
  const [position, log] = positionAndLog(flavor, row);
  return {
    position: position?.text === '' ? undefined : position,
    isReadOnly: Number(row?.['is_read_only'] ?? 0) === 1,
    has: (wanted) => position !== undefined && positionReached(primaryPosition(position, log), wanted, log),
  };
}

function positionAndLog(
  flavor: Flavor,
  row: Readonly<Record<string, unknown>> | undefined,
): readonly [position: GtidPosition | undefined, log: readonly MariadbGtid[]] {
  const [text, log] = [row?.['position'], row?.['logged']];
  const read = typeof text === 'string' ? readGtidPosition(flavor, text.replace(/\s+/g, '')) : undefined;
  return [read, typeof log === 'string' ? (mariadbGtids(log) ?? []) : []];
}
