/** How far a replica without GTIDs has read its source's log: a member of the set of what it has, in which places can be compared. */
import type { StatusRow } from '../../mysql/replica-status.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import type { NodeSurvey } from './node-survey.js';
import { differenceOf, missingOf, NO_TRANSACTIONS, PLACE, type TransactionSet } from './transaction-set.js';

/** No binary log is as large, in bytes. */
const LOG_SIZE_LIMIT = 1n << 48n;

/** The place; nothing where the status tells none. */
export function logPlaceOf(
  channel: ReplicationChannel | undefined,
  status: StatusRow | undefined,
): TransactionSet {
  const file = /(\d+)$/.exec(String(status?.['Source_Log_File'] ?? status?.['Master_Log_File'] ?? ''))?.[1];
  const position = status?.['Read_Source_Log_Pos'] ?? status?.['Read_Master_Log_Pos'];
  if (channel === undefined || file === undefined || position === undefined) return NO_TRANSACTIONS;
  const place = BigInt(file) * LOG_SIZE_LIMIT + BigInt(String(position));
  // One source may be written in capitals here and not there.
  const source = `${channel.sourceHost}:${channel.sourcePort}`.toLowerCase();
  return new Map([[`${PLACE}${source}`, [[1n, place]]]]);
}

/** What `other` has or has read, and `survey` has not, as words about it: "db3 has 2 transactions that it lacks (…)". */
export function aheadWords(other: NodeSurvey, survey: NodeSurvey): string {
  const { count, text } = missingOf(survey.version.flavor, other.reached, survey.reached);
  const places = [...differenceOf(other.reached, survey.reached)].filter(([origin]) =>
    origin.startsWith(PLACE),
  );
  const words = [
    ...(count === 0 ? [] : [`has ${count} transactions that it lacks (${text})`]),
    ...places.map(([origin]) => {
      const mine = survey.reached.get(origin);
      const log = `has read the log of ${origin.slice(PLACE.length)} up to ${placeWords(other.reached.get(origin))}`;
      return mine === undefined
        ? `${log}, and it nothing of that log`
        : `${log}, and it up to ${placeWords(mine)}`;
    }),
  ];
  return `${other.node} ${words.join(', and ')}`;
}

function placeWords(intervals: readonly (readonly [bigint, bigint])[] | undefined): string {
  const place = intervals?.at(-1)?.[1] ?? 0n;
  return `position ${place % LOG_SIZE_LIMIT} of file ${place / LOG_SIZE_LIMIT}`;
}
