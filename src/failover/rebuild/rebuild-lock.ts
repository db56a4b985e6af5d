/**
 * Keeps the data of a node from being made anew twice, and two nodes from being made anew from one source, whoever does it, and others
 * from putting right what is made anew: locks on the source, which goes on working.
 */
import { createHash } from 'node:crypto';
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { lockName } from '../protocol/lock-name.js';
import type { Voter } from '../voters.js';

const ANSWER_MS = 3_000;
/** Seconds after which the server frees the lock of a machine that is gone. */
const WAIT_TIMEOUT_S = 60;
const KEEP_MS = 15_000;

/** Which node is made anew, and from which. */
export interface RebuildPlace {
  /** Where the data comes from. */
  readonly source: Voter;
  readonly cluster: string;
  /** Whose data is made anew. */
  readonly node: NodeId;
  /** The other nodes that somebody might make anew from the same source. */
  readonly others: readonly NodeId[];
}

/** What the work has brought; or, when it was not begun, what somebody else is at. */
export type HeldRebuild<T> = { readonly result: T } | { readonly busy: string };

/** Does `work` while nobody else does the like for the node, or from its source. Rejects as `work` does, and when the source cannot be reached. */
export async function holdRebuild<T>(place: RebuildPlace, work: () => Promise<T>): Promise<HeldRebuild<T>> {
  const { source, cluster, node } = place;
  const connection = await source.act.connect(Deadline.of({ timeoutMs: ANSWER_MS }));
  const ask = (sql: string): ReturnType<typeof connection.ask> =>
    connection.ask(sql, Deadline.of({ timeoutMs: ANSWER_MS }));
  const take = async (name: string): Promise<boolean> => {
    const [row] = await ask(`SELECT GET_LOCK('${name}', 0) AS held`);
    return Number(row?.['held']) === 1;
  };
  let timer: NodeJS.Timeout | undefined;
  try {
    await ask(`SET SESSION wait_timeout=${WAIT_TIMEOUT_S}`);
    // First: who is refused here must not look, for that moment, like one that makes the node anew.
    if (!(await take(lockName(cluster, 'rebuild-from')))) return { busy: await whatIsMade(place, ask) };
    if (!(await take(nameOf(cluster, node)))) return { busy: ITSELF };
    // When the source dies, so does what is copied from it.
    timer = setInterval(() => void ask('DO 1').catch(() => undefined), KEEP_MS);
    timer.unref();
    return { result: await work() };
  } finally {
    clearInterval(timer);
    connection.destroy();
  }
}

const ITSELF = 'its data is being made anew already';

async function whatIsMade(
  { source, cluster, node, others }: RebuildPlace,
  ask: (sql: string) => Promise<readonly StatusRow[]>,
): Promise<string> {
  const nodes = [node, ...others.filter((other) => other !== source.id && other !== node)];
  const used = nodes.map(
    (each, index) => `IS_USED_LOCK('${nameOf(cluster, each)}') IS NOT NULL AS n${index}`,
  );
  const [row] = await ask(`SELECT ${used.join(', ')}`);
  const made = nodes.find((_, index) => Number(row?.[`n${index}`]) === 1);
  if (made === node) return ITSELF;
  return `${made ?? 'another node'} is being made anew from ${source.id}`;
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
