/** The events of the event scheduler (`CREATE EVENT`), as one server has them: a primary executes them, its replicas must not. */
import type { StatusRow } from '../../mysql/replica-status.js';

/** An event. */
export interface ScheduledEvent {
  /** Its database. */
  readonly database: string;
  /** Its name in there. */
  readonly name: string;
  /** In whose name it is executed, as `user@host`. */
  readonly definer: string;
  /**
   * `enabled`: the server executes it. `replica-side-disabled`: it does not, because another server does; so every event gets by
   * replication, one that somebody has disabled on the primary, too.
   */
  readonly status: 'enabled' | 'disabled' | 'replica-side-disabled';
  /** The `server_id` of the server on which somebody has last changed it. */
  readonly originator: number;
  /** The character set of its text, and the collation that it compares by. */
  readonly charset: string;
  readonly collation: string;
}

/** What the manager and the server make for themselves belongs to each server. */
const OWN = "'ha_meta', 'mysql', 'sys', 'information_schema', 'performance_schema'";

/** Lists the events that the account may see: it needs `EVENT` for that. */
export const EVENTS_SQL: string =
  'SELECT EVENT_SCHEMA AS `database`, EVENT_NAME AS name, DEFINER AS definer, STATUS AS status, ORIGINATOR AS originator, ' +
  'CHARACTER_SET_CLIENT AS `charset`, COLLATION_CONNECTION AS `collation` FROM information_schema.EVENTS ' +
  `WHERE EVENT_SCHEMA NOT IN (${OWN}) ORDER BY EVENT_SCHEMA, EVENT_NAME`;

/** The answer to {@link EVENTS_SQL}. */
export function readEvents(rows: readonly StatusRow[]): readonly ScheduledEvent[] {
  return rows.map((row) => {
    const text = (column: string): string => String(row[column] ?? '');
    return {
      database: text('database'),
      name: text('name'),
      definer: text('definer'),
      status: statusOf(text('status').toUpperCase()),
      originator: Number(row['originator']),
      charset: text('charset'),
      collation: text('collation'),
    };
  });
}

/** MySQL has renamed `SLAVESIDE_DISABLED` to `REPLICA_SIDE_DISABLED`. */
function statusOf(status: string): ScheduledEvent['status'] {
  if (status === 'ENABLED') return 'enabled';
  return status === 'DISABLED' ? 'disabled' : 'replica-side-disabled';
}

/** Some of their names, for a message. */
export function eventWords(events: readonly Pick<ScheduledEvent, 'database' | 'name'>[]): string {
  const names = events.slice(0, 3).map(({ database, name }) => `${database}.${name}`);
  return names.join(', ') + (events.length > names.length ? ` and ${events.length - names.length} more` : '');
}
