/** The statement that brings a session, new or just reset, into the state that every borrower expects. */
import type { Flavor } from '../topology/node-description.js';
import type { SessionValue } from './connection-settings.js';

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
 * One `SET` statement, so that set-up is one round trip. It is also right after a reset, which leaves the server with its
 * global settings (MySQL even with the global character set, while the driver goes on encoding as before): therefore the
 * character set comes first. Trackers report the GTID of every commit with its OK packet, at no cost.
 */
export function sessionSetupSql(flavor: Flavor, setup: SessionSetup): string {
  const { collation, variables, ignoreSpace } = setup;
  const charset = collation.split('_', 1)[0] ?? collation;
  const parts = [charset === collation ? `NAMES ${charset}` : `NAMES ${charset} COLLATE ${collation}`];
  const named = new Set(Object.keys(variables).map((name) => name.toLowerCase()));
  if (flavor === 'mysql') {
    if (!named.has('session_track_gtids')) parts.push("session_track_gtids = 'OWN_GTID'");
  } else {
    if (!named.has('session_track_system_variables')) {
      parts.push(
        "session_track_system_variables = CONCAT(@@global.session_track_system_variables, ',last_gtid')",
      );
    }
    // Only the handshake sets it on MariaDB: a reset would lose it, and `COUNT (*)` with it.
    if (ignoreSpace && !named.has('sql_mode')) {
      parts.push("sql_mode = CONCAT(@@global.sql_mode, ',IGNORE_SPACE')");
    }
  }
  for (const [name, value] of Object.entries(variables)) parts.push(`${name} = ${literal(value)}`);
  return `SET ${parts.join(', ')}`;
}

function literal(value: SessionValue): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number') return String(value);
  // Hexadecimal needs no escaping, whatever sql_mode says about backslashes.
  return value === '' ? "''" : `_utf8mb4 x'${Buffer.from(value, 'utf8').toString('hex')}'`;
}
