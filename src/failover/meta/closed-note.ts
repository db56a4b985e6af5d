/** What a failover notes on an old primary that it closes, so that others know what was meant. */
import type { StatusRow } from '../../mysql/replica-status.js';

/** What a failover notes on an old primary that answers, before it closes it. */
export interface ClosedNote {
  /** The failover. */
  readonly opId: string;
  /** The epoch in which that was. */
  readonly epoch: number;
  /** The node that was to be the primary. */
  readonly to: string;
  /** Seconds since then. */
  readonly ageS: number;
}

/** Asks a server for the note; where a version before this one made the tables, `ha_meta.closed` may be missing. */
export function closedNoteSql(cluster: string): string {
  return (
    'SELECT op_id, epoch, to_node, TIMESTAMPDIFF(SECOND, at, UTC_TIMESTAMP(6)) AS age FROM ha_meta.closed ' +
    `WHERE cluster='${cluster}'`
  );
}

/** The answer to {@link closedNoteSql}. */
export function closedNoteOf(row: StatusRow): ClosedNote {
  return {
    opId: String(row['op_id']),
    epoch: Number(row['epoch']),
    to: String(row['to_node']),
    ageS: Number(row['age'] ?? 0),
  };
}
