/** MariaDB 10.5 and newer. */
import { type DatabaseFlavor, sharedServerArgs } from './database-flavor.js';
import { APP_PRIVILEGES, accountName, sqlText } from './local-accounts.js';

/** MariaDB with GTID replication. */
export const mariadbFlavor: DatabaseFlavor = Object.freeze<DatabaseFlavor>({
  name: 'mariadb',
  serverArgs: (plan) => [
    ...sharedServerArgs(plan),
    '--log-slave-updates',
    '--relay-log=relay',
    '--gtid-strict-mode=ON',
    '--slave-net-timeout=6',
    '--innodb-log-file-size=16M',
  ],
  // A server that was killed while it began to replicate can name a relay log that it has removed already, and then
  // refuses to replicate until somebody resets it. With GTIDs it would fetch these logs anew in any case.
  isDisposable: (file) => file === 'relay-log.info' || /^relay\.(\d+|index)$/.test(file),
  initSql: ({ admin }) => [
    'SET SESSION sql_log_bin=0',
    `CREATE USER IF NOT EXISTS ${accountName(admin)} IDENTIFIED BY ${sqlText(admin.password)}`,
    `GRANT ALL PRIVILEGES ON *.* TO ${accountName(admin)} WITH GRANT OPTION`,
    `ALTER USER IF EXISTS 'root'@'localhost' IDENTIFIED BY ${sqlText(admin.password)}`,
  ],
  setupSql: ({ app, monitor, repl }, database) => [
    `CREATE DATABASE \`${database}\` CHARACTER SET utf8mb4`,
    `CREATE USER ${accountName(app)} IDENTIFIED BY ${sqlText(app.password)}`,
    `GRANT ${APP_PRIVILEGES} ON \`${database}\`.* TO ${accountName(app)}`,
    `CREATE USER ${accountName(monitor)} IDENTIFIED BY ${sqlText(monitor.password)}`,
    `GRANT SLAVE MONITOR, BINLOG MONITOR, PROCESS ON *.* TO ${accountName(monitor)}`,
    `CREATE USER ${accountName(repl)} IDENTIFIED BY ${sqlText(repl.password)}`,
    `GRANT REPLICATION SLAVE ON *.* TO ${accountName(repl)}`,
  ],
  followSql: (source, repl) => [
    'STOP SLAVE',
    // A server that wrote itself has its own transactions only in its binary log; a replica starts from this variable.
    'SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_current_pos',
    `CHANGE MASTER TO MASTER_HOST=${sqlText(source.host)}, MASTER_PORT=${source.port}, MASTER_USER=${sqlText(repl.user)}, MASTER_PASSWORD=${sqlText(repl.password)}, MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1, MASTER_SSL=0`,
    'START SLAVE',
  ],
  unfollowSql: () => ['STOP SLAVE', 'RESET SLAVE ALL'],
  readOnlySql: (readOnly) => [`SET GLOBAL read_only=${readOnly ? 1 : 0}`],
  positionSql: () => 'SELECT @@GLOBAL.gtid_current_pos AS position',
  waitSql: (position, seconds) => `SELECT MASTER_GTID_WAIT(${sqlText(position)}, ${seconds}) = 0 AS reached`,
  retrievedPosition: (row) => String(row['Gtid_IO_Pos'] ?? ''),
  stopReceivingSql: () => ['STOP SLAVE IO_THREAD'],
  statusSql: 'SHOW SLAVE STATUS',
  replicationFailure: (row) =>
    row['Slave_IO_Running'] === 'Yes' && row['Slave_SQL_Running'] === 'Yes'
      ? undefined
      : String(
          row['Last_IO_Error'] ||
            row['Last_SQL_Error'] ||
            `Slave_IO_Running: ${row['Slave_IO_Running']}, Slave_SQL_Running: ${row['Slave_SQL_Running']}`,
        ),
});
