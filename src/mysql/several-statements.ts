/** What a text of several statements does that its effect on the transaction, which is that of the last of them, does not tell. */
import type { Classification } from './classifier/classification.js';

/** Whether a text does more than to begin and to end transactions, and to read what any replica has. */
export function doesMore({ kind, pins, settings, locksRows }: Classification): boolean {
  return (
    kind === 'write' ||
    kind === 'unknown' ||
    pins.length > 0 ||
    (settings !== undefined && settings.length > 0) ||
    locksRows === true
  );
}

/** Whether a text ends the transaction that is open, and does more outside of it, where no access mode of it holds any longer. */
export function goesOnOutside(classification: Classification): boolean {
  const { several, chained, implicitCommit, transaction } = classification;
  if (several !== true || chained === true || !doesMore(classification)) return false;
  return (
    implicitCommit ||
    transaction === 'commit' ||
    transaction === 'rollback' ||
    transaction?.startsWith('begin') === true
  );
}
