/** Which sessions of a primary are ended when it is closed: text, nothing is sent from here. */
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';

const WAITS = "p.STATE LIKE 'Waiting for semi-sync ACK from %'";

/**
 * Lists those whose commit waits for a replica's acknowledgement (`waits`), and all others that could be committed now: the server
 * does not refuse writes before they are, which may be never. Whoever is ended so learns nothing of his commit
 * (`ERR_OUTCOME_UNKNOWN`); it was acknowledged to nobody, and stays on this server. Switching semi-synchronous replication off
 * instead would acknowledge it, and it is lost with this server. Undefined where it does not help: on MySQL (9.7 was tried) whoever
 * is ended goes on waiting.
 */
export function waitersSql({ flavor }: ServerVersion): string | undefined {
  if (flavor === 'mysql') return undefined;
  return (
    `SELECT p.ID AS id, p.USER AS user, p.HOST AS host, COALESCE(${WAITS}, 0) AS waits FROM information_schema.PROCESSLIST p ` +
    'LEFT JOIN information_schema.INNODB_TRX x ON x.trx_mysql_thread_id=p.ID ' +
    "WHERE p.USER<>'system user' AND p.ID<>CONNECTION_ID() AND p.COMMAND NOT IN ('Binlog Dump', 'Daemon') AND " +
    `(x.trx_lock_structs>0 OR ${WAITS} OR p.STATE IN ('Commit', 'Waiting for prior transaction to commit'))`
  );
}

/**
 * Lists those that may write past `read_only`, and have begun to: a transaction of theirs holds locks, so that it writes, or is about
 * to. Whoever may and does not is left alone; so are replication, and the manager's account. Undefined where nobody may: MySQL
 * refuses its administrators, too (`super_read_only`).
 */
export function pastReadOnlySql(version: ServerVersion): string | undefined {
  if (version.flavor === 'mysql') return undefined;
  const privileges = [
    'READ_ONLY ADMIN',
    'READ ONLY ADMIN',
    ...(isAtLeast(version, 10, 11, 0) ? [] : ['SUPER']),
  ];
  const [user, host] = ["CONCAT('''', p.USER, '''@')", "REGEXP_REPLACE(p.HOST, ':[0-9]+$', '')"];
  const pattern = "TRIM(BOTH '''' FROM SUBSTRING(g.GRANTEE, CHAR_LENGTH(p.USER)+4))";
  return (
    'SELECT p.ID AS id, p.USER AS user, p.HOST AS host FROM information_schema.INNODB_TRX x ' +
    'JOIN information_schema.PROCESSLIST p ON p.ID=x.trx_mysql_thread_id ' +
    "WHERE x.trx_lock_structs>0 AND p.USER NOT IN ('system user', REGEXP_REPLACE(USER(), '@[^@]*$', '')) AND p.ID<>CONNECTION_ID() " +
    'AND EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES g ' +
    `WHERE g.PRIVILEGE_TYPE IN (${privileges.map((name) => `'${name}'`).join(', ')}) AND ` +
    // A host may be given as a network, which is no pattern.
    `LEFT(g.GRANTEE, CHAR_LENGTH(p.USER)+3)=${user} AND (${host} LIKE ${pattern} OR ${pattern} LIKE '%/%')) ` +
    // Who waits for a replica waits for those as well that are committed together with him.
    `ORDER BY COALESCE(${WAITS}, 0)`
  );
}
