/**
 * Orders of an operator while there is no primary to write them on: he holds a lock on the nodes that answer until there is one. A
 * node that refuses writes has locks, and nothing is left of one when its session ends.
 */
import { pause } from '../../common/backoff.js';
import type { NodeId } from '../../common/node-address.js';
import { classifyServerError, type ServerErrorKind } from '../../mysql/server-error.js';
import { LockSession } from '../locks/lock-session.js';
import { type OrderPurpose, orderPrefix } from '../protocol/lock-name.js';
import { lockTargetOf, type Voter } from '../voters.js';

/** What an order is given with. */
export interface StandingOrder {
  readonly purpose: OrderPurpose;
  /** The change, the pause, or the cluster that it is about. */
  readonly about: string;
  /** Who is told: data nodes, whether they answer or not. */
  readonly voters: readonly Voter[];
  /** The node that takes writes, once there is one. */
  readonly primary: () => Voter | undefined;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** So long an order stands at most, milliseconds: a failover is tried again every quarter of a minute, and has hooks to wait for. */
const LONGEST_MS = 120_000;
const RENEW_MS = 500;
const SESSION = { waitTimeoutS: 10, timeoutMs: 2_000 };

/** Whether somebody gives that order now about what is in `column`, as SQL. */
export function isOrderedSql(purpose: OrderPurpose, column: string): string {
  return `(IS_USED_LOCK(CONCAT('${orderPrefix(purpose)}', ${column})) IS NOT NULL)`;
}

/** What may be over when another primary is there, or in a moment. */
const PASSING: ReadonlySet<ServerErrorKind> = new Set<ServerErrorKind>([
  'connection-lost',
  'shutdown',
  'read-only',
  'lock-timeout',
  'deadlock',
  'overload',
  'killed',
]);

/** Whether an order that could not be written for that reason goes on standing. */
export function mayPass(error: unknown): boolean {
  return PASSING.has(classifyServerError(error).kind);
}

/**
 * Gives the order until it is written on a primary, and resolves with what `write` does; undefined when none came in time, or the wait
 * was ended. Rejects as `write` does: at once for what does not pass by itself, else with the last error when the time is over.
 */
export async function standUntilPrimary<T>(
  { purpose, about, voters, primary, signal }: StandingOrder,
  write: (primary: Voter) => Promise<T>,
): Promise<T | undefined> {
  const lock = `${orderPrefix(purpose)}${about}`;
  const sessions = new Map<NodeId, LockSession>();
  const hold = async (voter: Voter): Promise<void> => {
    const held = sessions.get(voter.id);
    if (held !== undefined && (await held.renew())) return;
    sessions.delete(voter.id);
    const session = await LockSession.open(lockTargetOf(voter), SESSION);
    // Two who say the same are one.
    if (await session.take(lock).catch(() => false)) sessions.set(voter.id, session);
    else session.destroy();
  };
  const end = performance.now() + LONGEST_MS;
  let failed: { readonly error: unknown } | undefined;
  try {
    while (!signal.aborted && performance.now() < end) {
      // First: one that is taken for the primary while it is not may take its time to say so.
      await Promise.allSettled(voters.map(hold));
      const writer = primary();
      failed = undefined;
      if (writer !== undefined) {
        try {
          return await write(writer);
        } catch (error) {
          if (!mayPass(error)) throw error;
          failed = { error };
        }
      }
      await pause(RENEW_MS, signal);
    }
    if (failed !== undefined && !signal.aborted) throw failed.error;
    return undefined;
  } finally {
    await Promise.all([...sessions.values()].map((session) => session.release()));
  }
}
