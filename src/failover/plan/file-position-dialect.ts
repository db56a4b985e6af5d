/**
 * Replication by file and position: only nodes that stand at exactly the same place can follow a new primary, at the place
 * where its own log was before it took its first write (kept as `{newFile}` and `{newOffset}`).
 */
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import {
  accountOf,
  type Dialect,
  quoted,
  type ReplicationSource,
  threadStatements,
  wordsOf,
} from './dialect.js';

/** The dialect for a version. */
export function filePositionDialect(version: ServerVersion): Dialect {
  const { source: word, change } = wordsOf(version);
  const mysql = version.flavor === 'mysql';
  const wait = mysql && isAtLeast(version, 8, 0, 26) ? 'SOURCE_POS_WAIT' : 'MASTER_POS_WAIT';
  const status = mysql && isAtLeast(version, 8, 2, 0) ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS';
  // MySQL 8.4 and later would try ten times only.
  const untiring = mysql ? `, ${word}_RETRY_COUNT=86400` : ', MASTER_USE_GTID=no';
  // A replica that changes its source by itself changes its vote by itself.
  const fixed = word === 'SOURCE' ? ', SOURCE_CONNECTION_AUTO_FAILOVER=0' : '';
  const where = ({ host, port }: ReplicationSource): string =>
    `${word}_HOST=${quoted(host)}, ${word}_PORT=${port}, ${word}_LOG_FILE='{newFile}', ${word}_LOG_POS={newOffset}, ` +
    `${word}_CONNECT_RETRY=1, ${word}_HEARTBEAT_PERIOD=1${untiring}${fixed}`;
  return {
    ...threadStatements(version),
    position: { sql: status, keep: 'file offset' },
    waitFor: (seconds) =>
      `SELECT IF(${wait}('{file}', {offset}, ${Math.max(1, Math.ceil(seconds))})>=0, 0, 1) AS behind`,
    repoint: (source) => [`${change} TO ${where(source)}`],
    demote: (source) => [`${change} TO ${where(source)}, ${accountOf(version, source)}`],
  };
}
