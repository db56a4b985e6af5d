/** The statement that brings a session, new or just reset, into the state that every borrower expects. */
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { Flavor } from '../topology/node-description.js';
import type { SessionValue } from './connection-settings.js';
import { classifyServerError } from './server-error.js';

/** What a session shall have. */
export interface SessionSetup {
  /** The collation of the connection, in lower case; `binary` is its own character set. */
  readonly collation: string;
  /** Session variables that the user wants. */
  readonly variables: Readonly<Record<string, SessionValue>>;
  /** Whether the driver's handshake switches `IGNORE_SPACE` on. */
  readonly ignoreSpace: boolean;
}

/**
 * System variables whose changes the server reports: the driver needs the character set to encode as the server reads, and
 * the classifier the mode to read texts as the server does.
 */
const TRACKED =
  'autocommit,character_set_client,character_set_connection,character_set_results,sql_mode,time_zone';

/**
 * One `SET` statement, so that set-up is one round trip. It is also right after a reset, which leaves the server with its
 * global settings (MySQL even with the global character set), while the driver goes on encoding as before. Trackers report
 * the GTID of every commit with its OK packet, at no cost. With `hasOwnCharset` the character set that the session has stays.
 */
export function sessionSetupSql(flavor: Flavor, setup: SessionSetup, hasOwnCharset = false): string {
  const { collation, variables, ignoreSpace } = setup;
  const named = new Set(Object.keys(variables).map((name) => name.toLowerCase()));
  const parts: string[] = [];
  // Trackers come first: MariaDB forgets changes that the same statement made before the list was set, and the driver
  // would not hear of the character set.
  if (!named.has('session_track_system_variables')) {
    const tracked = flavor === 'mysql' ? TRACKED : `${TRACKED},last_gtid`;
    parts.push(`session_track_system_variables = '${tracked}'`);
  }
  // What triggers and functions leave in the session (variables, temporary tables), no text shows.
  if (!named.has('session_track_state_change')) parts.push('session_track_state_change = 1');
  if (flavor === 'mysql' && !named.has('session_track_gtids')) parts.push("session_track_gtids = 'OWN_GTID'");
  if (!hasOwnCharset) {
    const charset = collation.split('_', 1)[0] ?? collation;
    parts.push(charset === collation ? `NAMES ${charset}` : `NAMES ${charset} COLLATE ${collation}`);
  }
  // Only the handshake sets it on MariaDB: a reset would lose it, and `COUNT (*)` with it.
  if (!named.has('sql_mode')) {
    const isLost = flavor === 'mariadb' && ignoreSpace;
    // To set it is to be told of it, also when it is what it was.
    parts.push(`sql_mode = ${isLost ? "CONCAT(@@global.sql_mode, ',IGNORE_SPACE')" : '@@session.sql_mode'}`);
  }
  // What the server begins with, or its `init_connect`, would leave every write of a pool in a transaction that nobody ends.
  if (!named.has('autocommit')) parts.push('autocommit = 1');
  for (const [name, value] of Object.entries(variables)) parts.push(`${name} = ${literal(value)}`);
  return `SET ${parts.join(', ')}`;
}

/** The error for a set-up that the server refused: the option that is to blame, as far as that is certain, else its own. */
export function setUpError(node: NodeId, flavor: Flavor, setup: SessionSetup, error: unknown): unknown {
  if (classifyServerError(error, flavor).kind !== 'statement') return error;
  const refused = isAboutCharset(error)
    ? `the character set of \`charset\` (${setup.collation})`
    : Object.keys(setup.variables).length > 0
      ? 'the `session` variables of its options'
      : undefined;
  if (refused === undefined) return error;
  const message = `Node ${node} refused ${refused}: ${describeError(error)}`;
  return new StormlampError(ErrorCode.INVALID_OPTION, message, { cause: error, node });
}

/** An unknown character set or collation, two that do not fit, or one that no client may have. */
function isAboutCharset(error: unknown): boolean {
  const { errno, message } = error as { readonly errno?: unknown; readonly message?: unknown };
  if (errno === 1115 || errno === 1253 || errno === 1273) return true;
  return errno === 1231 && /character_set/.test(String(message));
}

function literal(value: SessionValue): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number') return String(value);
  // Hexadecimal needs no escaping, whatever sql_mode says about backslashes.
  return value === '' ? "''" : `_utf8mb4 x'${Buffer.from(value, 'utf8').toString('hex')}'`;
}
