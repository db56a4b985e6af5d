/** What a MySQL server tells of the clone that it was made by, also after it was started again. */
import { pause } from '../../common/backoff.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { RebuildRequest } from '../failover-hooks.js';
import type { RebuildMeans, RebuildSession } from './rebuild-options.js';

const RETRY_MS = 500;
/** A server that answers, and does not begin with a clone for so long, has never got the statement. */
const BEGIN_MS = 30_000;

/** A clone as the server tells of it. */
interface CloneStatus {
  readonly state: string;
  readonly begun: string;
  readonly message: string;
}

/** Which clone a server was made by last, as it names it; '' when by none. */
export async function lastClone(session: RebuildSession): Promise<string> {
  return (await statusOf(session))?.begun ?? '';
}

/**
 * Waits until the server of the node is there again, and has ended another clone than the `former` one.
 *
 * Rejects with `ERR_CHANGE_REFUSED` when that has failed, or has not begun.
 */
export async function awaitClone(
  { node, signal }: Pick<RebuildRequest, 'node' | 'signal'>,
  means: Pick<RebuildMeans, 'open'>,
  former: string,
  beginMs: number = BEGIN_MS,
): Promise<void> {
  let idleSince: number | undefined;
  for (;;) {
    const session = await means.open(node, signal).catch(() => undefined);
    if (session !== undefined) {
      try {
        const status = await statusOf(session);
        if (status === undefined || status.begun === former) {
          idleSince ??= performance.now();
          if (performance.now() - idleSince >= beginMs)
            throw notCloned(node, 'the session was lost before it began');
        } else if (status.state === 'Completed') {
          await session.ask('SET GLOBAL read_only=1');
          return;
        } else if (status.state === 'Failed') throw notCloned(node, status.message);
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

async function statusOf({ ask }: RebuildSession): Promise<CloneStatus | undefined> {
  const [row] = await ask(
    'SELECT STATE AS state, CAST(BEGIN_TIME AS CHAR) AS begun, ERROR_MESSAGE AS message FROM performance_schema.clone_status',
  );
  return row === undefined
    ? undefined
    : { state: String(row['state']), begun: String(row['begun']), message: String(row['message']) };
}

function notCloned(node: string, why: string): StormlampError {
  return new StormlampError(ErrorCode.CHANGE_REFUSED, `${node} could not be cloned: ${why}`, { node });
}
