/** What a node's pool tells when something is wrong: its errors, and the warning about a leak. */
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { PoolSlot } from './pool-slot.js';

/** How full a pool is. */
export interface PoolStats {
  /** Open connections. */
  readonly total: number;
  /** Connections that nobody uses. */
  readonly idle: number;
  /** Connections with borrowers, or just given back and being reset. */
  readonly borrowed: number;
  /** Callers who wait for a connection. */
  readonly waiting: number;
  /** Connections that may be open at the same time (`pool.max`). */
  readonly max: number;
}

/** How the making of connections goes. */
export interface MakingState {
  /** What the last attempt failed with; undefined when it did not. */
  readonly lastError: Error | undefined;
  /** What in this process an attempt waits for; undefined when it waits for the server. */
  readonly waitingFor: string | undefined;
}

/** The error of a caller who waited too long. */
export function poolTimeout(
  node: NodeId,
  waitedMs: number,
  stats: PoolStats,
  making: MakingState,
): StormlampError {
  const { borrowed, waiting, max } = stats;
  const state = `${borrowed} of at most ${max} connections are in use, ${waiting} callers wait`;
  return new StormlampError(
    ErrorCode.POOL_TIMEOUT,
    `No connection to node ${node} became free within ${Math.round(waitedMs)} ms (${state}); ${remedyOf(stats, making)}`,
    { node, cause: making.lastError },
  );
}

function remedyOf({ borrowed, max }: PoolStats, { lastError, waitingFor }: MakingState): string {
  if (lastError !== undefined) return `the last attempt to make one failed: ${describeError(lastError)}`;
  if (borrowed >= max)
    return 'raise `pool.max`, shorten transactions, or set `pool.leakAfterMs` to find connections that are not released';
  if (waitingFor !== undefined) return `a new one waits for ${waitingFor}, which has not come to an end`;
  return 'the server is slow to accept a new one, or something in between loses packets';
}

/** The error of a caller for whom there is no place in the queue. */
export function poolQueueFull(
  node: NodeId,
  max: number,
  maxQueue: number,
  soon: { readonly made: number; readonly reset: number },
): StormlampError {
  const { made, reset } = soon;
  const taken =
    made + reset === 0
      ? ''
      : ` (${made} are being made and ${reset} being reset, for callers who were here before)`;
  return new StormlampError(
    ErrorCode.POOL_QUEUE_FULL,
    `All ${max} connections to node ${node} are in use${taken} and ${maxQueue} callers already wait; send less, or raise \`pool.max\` or \`pool.maxQueue\``,
    { node },
  );
}

/** The error of a caller who comes to a pool that is closed or closing. */
export function poolClosed(node: NodeId): StormlampError {
  return new StormlampError(ErrorCode.CLOSED, `The connections to node ${node} are closed`, { node });
}

/** Warns, once per loan, about a connection that was lent longer than `leakAfterMs`, with the place that borrowed it. */
export function reportLeak(slot: PoolSlot, now: number, leakAfterMs: number): void {
  const { connection, lentAt, state, isReported } = slot;
  if (state !== 'lent' || isReported || now - lentAt <= leakAfterMs) return;
  slot.isReported = true;
  process.emitWarning(
    `Connection ${connection.threadId} of node ${connection.node} was borrowed ${Math.round(now - lentAt)} ms ago and not released`,
    {
      type: 'StormlampLeakWarning',
      detail: `Borrowed at:\n${connection.borrower ?? '    an unknown place'}`,
    },
  );
}

/** Why nobody waits for a connection to `node` any longer. */
export function unavailable(node: NodeId, why: string, cause?: Error): StormlampError {
  const message = `No connection to node ${node} is waited for any longer: ${why}`;
  return new StormlampError(ErrorCode.NODE_UNREACHABLE, message, { cause, node });
}
