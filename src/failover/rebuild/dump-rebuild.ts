/** A rebuild hook for MariaDB: stops the node, loads a dump of the primary into it, and sets where it goes on. */
import type { NodeId } from '../../common/node-address.js';
import { describeError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import { assertRowsFit, someOf, tablesBeside } from './copied-tables.js';
import { copy, rehearse } from './dump-copy.js';
import { assertDroppable, empty } from './empty-node.js';
import { holdNode, WAKE_MS } from './hold-node.js';
import { readyHook } from './ready-hook.js';
import {
  literal,
  type RebuildMeans,
  type RebuildOptions,
  type RebuildSession,
  readRebuildOptions,
} from './rebuild-options.js';

/**
 * A `rebuild` hook for MariaDB by `mariadb-dump` and `mariadb`, which run on this machine. The primary goes on working; the node
 * loses every database that the primary does not have, and its binary logs, and is marked as diverged until all is loaded, so that
 * nobody takes half a copy for a replica. Before anything is thrown away both programs have spoken with their servers and all but
 * the rows has been dumped once, for nothing.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function dumpRebuild(
  options: RebuildOptions,
): (request: RebuildRequest) => Promise<'rebuilt' | 'skipped'> {
  const means = readRebuildOptions('dumpRebuild', options);
  const hook = (request: RebuildRequest): Promise<'rebuilt' | 'skipped'> =>
    holdNode(request, means, {
      flavor: 'mariadb',
      check: async (session, source) => {
        const { node, from, log } = request;
        await assertDroppable(node, session);
        await assertRowsFit(node, session, source, log);
        const beside = await tablesBeside(source);
        if (beside.length > 0)
          log(
            `What is written meanwhile to tables without transactions is copied as it comes, and may be there twice or not at all: ${someOf(beside)} of ${from}`,
          );
        await rehearse(request, means);
      },
      copy: async (session) => {
        const history = await historyOf(request, means);
        const position = await trusting(request, means, session, async () => {
          await empty(request, session);
          return await copy(request, means);
        });
        await session.ask('RESET MASTER');
        await remember(request, session, historyAt(history, position));
        await session.ask(`SET GLOBAL gtid_slave_pos=${literal(position)}`);
        request.log(`${request.node} has the data of ${request.from} up to ${position}`);
      },
    });
  return readyHook(hook, 'mariadb', means);
}

/**
 * Does `work` while the node trusts whoever makes functions: else only an account with SUPER may load triggers and functions on a
 * server that has a binary log, logged or not.
 */
export async function trusting<T>(
  { node, log }: Pick<RebuildRequest, 'node' | 'log'>,
  means: Pick<RebuildMeans, 'open'>,
  session: Pick<RebuildSession, 'ask'>,
  work: () => Promise<T>,
): Promise<T> {
  const [row] = await session.ask('SELECT @@GLOBAL.log_bin_trust_function_creators AS trusted');
  if (Number(row?.['trusted']) === 1) return await work();
  await session.ask('SET GLOBAL log_bin_trust_function_creators=1');
  try {
    return await work();
  } finally {
    await distrust(node, means).catch((error: unknown) =>
      log(
        `${node} has log_bin_trust_function_creators=1, which was 0 before: ${describeError(error)}. Set it to 0 there`,
      ),
    );
  }
}

/** In a session of its own: that of a rebuild that was called off takes no statement any more. */
async function distrust(node: NodeId, means: Pick<RebuildMeans, 'open'>): Promise<void> {
  const session = await means.open(node, AbortSignal.timeout(WAKE_MS));
  try {
    await session.ask('SET GLOBAL log_bin_trust_function_creators=0');
  } finally {
    session.close();
  }
}

/** What each server has written so far, as the primary knows it. */
async function historyOf({ from, signal }: RebuildRequest, means: RebuildMeans): Promise<string> {
  const session = await means.open(from, signal);
  try {
    const [row] = await session.ask('SELECT @@GLOBAL.gtid_binlog_state AS history');
    return String(row?.['history'] ?? '').replace(/\s/g, '');
  } finally {
    session.close();
  }
}

/** `history`, which is older than `position`, as it was there: what is named last in a domain counts as its last transaction. */
export function historyAt(history: string, position: string): string {
  const origin = (gtid: string): string => gtid.slice(0, gtid.lastIndexOf('-'));
  const last = position.split(',').filter((gtid) => gtid !== '');
  const known = new Set(last.map(origin));
  const before = history.split(',').filter((gtid) => gtid !== '' && !known.has(origin(gtid)));
  return [...before, ...last].join(',');
}

/**
 * Its copy has what former primaries wrote, too, and a node is chosen as a primary by that. Without the privilege it takes part all
 * the same, and is not preferred to nodes that can prove more.
 */
async function remember(request: RebuildRequest, session: RebuildSession, history: string): Promise<void> {
  try {
    await session.ask(`SET GLOBAL gtid_binlog_state=${literal(history)}`);
  } catch (error) {
    request.log(
      `${request.node} does not remember what former primaries wrote, and may be refused as a primary for that: ${describeError(error)}. ` +
        'Grant BINLOG ADMIN to the account that rebuilds',
    );
  }
}
