/**
 * What an error of the driver or the server says about the node, the connection and the statement. The same number means
 * different things on MySQL and MariaDB, and the driver names MariaDB's numbers after MySQL's: only numbers are looked at.
 */
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import type { Flavor } from '../topology/node-description.js';
import { isLocalFileError } from './local-file.js';
import { wasTooLong } from './packet-limit.js';

/** The kinds of trouble that are handled differently. */
export type ServerErrorKind =
  /** A write was refused and not executed, because the server or the transaction is read-only; see `readOnlyRole`. */
  | 'read-only'
  /** Credentials, account, database or privileges: a matter of configuration, never of health. */
  | 'access'
  /** The server has no room for another connection or request. */
  | 'overload'
  /** The server is going down, or is up but not in service. */
  | 'shutdown'
  /** The whole transaction was rolled back and may be run again. */
  | 'deadlock'
  /** A lock was not had in time; only the statement was rolled back. */
  | 'lock-timeout'
  /** The statement was interrupted, by us, by somebody else, or by a time limit of the server. */
  | 'killed'
  /** The connection is gone, or could not be made. */
  | 'connection-lost'
  /** The peer sent something that is not the MySQL protocol, or TLS could not be set up. */
  | 'protocol'
  /** The server answered, and what it says is about the statement. */
  | 'statement';

/** What an error means. */
export interface ServerErrorMeaning {
  /** Whether only a living server can have sent it. */
  readonly answered: boolean;
  /** Whether the connection can be used again (after a reset if it was touched). */
  readonly connection: 'usable' | 'lost';
  /** How to handle it. */
  readonly kind: ServerErrorKind;
  /**
   * With `read-only`: true when the server itself is read-only, so that its role must be looked at again; false when only
   * the transaction is.
   */
  readonly readOnlyRole?: boolean;
  /** True when the server says that it did not begin to execute what it refuses. */
  readonly unexecuted?: boolean;
}

const lost: ServerErrorMeaning = { answered: false, connection: 'lost', kind: 'connection-lost' };
const statement: ServerErrorMeaning = { answered: true, connection: 'usable', kind: 'statement' };
const readOnly: ServerErrorMeaning = {
  answered: true,
  connection: 'usable',
  kind: 'read-only',
  readOnlyRole: true,
};
const readOnlyTransaction: ServerErrorMeaning = { ...readOnly, readOnlyRole: false };
const access: ServerErrorMeaning = { answered: true, connection: 'usable', kind: 'access' };
const refusedLogin: ServerErrorMeaning = { answered: true, connection: 'lost', kind: 'access' };
const overload: ServerErrorMeaning = { answered: true, connection: 'usable', kind: 'overload' };
const full: ServerErrorMeaning = { answered: true, connection: 'lost', kind: 'overload' };
const shutdown: ServerErrorMeaning = { answered: true, connection: 'lost', kind: 'shutdown' };
const outOfService: ServerErrorMeaning = { ...shutdown, unexecuted: true };
const deadlock: ServerErrorMeaning = { answered: true, connection: 'usable', kind: 'deadlock' };
const lockTimeout: ServerErrorMeaning = { answered: true, connection: 'usable', kind: 'lock-timeout' };
const killed: ServerErrorMeaning = { answered: true, connection: 'usable', kind: 'killed' };
const dropped: ServerErrorMeaning = { answered: true, connection: 'lost', kind: 'connection-lost' };
const protocol: ServerErrorMeaning = { answered: false, connection: 'lost', kind: 'protocol' };

/** Numbers that mean the same on both families. */
const COMMON: ReadonlyMap<number, ServerErrorMeaning> = new Map([
  [1040, full],
  // Not only logins are refused so, but also what chooses or names a database, or a file of the server.
  [1044, access],
  [1045, access],
  [1049, access],
  [1129, refusedLogin],
  [1130, refusedLogin],
  [1698, refusedLogin],
  [1142, access],
  [1143, access],
  [1227, access],
  [1370, access],
  [1820, access],
  [1203, overload],
  [1226, overload],
  [1205, lockTimeout],
  [1213, deadlock],
  [1614, deadlock],
  [1053, shutdown],
  [1077, shutdown],
  [1079, shutdown],
  [1080, shutdown],
  [1152, dropped],
  // The server drops the connection after a packet that is too large, but that speaks against the statement.
  [1153, { answered: true, connection: 'lost', kind: 'statement' }],
  [1158, dropped],
  [1159, dropped],
  [1160, dropped],
  [1161, dropped],
  [1184, dropped],
  [1317, killed],
  [1792, readOnlyTransaction],
  [1836, readOnly],
]);

