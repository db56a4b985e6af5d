/** A rebuild hook for MySQL: the clone plugin copies the files of the primary while it goes on working. */
import { pause } from '../../common/backoff.js';
import { invalidOption } from '../../common/option-reader.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { isAtLeast } from '../../mysql/server-version.js';
import type { RebuildRequest } from '../failover-hooks.js';
import { threadStatements } from '../plan/dialect.js';
import { refused } from '../plan/refused.js';
import { awaitClone, lastClone } from './clone-status.js';
import { someOf, tablesBeside } from './copied-tables.js';
import { holdNode } from './hold-node.js';
import { readyHook } from './ready-hook.js';
import {
  literal,
  type RebuildMeans,
  type RebuildOptions,
  type RebuildSession,
  readRebuildOptions,
} from './rebuild-options.js';
import { isCloneLoaded } from './rebuild-rights.js';

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

/**
 * A `rebuild` hook for MySQL 8.0.17 and later by its clone plugin, which is loaded on both servers where it is missing. What the
 * account needs, on both, is in docs/failover.md. A primary that has tables of other engines than InnoDB is not cloned: they would
 * be empty.
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
  const hook = (request: RebuildRequest): Promise<'rebuilt' | 'skipped'> =>
    holdNode(request, means, {
      flavor: 'mysql',
      check: (session, source) => assertCloneable(request, session, source),
      copy: async (session) => {
        await loadPlugin(session, request, means);
        const former = await lastClone(session);
        const ended = await clone(session, request, means);
        if (ended === 'shut-down') {
          if (restart === undefined) throw notRestarted(request.node);
          await restart(request.node, request.signal);
        }
        await awaitClone(request, means, former);
        request.log(`${request.node} has the files of ${request.from}`);
      },
    });
  return readyHook(hook, 'mysql', means);
}

/** What the server itself does not look at before it throws its data away. */
async function assertCloneable(
  { node, from }: RebuildRequest,
  session: RebuildSession,
  source: RebuildSession,
): Promise<void> {
  for (const [name, { version }] of [
    [node, session],
    [from, source],
  ] as const) {
    if (!isAtLeast(version, 8, 0, 17))
      throw refused(`${name} is MySQL ${version.text}; the clone plugin came with 8.0.17`);
  }
  const beside = await tablesBeside(source);
  if (beside.length > 0) {
    throw refused(
      `The clone plugin copies InnoDB only, and tables of ${from} would be empty on ${node}: ${someOf(beside)}; ` +
        'run `ALTER TABLE … ENGINE=InnoDB` on them, or rebuild the node by hand',
    );
  }
}

/** Loads the plugin on both servers; the one that is rebuilt takes no statement of that kind while it is read-only for all. */
async function loadPlugin(
  session: RebuildSession,
  request: RebuildRequest,
  means: RebuildMeans,
): Promise<void> {
  const load = async (on: RebuildSession): Promise<void> => {
    if (!(await isCloneLoaded(on))) await on.ask("INSTALL PLUGIN clone SONAME 'mysql_clone.so'");
  };
  const donor = await means.open(request.from, request.signal);
  try {
    await load(donor);
  } finally {
    donor.close();
  }
  await session.ask(threadStatements(session.version).stopReplication);
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

function notRestarted(node: string): StormlampError {
  return new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `${node} was cloned and has shut down, because nothing starts it again by itself; start it, or give \`restart\``,
    { node },
  );
}
