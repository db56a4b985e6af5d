/** What the status of an answer means when it is not the one that was hoped for. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Statuses of memcached's binary protocol that change what a caller does. */
export const Status = {
  OK: 0x00,
  NOT_FOUND: 0x01,
  EXISTS: 0x02,
  TOO_LARGE: 0x03,
  AUTH_ERROR: 0x20,
} as const;

const MEANINGS: Readonly<Record<number, string>> = {
  4: 'invalid arguments',
  5: 'not stored',
  6: 'the value is not a number',
  7: 'the key belongs to another server',
  129: 'unknown command',
  130: 'out of memory: no item could be evicted; give it more memory (-m)',
  131: 'not supported',
  132: 'internal error',
  133: 'busy',
  134: 'temporary failure',
};

/** The error for an answer with `status` to the command `what`. */
export function statusError(node: NodeId, what: string, status: number): StormlampError {
  if (status === Status.TOO_LARGE) {
    return new StormlampError(
      ErrorCode.SESSION_TOO_LARGE,
      `memcached ${node} refused a ${what}: the item is larger than it takes (-I), and it dropped the old item`,
      { node },
    );
  }
  if (status === Status.AUTH_ERROR) {
    return new StormlampError(
      ErrorCode.ACCESS_DENIED,
      `memcached ${node} refused the credentials (SASL); check user name and password`,
      { node },
    );
  }
  const meaning = MEANINGS[status] ?? 'an unknown status';
  return new StormlampError(
    ErrorCode.MEMCACHED,
    `memcached ${node} refused a ${what} with status ${status} (${meaning})`,
    { node },
  );
}
