/** Keeps two processes from making the data of one node anew, and others from putting it right meanwhile: a lock on the primary, which goes on working. */
import { createHash } from 'node:crypto';
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { lockName } from '../protocol/lock-name.js';
import type { Voter } from '../voters.js';

const ANSWER_MS = 3_000;
/** Seconds after which the server frees the lock of a machine that is gone. */
const WAIT_TIMEOUT_S = 60;
const KEEP_MS = 15_000;

/** Does `work` while nobody else does the like for `node`; undefined when somebody does. Rejects as `work` does, and when `primary` cannot be reached. */
export async function holdRebuild<T>(
  primary: Voter,
  cluster: string,
  node: NodeId,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const connection = await primary.act.connect(Deadline.of({ timeoutMs: ANSWER_MS }));
  const ask = (sql: string): ReturnType<typeof connection.ask> =>
    connection.ask(sql, Deadline.of({ timeoutMs: ANSWER_MS }));
  let timer: NodeJS.Timeout | undefined;
  try {
    await ask(`SET SESSION wait_timeout=${WAIT_TIMEOUT_S}`);
    const [row] = await ask(`SELECT GET_LOCK('${nameOf(cluster, node)}', 0) AS held`);
    if (Number(row?.['held']) !== 1) return undefined;
    // When the primary dies, so does what is copied from it.
    timer = setInterval(() => void ask('DO 1').catch(() => undefined), KEEP_MS);
    timer.unref();
    return await work();
  } finally {
    clearInterval(timer);
    connection.destroy();
  }
}

/** Whether somebody makes the data of `node` anew from `primary` now. */
export async function isBeingRebuilt(primary: Voter, cluster: string, node: NodeId): Promise<boolean> {
  const deadline = Deadline.of({ timeoutMs: ANSWER_MS });
  const connection = await primary.act.connect(deadline);
  try {
    const [row] = await connection.ask(
      `SELECT IS_USED_LOCK('${nameOf(cluster, node)}') IS NOT NULL AS held`,
      deadline,
    );
    return Number(row?.['held']) === 1;
  } finally {
    connection.destroy();
  }
}

/** A lock's name has at most 64 characters on MySQL; that of a node may have more. */
function nameOf(cluster: string, node: NodeId): string {
  return lockName(cluster, `rebuild:${createHash('sha256').update(node).digest('hex').slice(0, 12)}`);
}
