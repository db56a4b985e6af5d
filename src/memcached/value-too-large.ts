/** The error for a value that is larger than a memcached server takes. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** `ERR_SESSION_TOO_LARGE`, with the longest value in bytes that the node takes. */
export function valueTooLarge(node: NodeId, bytes: number, limit: number): StormlampError {
  return new StormlampError(
    ErrorCode.SESSION_TOO_LARGE,
    `A value of ${bytes} bytes does not fit into memcached ${node}, which takes ${limit}. Nothing was sent; store less, or start memcached with a larger -I`,
    { node },
  );
}