const MYSQL: ReadonlyMap<number, ServerErrorMeaning> = new Map([
  [1862, refusedLogin],
  [3024, killed],
  [3032, shutdown],
  [3101, deadlock],
  [3118, refusedLogin],
  [3169, dropped],
  [3572, lockTimeout],
  [3955, refusedLogin],
  [4031, dropped],
]);

const MARIADB: ReadonlyMap<number, ServerErrorMeaning> = new Map([
  [1927, dropped],
  [1969, killed],
  [4150, refusedLogin],
  [4151, refusedLogin],
]);

/** Codes of the driver and of the system for a connection that is gone or was never made. */
const LOST_CODES: ReadonlySet<string> = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

const PROTOCOL_CODE = /^(HANDSHAKE_|AUTH_SWITCH_|PROTOCOL_(UNEXPECTED|INCORRECT|ERROR|PACKETS))/;
const CLOSED_STATE = /in closed state$/;

/**
 * What `error` means. Without a `flavor`, numbers that the two families use differently count as errors of the
 * statement, so that nothing is given up on a guess.
 */
export function classifyServerError(error: unknown, flavor?: Flavor): ServerErrorMeaning {
  if (typeof error !== 'object' || error === null) return statement;
  if (isLocalFileError(error) || wasTooLong(error)) return statement;
  if (isStormlampError(error)) return ofStormlampError(error.code, error.cause, flavor);
  const { code, errno, fatal } = error as { code?: unknown; errno?: unknown; fatal?: unknown };
  const message = error instanceof Error ? error.message : '';
  // System errors carry negative numbers, a DOMException a small `code`; an ERR packet to an idle connection carries its
  // number in `code`.
  const number = typeof errno === 'number' ? errno : typeof code === 'number' ? code : undefined;
  if (number !== undefined && number >= 1_000) {
    const meaning = byNumber(number, message, (error as { sqlState?: unknown }).sqlState, flavor);
    return fatal === true && meaning.connection === 'usable' ? { ...meaning, connection: 'lost' } : meaning;
  }
  if (typeof code === 'string') {
    if (LOST_CODES.has(code)) return lost;
    if (PROTOCOL_CODE.test(code)) return protocol;
  }
  if (CLOSED_STATE.test(message)) return lost;
  // What the driver calls fatal without naming it is a packet that it could not read.
  return fatal === true ? protocol : { ...statement, answered: false };
}

/** Whether `error` speaks against the node's health: it is gone, going, out of service, or not a MySQL server. */
export function isNodeFault(error: unknown): boolean {
  if (isStormlampError(error)) {
    if (error.code === ErrorCode.TIMEOUT) return true;
    if (error.code === ErrorCode.ABORTED || error.code === ErrorCode.BREAKER_OPEN) return false;
  }
  switch (classifyServerError(error).kind) {
    case 'connection-lost':
    case 'shutdown':
    case 'protocol':
      return true;
    default:
      return false;
  }
}

function byNumber(
  number: number,
  message: string,
  sqlState: unknown,
  flavor: Flavor | undefined,
): ServerErrorMeaning {
  // 1290 is what every `--option` answers that forbids a statement; the two spellings are those of read-only servers.
  if (number === 1290) return /--(super-)?read-only\b/.test(message) ? readOnly : statement;
  // Galera answers 1047 with 08S01 while the node is not synced; otherwise it is an unknown command.
  if (number === 1047) return sqlState === '08S01' && /WSREP/i.test(message) ? outOfService : statement;
  // A member of a Galera cluster that lost it during the commit: the others may have got it all the same.
  if (number === 1180) return /provider status|WSREP/i.test(message) ? dropped : statement;
  const common = COMMON.get(number);
  if (common !== undefined) return common;
  if (flavor !== undefined) return (flavor === 'mysql' ? MYSQL : MARIADB).get(number) ?? statement;
  // Numbers of one family that the other family never sends are safe without knowing the family.
  if (number === 1927 || number === 1969) return MARIADB.get(number) ?? statement;
  if (number === 3032 || number === 3169) return MYSQL.get(number) ?? statement;
  return statement;
}

function ofStormlampError(code: ErrorCode, cause: unknown, flavor: Flavor | undefined): ServerErrorMeaning {
  switch (code) {
    case ErrorCode.NODE_UNREACHABLE:
      return cause === undefined ? lost : { ...classifyServerError(cause, flavor), connection: 'lost' };
    case ErrorCode.ACCESS_DENIED:
      return refusedLogin;
    case ErrorCode.PROTOCOL:
      return protocol;
    case ErrorCode.MISSING_PRIVILEGE:
      return access;
    // Whatever ended the wait, the statement may still be running there.
    case ErrorCode.TIMEOUT:
    case ErrorCode.ABORTED:
      return lost;
    case ErrorCode.WRITE_REFUSED:
      return readOnly;
    default:
      return cause === undefined ? { ...statement, answered: false } : classifyServerError(cause, flavor);
  }
}
