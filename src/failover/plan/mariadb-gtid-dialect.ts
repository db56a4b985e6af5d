/** MariaDB with GTIDs: one number per domain, and a position that a former primary must first make its replica position. */
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import { accountOf, type Dialect, quoted, type ReplicationSource, threadStatements } from './dialect.js';

/** The dialect for a version. */
export function mariadbGtidDialect(version: ServerVersion): Dialect {
  const where = ({ host, port }: ReplicationSource): string =>
    `MASTER_HOST=${quoted(host)}, MASTER_PORT=${port}, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1`;
  const demotes = isAtLeast(version, 10, 10, 1);
  return {
    ...threadStatements(version),
    position: { sql: 'SELECT @@GLOBAL.gtid_current_pos AS position', keep: 'position' },
    waitFor: (seconds) => `SELECT -MASTER_GTID_WAIT('{position}', ${seconds}) AS behind`,
    repoint: (source) => [`CHANGE MASTER TO ${where(source)}, MASTER_USE_GTID=slave_pos`],
    demote: (source) =>
      demotes
        ? [
            `CHANGE MASTER TO ${where(source)}, ${accountOf(version, source)}, MASTER_USE_GTID=slave_pos, MASTER_DEMOTE_TO_SLAVE=1`,
          ]
        : [
            'SET GLOBAL gtid_slave_pos=@@GLOBAL.gtid_binlog_pos',
            `CHANGE MASTER TO ${where(source)}, ${accountOf(version, source)}, MASTER_USE_GTID=slave_pos`,
          ],
  };
}
