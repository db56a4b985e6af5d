/** The statements of a change in the words of one kind of server; all of it text, nothing is sent from here. */
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { heldSql, pastReadOnlySql, waitersSql } from './ending-sql.js';
import { filePositionDialect } from './file-position-dialect.js';
import { mariadbGtidDialect } from './mariadb-gtid-dialect.js';
import { mysqlGtidDialect } from './mysql-gtid-dialect.js';
import { type ReplicationTls, tlsSql } from './replication-tls.js';

/** Where replicas find a server, and the account that they log in with. */
export interface ReplicationSource {
  /** The server's host as the replicas know it. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** The user of replication; its password is `{replicationPassword}`. */
  readonly user: string;
  /** How a server that had no source encrypts what it receives. */
  readonly tls: ReplicationTls;
}

/** One kind of server. `{…}` in a statement stands for what was kept under that name. */
export interface Dialect {
  /**
   * Ends a receiver's attempt to connect, and the receiver with it, and does nothing to one that is connected; undefined where
   * the server cannot. What was received is kept.
   */
  readonly endAttempt: string | undefined;
  /** Stops receiving and leaves executing alone: the only stop that throws nothing away. */
  readonly stopReceiving: string;
  /** Takes {@link Dialect.stopReceiving} back. */
  readonly startReceiving: string;
  /** Stops both threads; only when everything that was received is executed. */
  readonly stopReplication: string;
  /**
   * Throws the relay log away, when both threads are stopped and everything is executed, and keeps the source: most of what
   * {@link Dialect.forgetSource} takes long for. Undefined where it takes no time, or starting again would not go on at the same place.
   */
  readonly emptyRelayLog: string | undefined;
  /** Starts both threads. */
  readonly startReplication: string;
  /** Forgets the source. */
  readonly forgetSource: string;
  /** Makes the server refuse writes, its administrators' too where it can. */
  readonly refuseWrites: string;
  /** Lists the sessions that keep the server from that while commits wait for a replica. */
  readonly waiters: string;
  /** Lists the sessions that write all the same; undefined where none can. */
  readonly pastReadOnly: string | undefined;
  /** Holds whoever writes all the same, administrators, until its session ends or {@link Dialect.letWrites}; undefined where none can. */
  readonly holdWrites: string | undefined;
  /** Lets those go on. */
  readonly letWrites: string;
  /** Lists the sessions that are held, and would write then; undefined where none can. */
  readonly held: string | undefined;
  /** Lets ordinary users write again. */
  readonly takeWrites: readonly string[];
  /** Lets the manager write while ordinary users cannot; none where its account may anyway. */
  readonly takeOwnWrites: readonly string[];
  /** Lets ordinary users write unless the time in `@ha_until` is over. */
  readonly takeWritesInTime: string;
  /** Tells what the server has, under the names that {@link Dialect.waitFor} wants. */
  readonly position: { readonly sql: string; readonly keep: string };
  /** Waits up to `seconds`; 0 when everything that was kept by `position` is executed. */
  waitFor(seconds: number): string;
  /** Makes a server that has a source follow another one. */
  repoint(source: ReplicationSource): readonly string[];
  /** Makes a server without a source, which may have been a primary, follow one. */
  demote(source: ReplicationSource): readonly string[];
}

/** The dialect of a surveyed server. */
export function dialectOf(
  survey: Pick<NodeSurvey, 'version' | 'numbering'> & Partial<Pick<NodeSurvey, 'channels'>>,
): Dialect {
  const dialect = plainDialectOf(survey);
  const [channel, second] = survey.channels ?? [];
  const isNamed = channel !== undefined && channel.name !== '' && second === undefined;
  // MySQL's statements are about all channels, MariaDB's about the one without a name.
  return isNamed && survey.version.flavor === 'mariadb' ? { ...dialect, ...NAMED_THREADS } : dialect;
}

function plainDialectOf({ version, numbering }: Pick<NodeSurvey, 'version' | 'numbering'>): Dialect {
  switch (numbering) {
    case 'mysql-gtid':
      return mysqlGtidDialect(version);
    case 'mariadb-gtid':
      return mariadbGtidDialect(version);
    case 'file-position':
      return filePositionDialect(version);
  }
}

