/** Why a replica stopped applying, without what the server quotes: statements and rows, with their values. */
import type { ReplicationChannel } from './node-description.js';

/** What the numbers mean that stop replicas most. */
const KINDS: ReadonlyMap<number, string> = new Map([
  [1008, 'a database to drop that it lacks'],
  [1007, 'a database to create that it has'],
  [1032, 'a row that it lacks'],
  [1049, 'a database that it lacks'],
  [1050, 'a table to create that it has'],
  [1051, 'a table to drop that it lacks'],
  [1054, 'a column that it lacks'],
  [1062, 'a key that it has already'],
  [1146, 'a table that it lacks'],
  [1205, 'a lock that it waited for too long'],
  [1213, 'a deadlock'],
  [1406, 'a value that is too long for its column'],
  [1451, 'a row that others refer to'],
  [1452, 'a row that refers to none'],
  [1594, 'a relay log that cannot be read'],
  [1677, 'a column of another type'],
  [1950, 'a number below one that it has logged'],
]);

/**
 * The error of an applying thread (`Last_SQL_Errno`, `Last_SQL_Error`) in words that anybody may see: its number, what that
 * means, and the table where the server names it before it quotes anything. A value may look like any end of the text, so that
 * nothing behind the first of them is taken.
 */
export function describeApplyError(errno: number, text: string): string {
  const kind = KINDS.get(errno);
  const event = /^Could not execute (\w{1,40}) event on table ([\w$]{1,64}\.[\w$]{1,64});/.exec(text);
  const where = event === null ? '' : `, ${event[1]} event on table ${event[2]}`;
  return `error ${errno}${kind === undefined ? '' : `, ${kind}`}${where}`;
}

/** The last error of a channel, that of its applying thread as {@link describeApplyError} tells it; '' when there is none. */
export function channelError({ error, applyErrno }: ReplicationChannel): string {
  return applyErrno === undefined ? error : describeApplyError(applyErrno, error);
}
