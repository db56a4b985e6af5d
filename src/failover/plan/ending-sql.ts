/** Which sessions of a primary are ended when it is closed: text, nothing is sent from here. */
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import type { NodeSurvey } from '../survey/node-survey.js';

const WAITS = "p.STATE LIKE 'Waiting for semi-sync ACK from %'";
/** What a MySQL writes of a session that waits behind whoever closes the server, or closes it. */
const BEHIND = "('Waiting for global read lock', 'Waiting for commit lock')";

/**
 * Lists those whose commit waits for a replica's acknowledgement (`waits`), and all others that could be committed now: the server
 * does not refuse writes before they are, which may be never. Whoever is ended so learns nothing of his commit
 * (`ERR_OUTCOME_UNKNOWN`); it was acknowledged to nobody, and stays on this server. Switching semi-synchronous replication off
 * instead would acknowledge it, and it is lost with this server. On MySQL the wait itself is to be ended then, see
 * {@link endWaitsSql}; what cannot be ended so that its client certainly learns nothing is listed without a number.
 */
export function waitersSql({ flavor }: ServerVersion): string {
  return flavor === 'mysql' ? MYSQL_WAITERS : MARIADB_WAITERS;
}

const MARIADB_WAITERS =
  `SELECT p.ID AS id, p.USER AS user, p.HOST AS host, COALESCE(${WAITS}, 0) AS waits FROM information_schema.PROCESSLIST p ` +
  'LEFT JOIN information_schema.INNODB_TRX x ON x.trx_mysql_thread_id=p.ID ' +
  "WHERE p.USER<>'system user' AND p.ID<>CONNECTION_ID() AND p.COMMAND NOT IN ('Binlog Dump', 'Daemon') AND " +
  `(x.trx_lock_structs>0 OR ${WAITS} OR p.STATE IN ('Commit', 'Waiting for prior transaction to commit'))`;

/** Every one that is at a statement could be committed without a wait when the waits end; a manager only where it writes. */
const MYSQL_WAITERS =
  `SELECT p.ID AS id, p.USER AS user, p.HOST AS host, COALESCE(${WAITS}, 0) AS waits FROM information_schema.PROCESSLIST p ` +
  'LEFT JOIN information_schema.INNODB_TRX x ON x.trx_mysql_thread_id=p.ID ' +
  "WHERE p.USER<>'system user' AND p.ID<>CONNECTION_ID() AND p.COMMAND NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Daemon') AND " +
  `COALESCE(p.STATE, '') NOT IN ${BEHIND} AND (COALESCE(x.trx_lock_structs, 0)>0 OR COALESCE(${WAITS}, 0) OR ` +
  "COALESCE(p.STATE, '')='waiting for handler commit' OR (p.COMMAND<>'Sleep' AND CONCAT(p.USER, '@')<>LEFT(USER(), CHAR_LENGTH(p.USER)+1))) " +
  "UNION ALL SELECT 0, 'a session of the X Protocol', '', 0 FROM performance_schema.global_status " +
  "WHERE VARIABLE_NAME='Mysqlx_sessions' AND VARIABLE_VALUE>0 " +
  "UNION ALL SELECT 0, 'a prepared XA transaction', '', 0 FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id=0";

/**
 * Ends the waits of commits whose clients were ended already: a MySQL (9.7 was tried) closes the client's connection at once, and lets the
 * commit wait on. Semi-synchronous replication is off for a moment, and only while `{session}` waits for the lock that closes the
 * server: nobody begins to write then. Undefined where it is not needed.
 */
export function endWaitsSql({ version, variables }: NodeSurvey): string | undefined {
  if (version.flavor !== 'mysql') return undefined;
  const name = ['rpl_semi_sync_source_enabled', 'rpl_semi_sync_master_enabled'].find((each) =>
    variables.has(each),
  );
  if (name === undefined) return undefined;
  const waits = `SELECT COUNT(*)=0 FROM information_schema.PROCESSLIST WHERE ID={session} AND STATE IN ${BEHIND}`;
  return `SET GLOBAL ${name}=(${waits}), GLOBAL ${name}=1`;
}

/**
 * Lists those that may write past `read_only`, and have begun to: a transaction of theirs holds locks, so that it writes, or is about
 * to. Whoever may and does not is left alone; so are replication, and the manager's account. Undefined where nobody may: MySQL
 * refuses its administrators, too (`super_read_only`).
 */
export function pastReadOnlySql(version: ServerVersion): string | undefined {
  if (version.flavor === 'mysql') return undefined;
  return (
    'SELECT p.ID AS id, p.USER AS user, p.HOST AS host FROM information_schema.INNODB_TRX x ' +
    'JOIN information_schema.PROCESSLIST p ON p.ID=x.trx_mysql_thread_id ' +
    `WHERE x.trx_lock_structs>0 AND ${mayWritePast(version)} ` +
    // Who waits for a replica waits for those as well that are committed together with him.
    `ORDER BY COALESCE(${WAITS}, 0)`
  );
}

/**
 * Lists those of them that wait until writes are let go on (`FLUSH TABLES WITH READ LOCK`), and would write then. Whoever may not write
 * past `read_only` is left alone: he is refused. Undefined where nobody may.
 */
export function heldSql(version: ServerVersion): string | undefined {
  if (version.flavor === 'mysql') return undefined;
  return (
    'SELECT p.ID AS id, p.USER AS user, p.HOST AS host FROM information_schema.PROCESSLIST p ' +
    `WHERE p.STATE='Waiting for backup lock' AND ${mayWritePast(version)}`
  );
}

function mayWritePast(version: ServerVersion): string {
  const privileges = [
    'READ_ONLY ADMIN',
    'READ ONLY ADMIN',
    ...(isAtLeast(version, 10, 11, 0) ? [] : ['SUPER']),
  ];
  const [user, host] = ["CONCAT('''', p.USER, '''@')", "REGEXP_REPLACE(p.HOST, ':[0-9]+$', '')"];
  const pattern = "TRIM(BOTH '''' FROM SUBSTRING(g.GRANTEE, CHAR_LENGTH(p.USER)+4))";
  return (
    "p.USER NOT IN ('system user', REGEXP_REPLACE(USER(), '@[^@]*$', '')) AND p.ID<>CONNECTION_ID() " +
    'AND EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES g ' +
    `WHERE g.PRIVILEGE_TYPE IN (${privileges.map((name) => `'${name}'`).join(', ')}) AND ` +
    // A host may be given as a network, which is no pattern.
    `LEFT(g.GRANTEE, CHAR_LENGTH(p.USER)+3)=${user} AND (${host} LIKE ${pattern} OR ${pattern} LIKE '%/%'))`
  );
}
