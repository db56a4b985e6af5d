/** The transactions that only the node has, as they stand once nobody writes on it any more: a look from before may lack the last ones. */

import type { RebuildRequest } from '../failover-hooks.js';
import { refused } from '../plan/refused.js';
import { describeNode } from '../survey/node-survey.js';
import { isWithin, missingOf, type TransactionSet, unionOf } from '../survey/transaction-set.js';
import type { RebuildMeans, RebuildSession } from './rebuild-options.js';
import { assertFolder, saveTransactions } from './save-transactions.js';

const EXECUTED_SQL =
  "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_executed', 'gtid_current_pos', 'gtid_binlog_state')";

/**
 * That there is a folder for the transactions that only the node of `session` has, compared with `source`. Rejects with
 * `ERR_CHANGE_REFUSED`.
 */
export async function assertCanSave(
  request: RebuildRequest,
  means: RebuildMeans,
  session: RebuildSession,
  source: RebuildSession,
): Promise<void> {
  const mine = await executedBy(session);
  const { text } = missingOf(session.version.flavor, mine, await executedBy(source));
  assertFolder({ ...request, gtids: text }, means);
}

/**
 * Saves the transactions that only the node of `session` has, which refuses writes.
 *
 * Rejects as `saveTransactions` does, and with `ERR_CHANGE_REFUSED` when somebody writes on the node all the same.
 */
export async function saveOwn(
  request: RebuildRequest,
  means: RebuildMeans,
  session: RebuildSession,
): Promise<void> {
  const { node, from, signal } = request;
  const source = await means.open(from, signal);
  try {
    // The source is asked later: what the node has received from it is no transaction of its own.
    const mine = await executedBy(session);
    const theirs = await executedBy(source);
    const { text } = missingOf(session.version.flavor, mine, theirs);
    await saveTransactions({ ...request, gtids: text }, means, session);
    const now = await executedBy(session);
    const known = unionOf(mine, await executedBy(source));
    if (isWithin(now, known)) return;
    const { text: more } = missingOf(session.version.flavor, now, known);
    throw refused(
      `Somebody writes on ${node} though it refuses the writes of ordinary users (${more} came while others were saved), so that its data ` +
        'is left alone; end that session, or take its privilege away, and rebuild it then',
    );
  } finally {
    source.close();
  }
}

async function executedBy({ version, ask }: RebuildSession): Promise<TransactionSet> {
  const rows = await ask(EXECUTED_SQL);
  const variables = new Map(
    rows.map((row) => [
      String(row['Variable_name']).toLowerCase(),
      String(row['Value'] ?? '').replaceAll('\n', ''),
    ]),
  );
  return describeNode({ node: '', version, variables, statusRows: [], binlog: undefined, uptimeS: 0 })
    .executed;
}
