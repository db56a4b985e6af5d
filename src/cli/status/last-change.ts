/** Finds in a journal when the primary changed last, by whose hand ever. */
import type { JournalKind, JournalRecord } from '../../failover/failover-journal.js';

/** Kinds of records that tell of the primary itself. */
const CHANGES: readonly JournalKind[] = [
  'primary-lost',
  'primary-returned',
  'primary-followed',
  'change-done',
  'change-repaired',
];

/** The newest change of the primary among `records`, which come newest first; null when there is none. */
export function lastChangeIn(
  records: readonly JournalRecord[],
): { readonly at: string; readonly message: string } | null {
  // What is done to a replica has one node.
  const change = records.find(
    ({ kind, nodes }) => CHANGES.includes(kind) && (kind !== 'change-done' || nodes.length > 1),
  );
  if (change === undefined) return null;
  const { opId, at, kind, message } = change;
  const planned = records.find((record) => record.opId === opId && record.kind === 'change-planned');
  return {
    at: new Date(at).toISOString(),
    message: kind === 'change-done' && planned !== undefined ? `${planned.message}: ${message}` : message,
  };
}
