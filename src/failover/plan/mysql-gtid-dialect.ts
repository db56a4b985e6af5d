/** MySQL with GTIDs (5.7 and newer): sets of transactions, automatic positions. */
import type { ServerVersion } from '../../mysql/server-version.js';
import {
  accountOf,
  type Dialect,
  quoted,
  type ReplicationSource,
  threadStatements,
  wordsOf,
} from './dialect.js';

/** The dialect for a version. */
export function mysqlGtidDialect(version: ServerVersion): Dialect {
  const { source: word, change, replica } = wordsOf(version);
  // A replica that changes its source by itself changes its vote by itself.
  const fixed = word === 'SOURCE' ? ', SOURCE_CONNECTION_AUTO_FAILOVER=0' : '';
  const where = ({ host, port }: ReplicationSource): string =>
    `${word}_HOST=${quoted(host)}, ${word}_PORT=${port}, ${word}_AUTO_POSITION=1, ${word}_CONNECT_RETRY=1, ` +
    `${word}_RETRY_COUNT=86400, ${word}_HEARTBEAT_PERIOD=1${fixed}`;
  return {
    ...threadStatements(version),
    // Older ones forget the source with it when they are restarted then.
    emptyRelayLog: replica === 'REPLICA' ? 'RESET REPLICA' : undefined,
    position: { sql: "SELECT REPLACE(@@GLOBAL.gtid_executed, CHAR(10), '') AS position", keep: 'position' },
    waitFor: (seconds) => `SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', ${seconds}) AS behind`,
    repoint: (source) => [`${change} TO ${where(source)}`],
    demote: (source) => [`${change} TO ${where(source)}, ${accountOf(version, source)}`],
  };
}
