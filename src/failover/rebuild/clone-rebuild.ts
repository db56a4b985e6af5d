/** A rebuild hook for MySQL: the clone plugin copies the files of the primary while it goes on working. */
import { pause } from '../../common/backoff.js';
import { invalidOption } from '../../common/option-reader.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import { holdNode } from './hold-node.js';
import {
  literal,
  type RebuildMeans,
  type RebuildOptions,
  type RebuildSession,
  readRebuildOptions,
} from './rebuild-options.js';
import { saveTransactions } from './save-transactions.js';

/** Options of {@link cloneRebuild}. */
export interface CloneRebuildOptions extends RebuildOptions {
  /**
   * Starts the server of `node` again. Needed where nothing else does: a server under systemd or `mysqld_safe` is started again by
   * itself after it was cloned, any other one shuts down.
   */
  readonly restart?: ((node: string, signal: AbortSignal) => Promise<void>) | undefined;
}

/** The server was cloned and shut itself down, because nobody starts it again. */
const NOT_SUPERVISED = 3707;
const PROGRESS_MS = 5_000;
const RETRY_MS = 500;

/**
 * A `rebuild` hook for MySQL 8.0.17 and later by its clone plugin, which is loaded on both servers where it is missing. The account
 * needs `BACKUP_ADMIN`, `CLONE_ADMIN`, `SYSTEM_VARIABLES_ADMIN` and INSERT on `mysql.plugin`, on both.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function cloneRebuild(
  options: CloneRebuildOptions,
): (request: RebuildRequest) => Promise<'rebuilt' | 'skipped'> {
  const means = readRebuildOptions('cloneRebuild', options, ['restart']);
  const { restart } = options;
  if (restart !== undefined && typeof restart !== 'function')
    throw invalidOption('cloneRebuild.restart', 'a function that starts the server', restart);
  return (request) =>
    holdNode(request, means, 'mysql', async (session) => {
      await saveTransactions(request, means, session);
      await loadPlugin(session, request, means);
      const ended = await clone(session, request, means);
      if (ended === 'shut-down') {
        if (restart === undefined) throw notRestarted(request.node);
        await restart(request.node, request.signal);
      }
      await back(request, means);
      request.log(`${request.node} has the files of ${request.from}`);
    });
}

/** Loads the plugin on both servers; the one that is rebuilt takes no statement of that kind while it is read-only for all. */
async function loadPlugin(
  session: RebuildSession,
  request: RebuildRequest,
  means: RebuildMeans,
): Promise<void> {
  const load = async (on: RebuildSession): Promise<void> => {
    const [row] = await on.ask(
      "SELECT COUNT(*) AS active FROM information_schema.PLUGINS WHERE PLUGIN_NAME='clone' AND PLUGIN_STATUS='ACTIVE'",
    );
    if (Number(row?.['active']) === 0) await on.ask("INSTALL PLUGIN clone SONAME 'mysql_clone.so'");
  };
  const donor = await means.open(request.from, request.signal);
  try {
    await load(donor);
  } finally {
    donor.close();
  }
  await session.ask('STOP REPLICA');
  await session.ask('SET GLOBAL super_read_only=0');
  await session.ask('SET GLOBAL read_only=1');
  await load(session);
}

async function clone(
  session: RebuildSession,
  request: RebuildRequest,
  means: RebuildMeans,
): Promise<'restarting' | 'shut-down'> {
  const { host, port } = means.addressOf(request.from);
  const { user, password } = await means.login();
  await session.ask(`SET GLOBAL clone_valid_donor_list=${literal(`${host}:${port}`)}`);
  const done = new AbortController();
  const watching = watch(request, means, done.signal);
  try {
    await session.ask(
      `CLONE INSTANCE FROM ${literal(user)}@${literal(host)}:${port} IDENTIFIED BY ${literal(password)}`,
    );
    return 'restarting';
  } catch (error) {
    const { errno } = error as { errno?: unknown };
    if (errno === NOT_SUPERVISED) return 'shut-down';
    // A server that is started again ends its sessions.
    if (errno === undefined && !request.signal.aborted) return 'restarting';
    throw error;
  } finally {
    done.abort();
    await watching;
  }
}

/** Tells how far it is, until `done`. */
async function watch(request: RebuildRequest, means: RebuildMeans, done: AbortSignal): Promise<void> {
  const { node, log } = request;
  const session = await means.open(node, AbortSignal.any([request.signal, done])).catch(() => undefined);
  try {
    while (session !== undefined && !done.aborted) {
      await pause(PROGRESS_MS, done);
      if (done.aborted) return;
      const [row] = await session.ask(
        'SELECT STAGE AS stage, ROUND(DATA/1048576) AS done, ROUND(ESTIMATE/1048576) AS all_of_it ' +
          "FROM performance_schema.clone_progress WHERE STATE='In Progress'",
      );
      if (row !== undefined)
        log(`${node}: ${String(row['stage'])}, ${String(row['done'])} of ${String(row['all_of_it'])} MiB`);
    }
  } catch {
    // The server that was cloned is started again.
  } finally {
    session?.close();
  }
}

/** Waits until the server is there again, and asks it whether the copy is complete. */
async function back(request: RebuildRequest, means: RebuildMeans): Promise<void> {
  const { node, signal } = request;
  for (;;) {
    const session = await means.open(node, signal).catch(() => undefined);
    if (session !== undefined) {
      try {
        const [row] = await session.ask(
          'SELECT STATE AS state, ERROR_MESSAGE AS message FROM performance_schema.clone_status',
        );
        if (row?.['state'] === 'Completed') {
          await session.ask('SET GLOBAL read_only=1');
          return;
        }
        if (row?.['state'] === 'Failed') throw notCloned(node, String(row['message']));
      } catch (error) {
        if (error instanceof StormlampError && error.code === ErrorCode.CHANGE_REFUSED) throw error;
      } finally {
        session.close();
      }
    }
    signal.throwIfAborted();
    await pause(RETRY_MS, signal);
  }
}

function notRestarted(node: string): StormlampError {
  return new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `${node} was cloned and has shut down, because nothing starts it again by itself; start it, or give \`restart\``,
    { node },
  );
}

function notCloned(node: string, why: string): StormlampError {
  return new StormlampError(ErrorCode.CHANGE_REFUSED, `${node} could not be cloned: ${why}`, { node });
}
