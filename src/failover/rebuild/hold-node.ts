/** Keeps others from rebuilding the same node at the same time, and closes it for writers while it is rebuilt. */
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import { threadStatements } from '../plan/dialect.js';
import { assertCanSave, saveOwn } from './own-transactions.js';
import type { RebuildMeans, RebuildSession } from './rebuild-options.js';
import { assertRights } from './rebuild-rights.js';
import { leaveEvents, type RestingEvents, restEvents } from './resting-events.js';

const LOCK = 'stormlamp:rebuild';
/** How long the node may take to answer once it has been made anew, milliseconds; it may just have been started. */
export const WAKE_MS = 30_000;

/** What is particular to one way of copying. */
export interface RebuildWork {
  /** The servers that it is for. */
  readonly flavor: 'mysql' | 'mariadb';
  /** Looks whether the copy can be made, and changes nothing; `source` is a session on the one that is copied. */
  check(session: RebuildSession, source: RebuildSession): Promise<void>;
  /** Throws away what the node has, and copies. */
  copy(session: RebuildSession): Promise<void>;
}

/**
 * Opens a session on the node, looks whether all that is needed is there, makes the node refuse writes, saves what only it has, and
 * copies; `'skipped'` when somebody rebuilds it already.
 *
 * Rejects with `ERR_CHANGE_REFUSED` when the server is of another flavor or privileges are missing, and as `work` does. Until all
 * checks have passed nothing is changed, and until all is saved nothing is thrown away.
 */
export async function holdNode(
  request: RebuildRequest,
  means: RebuildMeans,
  work: RebuildWork,
): Promise<'rebuilt' | 'skipped'> {
  const { node, signal, log } = request;
  const session = await means.open(node, signal);
  try {
    if (session.version.flavor !== work.flavor) {
      throw new StormlampError(
        ErrorCode.CHANGE_REFUSED,
        `${node} is ${session.version.text}, and this rebuilds ${work.flavor === 'mysql' ? 'MySQL' : 'MariaDB'} only`,
        { node },
      );
    }
    const [row] = await session.ask(`SELECT GET_LOCK('${LOCK}', 0) AS held`);
    if (Number(row?.['held']) !== 1) {
      log(`${node} is being rebuilt by another process`);
      return 'skipped';
    }
    await check(request, means, work, session);
    // It may be the primary by now: then nobody wants it closed.
    signal.throwIfAborted();
    await session.ask(threadStatements(session.version).refuseWrites);
    await saveOwn(request, means, session);
    log(`${node}: all that can be looked at before is as it should be; its data is thrown away now`);
    const resting = await restEvents(session, log);
    try {
      await work.copy(session);
    } finally {
      await wake(request, means, resting);
    }
    return 'rebuilt';
  } finally {
    session.close();
  }
}

/** In a session of its own: the server may have been started again. */
async function wake(
  { node, log }: RebuildRequest,
  means: RebuildMeans,
  resting: RestingEvents,
): Promise<void> {
  try {
    // Also when the rebuild was called off: else the next one takes what is off now for what the node is configured with.
    const session = await means.open(node, AbortSignal.timeout(WAKE_MS));
    try {
      await leaveEvents(session, resting, log);
    } finally {
      session.close();
    }
  } catch (error) {
    log(
      `${node}: its scheduled events were not looked at, and its event scheduler may be off: ${describeError(error)}`,
    );
  }
}

async function check(
  request: RebuildRequest,
  means: RebuildMeans,
  work: RebuildWork,
  session: RebuildSession,
): Promise<void> {
  const { node, from, signal } = request;
  const source = await means.open(from, signal);
  try {
    await assertRights(node, session);
    await assertRights(from, source);
    await assertCanSave(request, means, session, source);
    await work.check(session, source);
  } finally {
    source.close();
  }
}
