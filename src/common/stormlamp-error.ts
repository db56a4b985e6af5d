/**
 * The one error family of the package: every failure that stormlamp itself reports is a {@link StormlampError}
 * with a stable `code`, so callers branch on codes and never on message text.
 */

/** Every code that a {@link StormlampError} can carry, with what it means. */
export const ErrorCode = {
  /** An option has an impossible value, is missing, or is not known. Nothing was started. */
  INVALID_OPTION: 'ERR_INVALID_OPTION',
  /** Something that should not be possible: told by the command line for every failure that has no code of its own. */
  INTERNAL: 'ERR_INTERNAL',
  /** The object was already closed. */
  CLOSED: 'ERR_CLOSED',
  /** The caller's `AbortSignal` fired. */
  ABORTED: 'ERR_ABORTED',
  /** The call's own deadline passed. */
  TIMEOUT: 'ERR_TIMEOUT',
  /** No connection to the node can be made. */
  NODE_UNREACHABLE: 'ERR_NODE_UNREACHABLE',
  /** The node refused the credentials, or the account, or the database. */
  ACCESS_DENIED: 'ERR_ACCESS_DENIED',
  /** The monitor's account may not see what it must see; the message names the GRANT. */
  MISSING_PRIVILEGE: 'ERR_MISSING_PRIVILEGE',
  /** The peer does not speak the protocol that was expected on that port. */
  PROTOCOL: 'ERR_PROTOCOL',
  /** A local port is taken by another process. */
  PORT_IN_USE: 'ERR_PORT_IN_USE',
  /** No writable primary is known at the moment. The statement was not sent. */
  NO_PRIMARY: 'ERR_NO_PRIMARY',
  /** No node satisfies the read preference. The statement was not sent. */
  NO_REPLICA: 'ERR_NO_REPLICA',
  /** Two nodes claim to be the primary; writes are refused until one is proven stale. */
  SPLIT_BRAIN: 'ERR_SPLIT_BRAIN',
  /** The server refused a write because it is read-only. The write was not executed. */
  WRITE_REFUSED: 'ERR_WRITE_REFUSED',
  /**
   * The connection was lost while a write or COMMIT was under way, or a session's lock while it was saved: it may or may not have
   * happened. Or it has, on fewer copies than `acks` asks for.
   */
  OUTCOME_UNKNOWN: 'ERR_OUTCOME_UNKNOWN',
  /** The transaction that this connection was in is gone; roll back before going on. */
  TRANSACTION_LOST: 'ERR_TRANSACTION_LOST',
  /** The connection that this session was tied to (by a temporary table, a lock, …) is gone, and that state with it. */
  CONNECTION_LOST: 'ERR_CONNECTION_LOST',
  /** All connections of the node's pool were in use until the deadline. */
  POOL_TIMEOUT: 'ERR_POOL_TIMEOUT',
  /** Too many callers are already waiting for a connection of the node's pool. */
  POOL_QUEUE_FULL: 'ERR_POOL_QUEUE_FULL',
  /** The node's circuit breaker is open. Nothing was sent. */
  BREAKER_OPEN: 'ERR_BREAKER_OPEN',
  /** This client no longer holds the write lease. Nothing was sent. */
  LEASE_LOST: 'ERR_LEASE_LOST',
  /** Too few voters could be reached or locked: somebody else may be at work, or they are down. Nothing was changed. */
  NO_MAJORITY: 'ERR_NO_MAJORITY',
  /** A change of the primary was refused before anything was done that cannot be undone. */
  CHANGE_REFUSED: 'ERR_CHANGE_REFUSED',
  /** The operation is not supported, and the message says what to use instead. */
  UNSUPPORTED: 'ERR_UNSUPPORTED',
  /** The key is too long for memcached, or holds characters that it does not take. Nothing was sent. */
  INVALID_KEY: 'ERR_INVALID_KEY',
  /** memcached answered a request with an error status. */
  MEMCACHED: 'ERR_MEMCACHED',
  /** None of the nodes or mounts that may hold it can be asked, or fewer can take a change than `acks` asks for: then nothing was changed. */
  STORE_DOWN: 'ERR_STORE_DOWN',
  /** The session id is not one that PHP could have made. */
  SESSION_ID: 'ERR_SESSION_ID',
  /** The session's lock could not be had in time. Nothing was written, nothing in memory was lost. */
  SESSION_LOCKED: 'ERR_SESSION_LOCKED',
  /** The session existed when it was loaded and is gone now; it was not recreated. */
  SESSION_GONE: 'ERR_SESSION_GONE',
  /** Somebody else changed the same variable of the session meanwhile. */
  SESSION_CONFLICT: 'ERR_SESSION_CONFLICT',
  /** The encoded session is larger than the node accepts. Nothing was written. */
  SESSION_TOO_LARGE: 'ERR_SESSION_TOO_LARGE',
  /** The bytes are not what PHP's serializer writes. */
  PHP_SYNTAX: 'ERR_PHP_SYNTAX',
  /** The bytes are deeper, larger or more numerous than the limits allow. */
  PHP_LIMIT: 'ERR_PHP_LIMIT',
  /** The JavaScript value has no PHP counterpart. */
  PHP_VALUE: 'ERR_PHP_VALUE',
  /** A mount cannot be used: it is missing, not the one that was marked, hung, or its storage fails. */
  MOUNT_DOWN: 'ERR_MOUNT_DOWN',
  /** The name is not one that a shared folder may hold: it could leave the folder. Nothing was touched. */
  FILE_NAME: 'ERR_FILE_NAME',
  /** None of the mounts holds a file of this name. */
  FILE_MISSING: 'ERR_FILE_MISSING',
  /** The file was replaced while it was read, so that what was delivered and what is left do not belong together. */
  FILE_CHANGED: 'ERR_FILE_CHANGED',
  /** The name is a file on one mount and a folder on another. Nothing was changed. */
  FILE_CLASH: 'ERR_FILE_CLASH',
  /** Another process kept the file's lock. Nothing was changed. */
  FILE_LOCKED: 'ERR_FILE_LOCKED',
  /** The bytes do not have the expected checksum. */
  CHECKSUM: 'ERR_CHECKSUM',
  /** A server program that is needed was not found. */
  SERVER_MISSING: 'ERR_SERVER_MISSING',
  /** A server program did not start, or ended by itself. */
  SERVER_START: 'ERR_SERVER_START',
} as const;

