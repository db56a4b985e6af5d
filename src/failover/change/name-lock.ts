/** Looks who has the lock that a change waited for in vain, beside the sessions of the change: those are free by then. */
import { Deadline } from '../../common/deadline.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { ConnectionFactory } from '../../mysql/connection-factory.js';
import { lockSight } from '../../mysql/lock-sight.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { classifyServerError } from '../../mysql/server-error.js';
import type { Flavor } from '../../topology/node-description.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import type { ExecutionOutcome } from './executor-options.js';
import { type LockParty, type LockSighting, lockWords } from './lock-words.js';

const LOOK_MS = 2_000;
/** A statement that ends sooner than the change gave up was not what it waited for. */
const LONG_S = 2;

/** Locks of the whole server, and of tables, that keep others from writing; a MariaDB tells them with a plugin only. */
const HOLDERS: Readonly<Record<Flavor, string>> = {
  mariadb:
    "SELECT p.ID AS id, p.USER AS user, p.HOST AS host, p.TIME AS seconds, IF(l.LOCK_MODE LIKE 'MDL_BACKUP%', '', CONCAT(l.TABLE_SCHEMA, '.', l.TABLE_NAME)) AS locked " +
    'FROM information_schema.METADATA_LOCK_INFO l JOIN information_schema.PROCESSLIST p ON p.ID=l.THREAD_ID WHERE p.ID<>CONNECTION_ID() AND ' +
    // GET_LOCK() is one, too.
    "l.LOCK_TYPE IN ('Backup lock', 'Table metadata lock') AND l.LOCK_MODE IN " +
    "('MDL_BACKUP_FTWRL1', 'MDL_BACKUP_FTWRL2', 'MDL_BACKUP_FLUSH', 'MDL_BACKUP_WAIT_FLUSH', 'MDL_BACKUP_WAIT_DDL', 'MDL_BACKUP_WAIT_COMMIT', " +
    "'MDL_SHARED_READ_ONLY', 'MDL_SHARED_NO_WRITE', 'MDL_SHARED_NO_READ_WRITE', 'MDL_EXCLUSIVE') LIMIT 20",
  mysql:
    "SELECT t.PROCESSLIST_ID AS id, t.PROCESSLIST_USER AS user, t.PROCESSLIST_HOST AS host, t.PROCESSLIST_TIME AS seconds, IF(l.OBJECT_TYPE='TABLE', CONCAT(l.OBJECT_SCHEMA, '.', l.OBJECT_NAME), '') AS locked " +
    "FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.THREAD_ID=l.OWNER_THREAD_ID WHERE t.PROCESSLIST_ID<>CONNECTION_ID() AND l.LOCK_STATUS='GRANTED' AND " +
    "((l.OBJECT_TYPE IN ('GLOBAL', 'COMMIT') AND l.LOCK_TYPE='SHARED') OR " +
    "(l.OBJECT_TYPE='TABLE' AND l.LOCK_TYPE IN ('SHARED_READ_ONLY', 'SHARED_NO_WRITE', 'SHARED_NO_READ_WRITE', 'EXCLUSIVE'))) LIMIT 20",
};
const SESSIONS =
  'SELECT ID AS id, USER AS user, HOST AS host, TIME AS seconds, STATE AS state FROM information_schema.PROCESSLIST ' +
  "WHERE ID<>CONNECTION_ID() AND COMMAND IN ('Query', 'Execute') AND USER<>'system user' ORDER BY TIME DESC LIMIT 50";
/** Transactions that have locked rows and are at nothing; one that is told as a session above is none of these. */
const TRANSACTIONS =
  'SELECT p.ID AS id, p.USER AS user, p.HOST AS host, TIMESTAMPDIFF(SECOND, x.trx_started, NOW()) AS seconds ' +
  'FROM information_schema.INNODB_TRX x JOIN information_schema.PROCESSLIST p ON p.ID=x.trx_mysql_thread_id ' +
  "WHERE x.trx_rows_locked>0 AND p.COMMAND='Sleep' ORDER BY x.trx_started LIMIT 20";

/** An outcome whose error names the lock, its holder and the remedy, when it ended because a lock was not to be had. */
export async function withLockNamed(
  outcome: ExecutionOutcome,
  plan: FailoverPlan,
  actOn: (node: string) => ConnectionFactory,
): Promise<ExecutionOutcome> {
  if (outcome.ok) return outcome;
  const { step: id, error } = outcome;
  const step = plan.steps.find((each) => each.id === id);
  // Both families give it the same number.
  if (step?.node == null || classifyServerError(error, 'mariadb').kind !== 'lock-timeout') return outcome;
  const { node } = step;
  const seen = await lookForLock(node, actOn(node)).catch(() => undefined);
  const message = lockWords(
    `${id}: ${step.why}`,
    seen ?? { node, parties: [], unseen: 'who has it could not be looked for' },
  );
  return { ...outcome, error: new StormlampError(ErrorCode.CHANGE_REFUSED, message, { node, cause: error }) };
}

async function lookForLock(node: string, factory: ConnectionFactory): Promise<LockSighting> {
  const deadline = Deadline.of({ timeoutMs: LOOK_MS });
  const connection = await factory.connect(deadline);
  try {
    const holders = await holdersOn(connection, deadline);
    const sessions = await connection.ask(SESSIONS, deadline);
    // An account without PROCESS is not told.
    const open = await connection.ask(TRANSACTIONS, deadline).catch(() => []);
    const parties = [
      ...(holders ?? []).map((row) => partyOf(row, 'holds')),
      ...sessions.flatMap((row) => {
        const waits = /^Waiting for .*lock/i.test(String(row['state'] ?? ''));
        if (!waits && Number(row['seconds']) < LONG_S) return [];
        return [partyOf(row, waits ? 'waits' : 'runs')];
      }),
      ...open.map((row) => partyOf(row, 'open')),
    ];
    return { node, parties, unseen: await whyUnseen(connection, holders !== undefined, deadline) };
  } finally {
    connection.destroy();
  }
}

async function whyUnseen(
  connection: PhysicalConnection,
  isTold: boolean,
  deadline: Deadline,
): Promise<string> {
  const { grant } = await lockSight(connection, deadline);
  if (grant !== '')
    return `who has it is not seen by the account of \`failover.credentials\` (\`${grant}\` lets it)`;
  if (isTold) return 'nobody is seen to hold it';
  return connection.version.flavor === 'mariadb'
    ? "who has it is not told by the server (`INSTALL SONAME 'metadata_lock_info'` lets it)"
    : 'who has it is not seen by the account of `failover.credentials` (`GRANT SELECT ON performance_schema.*` lets it)';
}

/** Undefined where the server does not tell the account. A session stands in it once, with the widest of its locks. */
async function holdersOn(
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<readonly StatusRow[] | undefined> {
  try {
    const rows = await connection.ask(HOLDERS[connection.version.flavor], deadline);
    const widest = new Map<string, StatusRow>();
    for (const row of rows) {
      const id = String(row['id']);
      if (!widest.has(id) || row['locked'] === '') widest.set(id, row);
    }
    return [...widest.values()];
  } catch (error) {
    if (connection.lost !== undefined) throw error;
    return undefined;
  }
}

function partyOf(row: StatusRow, role: LockParty['role']): LockParty {
  const { id, user, host, seconds, locked } = row;
  return {
    id: String(id),
    account: `${String(user)}@${String(host)}`,
    seconds: Number(seconds),
    role,
    locked: String(locked ?? ''),
  };
}
