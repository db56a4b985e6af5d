/** How the self-fence event stands on one server: whether it is there, whether it runs, and whether it has fenced the server. */
import type { StatusRow } from '../../mysql/replica-status.js';
import { lockName } from '../protocol/lock-name.js';

/** The event on one server. */
export interface FenceState {
  /** Whether there is a place for it: the tables of the manager. */
  readonly hasHome: boolean;
  /** Whether there is one of any kind, also one that the server does not execute. */
  readonly exists: boolean;
  /** The comment of one that the server executes; undefined when there is none. */
  readonly comment: string | undefined;
  /** Whether it runs at this moment. */
  readonly runs: boolean;
  /** Whether the server refuses writes because of it. */
  readonly fenced: boolean;
  /** The server's `event_scheduler`: `ON`, `OFF` or `DISABLED`. */
  readonly scheduler: string;
}

/** What to ask a server for {@link readFenceState}. */
export function fenceStateSql(cluster: string): string {
  const own = "FROM information_schema.EVENTS WHERE EVENT_SCHEMA='ha_meta' AND EVENT_NAME='self_fence'";
  return (
    "SELECT (SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='ha_meta') AS home, " +
    `(SELECT COUNT(*) ${own}) AS events, (SELECT MAX(EVENT_COMMENT) ${own} AND STATUS='ENABLED') AS comment, ` +
    `IS_USED_LOCK('${lockName(cluster, 'fence-watch')}') AS watch, ` +
    `IS_USED_LOCK('${lockName(cluster, 'fenced')}') AS fenced, @@GLOBAL.event_scheduler AS scheduler`
  );
}

/** The answer to {@link fenceStateSql}. */
export function readFenceState(row: StatusRow): FenceState {
  const comment = row['comment'];
  return {
    hasHome: Number(row['home']) > 0,
    exists: Number(row['events']) > 0,
    comment: typeof comment === 'string' ? comment : undefined,
    runs: (row['watch'] ?? null) !== null,
    fenced: (row['fenced'] ?? null) !== null,
    scheduler: String(row['scheduler']).toUpperCase(),
  };
}

/**
 * Why the event would not run there, and what to do; undefined when it does. `isShut`: the server refuses the writes of everybody
 * (`super_read_only`). MySQL then starts no event, and starts them by itself when that ends.
 */
export function whyNoFence(state: FenceState | undefined, isShut: boolean): string | undefined {
  if (state === undefined) return 'whether its self-fence event runs cannot be told';
  if (state.scheduler !== 'ON') {
    return (
      `its self-fence event does not run, because event_scheduler is ${state.scheduler}; ` +
      'SET GLOBAL event_scheduler=ON, in its configuration file, too'
    );
  }
  if (state.comment !== undefined && (state.runs || isShut)) return undefined;
  return 'its self-fence event does not run; the elected process makes it within seconds';
}
