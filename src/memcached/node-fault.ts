/** Which errors of a memcached call speak against the node. */
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';

const FAULTS: ReadonlySet<string> = new Set([
  ErrorCode.NODE_UNREACHABLE,
  ErrorCode.TIMEOUT,
  ErrorCode.PROTOCOL,
  ErrorCode.ACCESS_DENIED,
]);

/**
 * Whether `error` speaks against the node, for its breaker. An error status, a value that is too large, a bad key, an abort and
 * a closed client do not; what is not an error of this package does, for nobody can vouch for it.
 */
export function isNodeFault(error: unknown): boolean {
  return !isStormlampError(error) || FAULTS.has(error.code);
}
