/** The journal of a cluster as one process can read it: what the servers remember, and what it has not written there. */
import { type JournalRecord, newestOf } from '../failover-journal.js';
import type { Voter } from '../voters.js';
import type { MetaStore } from './meta-store.js';

/** The newest records, newest first. Without a `writer` every data node tells what it got of the journal, which is replicated. */
export async function sharedHistory(
  meta: MetaStore,
  voters: readonly Voter[],
  writer: Voter | undefined,
  own: readonly JournalRecord[],
  count: number,
): Promise<readonly JournalRecord[]> {
  const keepers = writer === undefined ? voters.filter(({ kind }) => kind === 'data') : [writer];
  const remembered = keepers.map((voter) => meta.newest(voter, count).catch(() => []));
  return newestOf([...(await Promise.all(remembered)), own], count);
}
