/**
 * The event by which a primary that no manager can reach any more stops taking writes by itself, as SQL. It is made on every data
 * node without being logged: on a node that refuses writes it does nothing, and a new primary has it before its first write.
 */
import type { Flavor } from '../../topology/node-description.js';
import { lockName } from '../protocol/lock-name.js';

/** A guard's session is ended by the server after so many seconds without a statement. */
export const GUARD_TIMEOUT_S = 2;
/** A renewal that the server executes later than so long after the majority was seen counts for nothing, milliseconds. */
export const GUARD_ANSWER_MS = 1_000;
/** The server's clock in UTC, microseconds: it goes on while the server is frozen. */
const CLOCK = "TIMESTAMPDIFF(MICROSECOND, '2000-01-01', UTC_TIMESTAMP(6))";
/** Reads the server's clock. */
export const CLOCK_SQL: string = `SELECT ${CLOCK} AS clock`;
/** How often the event looks, seconds. */
export const TICK_S = 0.25;
/** The longest time between two looks of the event that is no stall of the server, seconds. */
export const STALL_S = 1;
/** How long the event may be late: two looks, and one statement, milliseconds. */
const LATE_MS = 1_000;
/** After so many seconds in which `read_only` could not be set the event looks anew: a manager may be back. */
const LOCK_WAIT_S = 10;
/** Raised with every change of the event. */
const VERSION = 1;

/** What marks the event as that of this cluster with these numbers. */
export function fenceComment(cluster: string, selfFenceMs: number): string {
  return `stormlamp ${VERSION} ${cluster} ${selfFenceMs}`;
}

/**
 * How long a failover waits after its locks before a primary that is out of reach has certainly fenced itself, milliseconds: whoever
 * guards it renews only on votes of the last half lease, and the locks have ended those.
 */
export function fencedAfterMs(leaseMs: number, selfFenceMs: number): number {
  return guardWindowMs(leaseMs) + GUARD_ANSWER_MS + selfFenceMs + LATE_MS;
}

/** How old the votes may be on which a guard renews, milliseconds. */
export function guardWindowMs(leaseMs: number): number {
  return leaseMs / 2;
}

/**
 * Takes or keeps a guard's lock, if that is executed before `until` by the server's clock. A renewal may wait in the socket of a
 * frozen server, or on its way, until its guard knows better and can not tell it: then it gives the lock up.
 */
export function guardSql(cluster: string, until: number): string {
  const lock = `'${lockName(cluster, 'guard')}'`;
  const keep = `IF(IS_USED_LOCK(${lock})=CONNECTION_ID(), 1, GET_LOCK(${lock}, 0))`;
  return `SELECT IF(${CLOCK}<${Math.floor(until)}, ${keep}, RELEASE_LOCK(${lock})*0) AS held, ${CLOCK} AS clock`;
}

/** Takes the event away; a loop that runs notices it and ends. */
export const DROP_FENCE = 'DROP EVENT IF EXISTS ha_meta.self_fence';

/**
 * The event. Every second it makes sure that one loop runs; that holds a lock of its own, so that everybody sees that it does, and
 * another one once it has made the server refuse writes, so that nobody takes that for an operator's will. Both are gone with the
 * session: nothing is written, and nothing is left behind by a restart.
 */
export function createFence(flavor: Flavor, cluster: string, selfFenceMs: number): string {
  const [guard, watch, fenced] = (['guard', 'fence-watch', 'fenced'] as const).map(
    (purpose) => `'${lockName(cluster, purpose)}'`,
  );
  const comment = fenceComment(cluster, selfFenceMs);
  const graceUs = Math.max(0, selfFenceMs - GUARD_TIMEOUT_S * 1_000) * 1_000;
  const refuse = flavor === 'mysql' ? 'SET GLOBAL super_read_only=1' : 'SET GLOBAL read_only=1';
  return [
    `CREATE EVENT ha_meta.self_fence ON SCHEDULE EVERY 1 SECOND COMMENT '${comment}' DO BEGIN`,
    'DECLARE well, looked DATETIME(6) DEFAULT SYSDATE(6);',
    'DECLARE guarded, closed INT DEFAULT 0;',
    'DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;',
    `IF GET_LOCK(${watch}, 0)=1 THEN`,
    `SET SESSION lock_wait_timeout=${LOCK_WAIT_S};`,
    "WHILE (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA='ha_meta' AND EVENT_NAME='self_fence' " +
      `AND STATUS='ENABLED' AND EVENT_COMMENT='${comment}')=1 DO`,
    `SET guarded=IS_FREE_LOCK(${guard})=0;`,
    'SET closed=@@GLOBAL.read_only;',
    // After a stall of the whole server a lock may be one whose holder is gone: it counts at the next look only.
    `IF closed OR (guarded AND looked>SYSDATE(6)-INTERVAL ${STALL_S} SECOND) THEN SET well=SYSDATE(6);`,
    `ELSEIF NOT guarded AND well<SYSDATE(6)-INTERVAL ${graceUs} MICROSECOND THEN`,
    `DO GET_LOCK(${fenced}, 0); ${refuse}; SET closed=@@GLOBAL.read_only; END IF;`,
    `IF NOT closed THEN DO RELEASE_LOCK(${fenced}); END IF;`,
    `SET looked=SYSDATE(6); DO SLEEP(${TICK_S}); END WHILE;`,
    'END IF; END',
  ].join(' ');
}
