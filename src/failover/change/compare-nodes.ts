/** Compares what locked servers have, while nothing moves any more. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { LockSession } from '../locks/lock-session.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import { type NodeSurvey, surveyNode } from '../survey/node-survey.js';
import { isWithin, NO_TRANSACTIONS, readTransactions, unionOf } from '../survey/transaction-set.js';

/** Looks at a server on the session that locks it; each statement may take `timeoutMs`. */
export function lookThrough(session: LockSession, timeoutMs: number): Promise<NodeSurvey> {
  return surveyNode(session.voter, session.connection.version, (sql) => session.ask(sql, timeoutMs));
}

/** Of those that are held, the nodes besides the candidate in which `plan` lets nothing move any more. */
export function frozenAmong(
  { steps, to }: FailoverPlan,
  sessions: ReadonlyMap<NodeId, LockSession>,
): readonly LockSession[] {
  const frozen = new Set(steps.filter(({ phase }) => phase === 'freeze').map(({ node }) => node));
  return [...sessions.values()].filter(({ voter }) => voter !== to && frozen.has(voter));
}

/**
 * That `candidate` has everything that each of `others` has received, but for what it `mayLack`; all of them as they were found.
 * Rejects with `ERR_CHANGE_REFUSED`: what was planned from was read before anything was locked.
 */
export async function assertComplete(
  candidate: LockSession,
  others: readonly LockSession[],
  timeoutMs: number,
  mayLack = '',
): Promise<readonly NodeSurvey[]> {
  const mine = await lookThrough(candidate, timeoutMs);
  const spared = readTransactions(mine.version.flavor, mayLack) ?? NO_TRANSACTIONS;
  const all = await Promise.all(
    others.map(async (other) => {
      const theirs = await lookThrough(other, timeoutMs);
      if (isWithin(theirs.reached, unionOf(mine.reached, spared))) return theirs;
      throw new StormlampError(
        ErrorCode.CHANGE_REFUSED,
        `${other.voter} has received transactions that ${candidate.voter} lacks; the change is planned anew`,
        { node: candidate.voter },
      );
    }),
  );
  return [mine, ...all];
}

/** That `other` has exactly what `candidate` has. Rejects with `ERR_CHANGE_REFUSED`. */
export async function assertSame(
  candidate: LockSession,
  other: LockSession,
  timeoutMs: number,
): Promise<void> {
  const [mine, theirs] = await Promise.all(
    [candidate, other].map((session) => lookThrough(session, timeoutMs)),
  );
  if (
    mine !== undefined &&
    theirs !== undefined &&
    isWithin(mine.reached, theirs.reached) &&
    isWithin(theirs.reached, mine.reached)
  )
    return;
  throw new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `${other.voter} stands at another place than ${candidate.voter}, and without GTIDs it cannot follow; its data has to be made anew`,
    { node: other.voter },
  );
}

/**
 * That a node that is held takes no writes. Rejects with `ERR_CHANGE_REFUSED`: whoever was taken for dead has ended his change
 * between our look and our lock.
 */
export async function assertClosed(session: LockSession | undefined, timeoutMs: number): Promise<void> {
  if (session === undefined) return;
  const [row] = await session.ask('SELECT @@GLOBAL.read_only AS read_only', timeoutMs);
  if (Number(row?.['read_only']) !== 0) return;
  throw new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `${session.voter} takes writes by now; the change is planned anew`,
    { node: session.voter },
  );
}
