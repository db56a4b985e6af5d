/** What the error of a probe says about the server: dead, silent, alive but closed to us, or something else. */
import { isStormlampError } from '../common/stormlamp-error.js';
import type { ProbeFailure } from '../topology/node-description.js';

/** Server error numbers by what they say. Those of access and limits mean the same on both flavors; 4031 does not: see below. */
const BY_ERRNO: ReadonlyMap<number, ProbeFailure> = new Map([
  ...[1044, 1045, 1049, 1129, 1130, 1142, 1227, 1698, 1820, 1862, 3118, 3955, 4151].map(
    (errno) => [errno, 'access-denied'] as const,
  ),
  ...[1040, 1203, 1226].map((errno) => [errno, 'too-many'] as const),
  ...[1053, 1077, 1079, 1080, 3032].map((errno) => [errno, 'server-shutdown'] as const),
  ...[1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 3169].map((errno) => [errno, 'reset'] as const),
]);

/** Codes of the operating system, of the driver and of this package. */
const BY_CODE: ReadonlyMap<string, ProbeFailure> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ENOENT', 'refused'],
  ['ECONNRESET', 'reset'],
  ['EPIPE', 'reset'],
  ['ECONNABORTED', 'reset'],
  ['PROTOCOL_CONNECTION_LOST', 'reset'],
  ['ETIMEDOUT', 'timeout-connect'],
  ['EHOSTUNREACH', 'timeout-connect'],
  ['ENETUNREACH', 'timeout-connect'],
  ['EHOSTDOWN', 'timeout-connect'],
  ['PROTOCOL_SEQUENCE_TIMEOUT', 'timeout-query'],
  ['ERR_TIMEOUT', 'timeout-query'],
  ['ERR_ABORTED', 'timeout-query'],
  ['ERR_ACCESS_DENIED', 'access-denied'],
  ['ERR_MISSING_PRIVILEGE', 'access-denied'],
  ['ERR_PROTOCOL', 'protocol'],
  ['ERR_PACKET_OUT_OF_ORDER', 'protocol'],
  ['PROTOCOL_PACKETS_OUT_OF_ORDER', 'protocol'],
  ['PROTOCOL_UNEXPECTED_PACKET', 'protocol'],
  ['HANDSHAKE_NO_SSL_SUPPORT', 'protocol'],
  ['HANDSHAKE_SSL_ERROR', 'protocol'],
  ['HANDSHAKE_UNKNOWN_ERROR', 'protocol'],
]);

/** Classifies the error of a probe, by its number first: a code of the driver can name a different server's error. */
export function probeFailureOf(error: unknown): ProbeFailure {
  if (typeof error !== 'object' || error === null) return 'other';
  const { code, errno, cause } = error as { code?: unknown; errno?: unknown; cause?: unknown };
  // mysql2 hands an idle disconnect of MySQL over with the number in `code`.
  if (code === 4031) return 'reset';
  // The package's own errors wrap what the driver said.
  if (isStormlampError(error)) {
    const inner = cause === undefined ? 'other' : probeFailureOf(cause);
    return inner === 'other' ? (BY_CODE.get(error.code) ?? 'other') : inner;
  }
  // Errors of the operating system have negative numbers.
  if (typeof errno === 'number' && errno > 0) {
    const known = BY_ERRNO.get(errno);
    if (known !== undefined) return known;
  }
  if (typeof code === 'string') {
    const known = BY_CODE.get(code);
    if (known !== undefined) return known;
  }
  // Node reports a connection to several addresses as one error with an error per address.
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : undefined;
  if (first !== undefined) return probeFailureOf(first);
  return /closed state|connection is (closed|closing)/i.test(String((error as { message?: unknown }).message))
    ? 'reset'
    : 'other';
}