/** One of the `ERR_…` strings of {@link ErrorCode}. */
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** What a {@link StormlampError} is made of besides its code and message. */
export interface StormlampErrorDetails {
  /** The error of the driver, the server or the system that led to this one. */
  readonly cause?: unknown;
  /** The id of the node that the error is about. */
  readonly node?: string | undefined;
}

const BRAND: unique symbol = Symbol.for('stormlamp.error') as never;

/**
 * Base class of all errors of the package.
 *
 * `instanceof StormlampError` also holds for an error of another copy of the package in the same process.
 */
export class StormlampError extends Error {
  /** What happened; stable over releases. */
  readonly code: ErrorCode;
  /** The node that the error is about, when there is one. */
  readonly node: string | undefined;

  /** Makes an error. The message names the thing, the cause and the remedy, and never holds a secret. */
  constructor(code: ErrorCode, message: string, details: StormlampErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'StormlampError';
    this.code = code;
    this.node = details.node;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Recognises the errors of every copy of the package by their brand. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isStormlampError(value);
  }
}

/** Tells whether `error` is a {@link StormlampError}, and, when `code` is given, whether it carries that code. */
export function isStormlampError(error: unknown, code?: ErrorCode): error is StormlampError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as unknown as StormlampError).code === code;
}

/** A host with more addresses than this is described by the first of them. */
const ADDRESSES_TOLD = 4;

/** The text of anything that was thrown, for use inside a message. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  // Node's AggregateError of a connection to several addresses has an empty message; what happened is said for each of them.
  if (error instanceof AggregateError && error.errors.length > 0) {
    const told = error.errors.slice(0, ADDRESSES_TOLD).map(describeError);
    const more = error.errors.length - told.length;
    return more > 0 ? `${told.join(', ')} and ${more} more` : told.join(', ');
  }
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : error.name;
}
