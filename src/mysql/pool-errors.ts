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

/** The error of a caller who waited too long. */
export function poolTimeout(
  node: NodeId,
  waitedMs: number,
  max: number,
  stats: PoolStats,
  connectError: Error | undefined,
): StormlampError {
  const { borrowed, waiting } = stats;
  const state = `${borrowed} of at most ${max} connections are in use, ${waiting} callers wait`;
  const remedy =
    connectError === undefined
      ? borrowed < max
        ? 'the server is slow to accept a new one, or something in between loses packets'
        : 'raise `pool.max`, shorten transactions, or set `pool.leakAfterMs` to find connections that are not released'
      : `the last attempt to make one failed: ${describeError(connectError)}`;
  return new StormlampError(
    ErrorCode.POOL_TIMEOUT,
    `No connection to node ${node} became free within ${Math.round(waitedMs)} ms (${state}); ${remedy}`,
    { node, cause: connectError },
  );
}

/** The error of a caller for whom there is no place in the queue. */
export function poolQueueFull(node: NodeId, max: number, maxQueue: number): StormlampError {
  return new StormlampError(
    ErrorCode.POOL_QUEUE_FULL,
    `All ${max} connections to node ${node} are in use and ${maxQueue} callers already wait; send less, or raise \`pool.max\` or \`pool.maxQueue\``,
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
