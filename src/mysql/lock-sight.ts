/** Whether an account sees that writes wait for the lock of the whole server: a primary that is locked is seen by who waits. */
import type { Deadline } from '../common/deadline.js';
import type { Flavor } from '../topology/node-description.js';
import { quotedAccount } from './missing-privilege.js';
import type { PhysicalConnection } from './physical-connection.js';

/**
 * What only an account may ask that sees the sessions of others. A list of sessions is no question: without the privilege it is
 * answered with the account's own ones. The table of MariaDB needs the same privilege, and it is refused.
 */
const QUESTIONS: Readonly<Record<Flavor, { readonly sql: string; readonly privilege: string }>> = {
  mariadb: {
    sql: 'SELECT COUNT(*) AS seen FROM information_schema.INNODB_TRX',
    privilege: 'PROCESS ON *.*',
  },
  mysql: {
    sql: 'SELECT COUNT(*) AS seen FROM performance_schema.threads',
    privilege: 'SELECT ON performance_schema.threads',
  },
};
const REFUSED: readonly unknown[] = [1044, 1142, 1143, 1227];

/** Whether the account of a connection sees who waits for the lock of the whole server. */
export interface LockSight {
  /** What was asked. */
  readonly sql: string;
  /** The statement that lets it see them; '' when it does. */
  readonly grant: string;
}

/** Asks the server; roles count. Rejects with the error of the connection. */
export async function lockSight(connection: PhysicalConnection, deadline: Deadline): Promise<LockSight> {
  const { sql, privilege } = QUESTIONS[connection.version.flavor];
  try {
    await connection.ask(sql, deadline);
    return { sql, grant: '' };
  } catch (error) {
    if (!REFUSED.includes((error as { errno?: unknown }).errno)) throw error;
    const [row] = await connection.ask('SELECT CURRENT_USER() AS account', deadline);
    return { sql, grant: `GRANT ${privilege} TO ${quotedAccount(String(row?.['account'] ?? ''))}` };
  }
}
