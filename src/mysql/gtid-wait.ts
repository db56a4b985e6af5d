/** Asks one server for its position, or waits on a replica until it has applied one: the statements of both flavors. */
import type { Deadline } from '../common/deadline.js';
import { type GtidPosition, readGtidPosition } from '../topology/gtid-position.js';
import type { PhysicalConnection } from './physical-connection.js';

/** An answer that comes later than this after the wait should be over means that the server hangs. */
const GRACE_MS = 1_000;

/** The shortest wait: 0 means for ever to MySQL. */
const SHORTEST_MS = 1;

/**
 * Waits on a replica until it has applied `wanted`, at most `waitMs`; whether it has. The server itself ends the wait, since
 * one whose client is gone stays there. Never call it on a primary: MariaDB's would wait for nothing.
 */
export async function waitForGtids(
  connection: PhysicalConnection,
  wanted: GtidPosition,
  waitMs: number,
  deadline: Deadline,
): Promise<boolean> {
  const limitMs = Math.max(SHORTEST_MS, Math.min(waitMs, deadline.remainingMs()));
  const call = wanted.flavor === 'mysql' ? 'WAIT_FOR_EXECUTED_GTID_SET' : 'MASTER_GTID_WAIT';
  const sql = `SELECT ${call}('${wanted.text}', ${(limitMs / 1_000).toFixed(3)}) AS timed_out`;
  const [row] = await connection.ask(sql, deadline.within(limitMs + GRACE_MS));
  return Number(row?.['timed_out']) === 0 && row?.['timed_out'] !== null;
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
  const limitMs = Math.max(SHORTEST_MS, Math.min(waitMs, deadline.remainingMs()));
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

/** The position of the primary: everything that is committed there now. Undefined when it has none. */
export async function readPosition(
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<GtidPosition | undefined> {
  const { flavor } = connection;
  const variable = flavor === 'mysql' ? 'gtid_executed' : 'gtid_current_pos';
  const [row] = await connection.ask(`SELECT @@global.${variable} AS position`, deadline);
  const text = row?.['position'];
  const position = typeof text === 'string' ? readGtidPosition(flavor, text.replace(/\s+/g, '')) : undefined;
  return position?.text === '' ? undefined : position;
}
