/** What an operation on several copies reached, and whether that is enough. */
import type { NodeId } from '../../common/node-address.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';

/** A copy that an operation could not reach. */
export interface MissedCopy {
  /** The node without the change. */
  readonly node: NodeId;
  /** Why it was not reached. */
  readonly error: Error;
}

/** How many copies took an operation, and which did not. */
export interface CopyReport {
  /** Nodes that took it. */
  readonly reached: readonly NodeId[];
  /** Nodes that did not. */
  readonly missed: readonly MissedCopy[];
}

/** How many copies must have taken a change before it is acknowledged. */
export type Acks = 'one' | 'majority' | 'all';

/** Whether a change that reached `reached` of `copies` copies is acknowledged. */
export function isAcknowledged(acks: Acks, reached: number, copies: number): boolean {
  return reached >= { one: 1, majority: Math.floor(copies / 2) + 1, all: copies }[acks];
}

/**
 * Tells whoever asked for a change whether that is enough.
 *
 * @throws StormlampError `ERR_STORE_DOWN` when no copy took it; `ERR_OUTCOME_UNKNOWN` when some did, and fewer than `acks` asks for: it is
 * there, counts, and is not refused.
 */
export function assertAcknowledged({ reached, missed }: CopyReport, acks: Acks, copies: number): void {
  if (isAcknowledged(acks, reached.length, copies)) return;
  if (reached.length === 0) throw storeDown(missed, 'No copy took the change');
  throw new StormlampError(
    ErrorCode.OUTCOME_UNKNOWN,
    `The change is on ${reached.join(', ')} alone, on fewer copies than \`acks\` asks for (${listOf(missed)}). It counts, and is lost only with the memory of those nodes. Read the item before you make it again`,
    { cause: missed[0]?.error, node: missed[0]?.node },
  );
}

/** `ERR_STORE_DOWN` with every node that failed and its trouble in the message. */
export function storeDown(
  failures: readonly { readonly node: NodeId; readonly error: unknown }[],
  what = 'No memcached node that holds this session can be reached',
): StormlampError {
  return new StormlampError(
    ErrorCode.STORE_DOWN,
    `${what} (${listOf(failures)}). Check that memcached runs there and that \`sessions.nodes\` is right`,
    { cause: failures[0]?.error, node: failures[0]?.node },
  );
}

/** `ERR_STORE_DOWN` for an item of which nobody knows whether there is one: those holders that `answered` are not filled, or missed writes. */
export function storeUnsure(
  failures: readonly { readonly node: NodeId; readonly error: unknown }[],
  answered: readonly NodeId[],
): StormlampError {
  if (answered.length === 0) return storeDown(failures);
  return storeDown(
    failures,
    `${answered.join(', ')} does not hold this session, but came back empty or missed writes, and who may hold it cannot be reached`,
  );
}

/** `ERR_OUTCOME_UNKNOWN` for a change of which nobody knows whether it was made. */
export function changeUnsure(): StormlampError {
  return new StormlampError(
    ErrorCode.OUTCOME_UNKNOWN,
    'A node fell silent in the middle of the change, or somebody else changed the item meanwhile: nobody knows whether it was made. Read the item before you make it again',
  );
}

/** `ERR_OUTCOME_UNKNOWN` for a change that some nodes took, and of which no note says that others missed it. */
export function changeUnnoted(failures: readonly MissedCopy[]): StormlampError {
  return new StormlampError(
    ErrorCode.OUTCOME_UNKNOWN,
    `Some copies missed the change, and that could be noted nowhere (${listOf(failures)}): it may be lost to the old content when those nodes are back. Read the item before you make it again`,
    { cause: failures[0]?.error, node: failures[0]?.node },
  );
}

/** Whether an error means that its node could not be asked, so that the next one is. */
export function meansUnreachable(error: unknown): error is StormlampError {
  return isStormlampError(error) && UNREACHABLE.has(error.code);
}

/** Whether an error of a change means that this copy missed it, and not that the change itself is wrong. */
export function meansMissed(error: unknown): error is StormlampError {
  return meansUnreachable(error) || isStormlampError(error, ErrorCode.MEMCACHED);
}

const UNREACHABLE: ReadonlySet<string> = new Set([
  ErrorCode.NODE_UNREACHABLE,
  ErrorCode.TIMEOUT,
  ErrorCode.BREAKER_OPEN,
  ErrorCode.PROTOCOL,
  ErrorCode.ACCESS_DENIED,
]);

function listOf(failures: readonly { readonly node: NodeId; readonly error: unknown }[]): string {
  return failures.map(({ node, error }) => `${node}: ${describeError(error)}`).join('; ');
}