const NAMED_THREADS = {
  stopReceiving: 'STOP ALL SLAVES IO_THREAD',
  startReceiving: 'START ALL SLAVES IO_THREAD',
  stopReplication: 'STOP ALL SLAVES',
  startReplication: 'START ALL SLAVES',
};

/** The words that MySQL changed over time and MariaDB kept. */
export interface Words {
  /** `REPLICA` or `SLAVE`. */
  readonly replica: string;
  /** `SOURCE` or `MASTER`, as options of CHANGE begin. */
  readonly source: string;
  /** `CHANGE REPLICATION SOURCE` or `CHANGE MASTER`. */
  readonly change: string;
}

/** The words of a version. */
export function wordsOf(version: ServerVersion): Words {
  const old = { replica: 'SLAVE', source: 'MASTER', change: 'CHANGE MASTER' };
  if (version.flavor === 'mariadb') return old;
  if (isAtLeast(version, 8, 0, 23)) {
    return { replica: 'REPLICA', source: 'SOURCE', change: 'CHANGE REPLICATION SOURCE' };
  }
  return isAtLeast(version, 8, 0, 22) ? { ...old, replica: 'REPLICA' } : old;
}

/** A text between quotes. Passwords are kept out of plans; hosts and users have no quotes in them, which is checked before. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** How a server that had no source logs in at one. */
export function accountOf(version: ServerVersion, { user, tls }: ReplicationSource): string {
  const { source: word } = wordsOf(version);
  const account = `${word}_USER=${quoted(user)}, ${word}_PASSWORD='{replicationPassword}', ${tlsSql(word, tls)}`;
  // From 8.0 on accounts use caching_sha2_password, which wants TLS or the server's key.
  const wantsKey = version.flavor === 'mysql' && isAtLeast(version, 8, 0, 0);
  return wantsKey ? `${account}, GET_${word}_PUBLIC_KEY=1` : account;
}

/**
 * MariaDB interrupts the attempt of a receiver that is killed, and not of one that is stopped. An account that may not kill it, or
 * a receiver that has ended meanwhile, is no error: stopping then takes longer, or nothing.
 */
const END_ATTEMPT =
  'BEGIN NOT ATOMIC DECLARE receiver BIGINT; DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; ' +
  'SELECT MAX(id) INTO receiver FROM information_schema.processlist ' +
  "WHERE command='Slave_IO' AND state LIKE '%onnecting%'; IF receiver IS NOT NULL THEN KILL receiver; END IF; END";

/** Statements about threads and writes that do not depend on how transactions are numbered. */
export function threadStatements(
  version: ServerVersion,
): Omit<Dialect, 'position' | 'waitFor' | 'repoint' | 'demote'> {
  const { replica } = wordsOf(version);
  const mysql = version.flavor === 'mysql';
  return {
    endAttempt: mysql ? undefined : END_ATTEMPT,
    stopReceiving: `STOP ${replica} IO_THREAD`,
    startReceiving: `START ${replica} IO_THREAD`,
    stopReplication: `STOP ${replica}`,
    emptyRelayLog: undefined,
    startReplication: `START ${replica}`,
    forgetSource: `RESET ${replica} ALL`,
    refuseWrites: mysql ? 'SET GLOBAL super_read_only=1' : 'SET GLOBAL read_only=1',
    waiters: waitersSql(version),
    pastReadOnly: pastReadOnlySql(version),
    // MySQL refuses them, and there it would wait for every statement that reads.
    holdWrites: mysql ? undefined : 'FLUSH TABLES WITH READ LOCK',
    letWrites: 'UNLOCK TABLES',
    held: heldSql(version),
    takeWrites: mysql
      ? ['SET GLOBAL super_read_only=0', 'SET GLOBAL read_only=0']
      : ['SET GLOBAL read_only=0'],
    takeOwnWrites: mysql ? ['SET GLOBAL super_read_only=0'] : [],
    takeWritesInTime: 'SET GLOBAL read_only=IF(SYSDATE(6)<@ha_until, 0, 1)',
  };
}
