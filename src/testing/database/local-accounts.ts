/** The accounts of a local cluster. */
import { randomBytes } from 'node:crypto';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** A name and its password. */
export interface LocalAccount {
  /** The user's name. */
  readonly user: string;
  /** The user's password. */
  readonly password: string;
}

/** Who may log in to the databases of a local cluster. */
export interface LocalAccounts {
  /** The administrator, for the test itself; it may write on read-only servers. */
  readonly admin: LocalAccount;
  /** The application: reads and writes its database, and nothing that would get around `read_only`. */
  readonly app: LocalAccount;
  /** May look at replication and nothing else. */
  readonly monitor: LocalAccount;
  /** What replicas log in with. */
  readonly repl: LocalAccount;
}

/** What the application may do in its database. None of it is global, so that `read_only` holds it. */
export const APP_PRIVILEGES =
  'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, CREATE TEMPORARY TABLES, EXECUTE, LOCK TABLES';

/** Accounts with passwords of their own for one cluster; the application's can be given. */
export function localAccounts(app: { readonly user: string; readonly password?: string }): LocalAccounts {
  return {
    admin: { user: 'admin', password: randomPassword() },
    app: { user: app.user, password: app.password ?? randomPassword() },
    monitor: { user: 'monitor', password: randomPassword() },
    repl: { user: 'repl', password: randomPassword() },
  };
}

/**
 * A text as an SQL literal that no `sql_mode` reads differently.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for a text with a backslash or a line end, which cannot be written so.
 */
export function sqlText(value: string): string {
  if (/[\\\n\r\0]/.test(value)) {
    // Without the text: it may be a password.
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      'A name or password has a backslash or a line end in it, which differs between SQL modes; use another one',
    );
  }
  return `'${value.replaceAll("'", "''")}'`;
}

/** The account `user@host`. */
export function accountName(account: LocalAccount, host = '%'): string {
  return `${sqlText(account.user)}@${sqlText(host)}`;
}

function randomPassword(): string {
  return randomBytes(12).toString('base64url');
}
