/** Keeps others from rebuilding the same node at the same time, and closes it for writers while it is rebuilt. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import type { RebuildMeans, RebuildSession } from './rebuild-options.js';

const LOCK = 'stormlamp:rebuild';

/**
 * Opens a session on the node, makes it refuse writes, and calls `work`; `'skipped'` when somebody rebuilds it already.
 *
 * Rejects with `ERR_CHANGE_REFUSED` when the server is not of `flavor`, and as `work` does.
 */
export async function holdNode(
  request: RebuildRequest,
  means: RebuildMeans,
  flavor: 'mysql' | 'mariadb',
  work: (session: RebuildSession) => Promise<void>,
): Promise<'rebuilt' | 'skipped'> {
  const { node, signal, log } = request;
  const session = await means.open(node, signal);
  try {
    if (session.version.flavor !== flavor) {
      throw new StormlampError(
        ErrorCode.CHANGE_REFUSED,
        `${node} is ${session.version.text}, and this rebuilds ${flavor === 'mysql' ? 'MySQL' : 'MariaDB'} only`,
        { node },
      );
    }
    const [row] = await session.ask(`SELECT GET_LOCK('${LOCK}', 0) AS held`);
    if (Number(row?.['held']) !== 1) {
      log(`${node} is being rebuilt by another process`);
      return 'skipped';
    }
    // It may be the primary by now: then nobody wants it closed.
    signal.throwIfAborted();
    await session.ask('SET GLOBAL read_only=1');
    await work(session);
    return 'rebuilt';
  } finally {
    session.close();
  }
}
