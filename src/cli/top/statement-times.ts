/** How long the statements of everybody took on a server, where it counts that: histograms, and what grew between two of them. */
import type { Deadline } from '../../common/deadline.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { Flavor } from '../../topology/node-description.js';

/** Counted statements by the most that they took, milliseconds, in rising order. */
export type StatementTimes = ReadonlyMap<number, number>;

type Rows = readonly Readonly<Record<string, unknown>>[];

/** MySQL 8 counts always, for whoever may read it; MariaDB with the plugin `query_response_time` and `query_response_time_stats=ON`. */
const QUESTIONS: Readonly<Record<Flavor, string>> = {
  mysql:
    'SELECT BUCKET_TIMER_HIGH AS upTo, COUNT_BUCKET AS n FROM performance_schema.events_statements_histogram_global ' +
    'WHERE COUNT_BUCKET > 0 ORDER BY BUCKET_NUMBER',
  mariadb: 'SELECT TIME AS upTo, COUNT AS n FROM information_schema.QUERY_RESPONSE_TIME',
};
/** MySQL's picoseconds, MariaDB's seconds. */
const MS: Readonly<Record<Flavor, number>> = { mysql: 1e-9, mariadb: 1e3 };

/** Asks a server. Rejects where it does not count, or not for this account. */
export async function statementTimes(
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<StatementTimes> {
  const { flavor } = connection;
  return readTimes(flavor, await connection.ask(QUESTIONS[flavor], deadline));
}

/** The histogram in the rows of an answer. */
export function readTimes(flavor: Flavor, rows: Rows): StatementTimes {
  const read = rows.map((row) => [Number(row['upTo']) * MS[flavor], Number(row['n'])] as const);
  // The last one of MariaDB is 'TOO LONG', of more than eleven days.
  return new Map(read.filter(([upTo, count]) => Number.isFinite(upTo) && count > 0));
}

/**
 * The time that `share` (0 to 1) of the statements between two looks did not exceed: the upper end of its bucket, of which MySQL has
 * 450 and MariaDB one for each power of ten. Null when there were none, or the server began to count anew.
 */
export function timeWithin(before: StatementTimes, after: StatementTimes, share: number): number | null {
  const grown = [...after].map(([upTo, count]) => [upTo, count - (before.get(upTo) ?? 0)] as const);
  const total = grown.reduce((sum, [, count]) => sum + count, 0);
  if (
    total <= 0 ||
    grown.some(([, count]) => count < 0) ||
    [...before.keys()].some((upTo) => !after.has(upTo))
  )
    return null;
  let seen = 0;
  for (const [upTo, count] of grown) {
    seen += count;
    if (seen >= total * share) return upTo;
  }
  return null;
}
