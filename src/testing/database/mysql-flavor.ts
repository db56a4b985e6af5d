/** MySQL 8.0.26 and newer. */
import { type DatabaseFlavor, sharedServerArgs } from './database-flavor.js';
import { APP_PRIVILEGES, accountName, sqlText } from './local-accounts.js';

/** MySQL with GTID replication. */
export const mysqlFlavor: DatabaseFlavor = Object.freeze<DatabaseFlavor>({
  name: 'mysql',
  serverArgs: (plan) => [
    // The row format is the only one that newer versions know; they warn when it is named.
    ...sharedServerArgs(plan).filter((argument) => argument !== '--binlog-format=ROW'),
    `--super-read-only=${plan.readOnly ? 1 : 0}`,
    '--gtid-mode=ON',
    '--enforce-gtid-consistency=ON',
    '--log-replica-updates=ON',
    '--relay-log=relay',
    '--relay-log-recovery=ON',
    '--replica-net-timeout=6',
    '--mysqlx=OFF',
    '--secure-file-priv=NULL',
    '--innodb-redo-log-capacity=16M',
    // Without these the performance schema takes 400 MB a node.
    '--table-open-cache=400',
    '--table-definition-cache=600',
    '--performance-schema-max-table-instances=500',
    '--performance-schema-max-table-handles=400',
    '--performance-schema-events-statements-history-long-size=100',
    '--performance-schema-digests-size=500',
  ],
  isDisposable: () => false,
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
    `GRANT REPLICATION CLIENT ON *.* TO ${accountName(monitor)}`,
    `GRANT SELECT ON performance_schema.threads TO ${accountName(monitor)}`,
    `CREATE USER ${accountName(repl)} IDENTIFIED BY ${sqlText(repl.password)}`,
    `GRANT REPLICATION SLAVE ON *.* TO ${accountName(repl)}`,
  ],
  followSql: (source, repl) => [
    'STOP REPLICA',
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST=${sqlText(source.host)}, SOURCE_PORT=${source.port}, SOURCE_USER=${sqlText(repl.user)}, SOURCE_PASSWORD=${sqlText(repl.password)}, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=86400, SOURCE_HEARTBEAT_PERIOD=1, SOURCE_SSL=0`,
    'START REPLICA',
  ],
  unfollowSql: () => ['STOP REPLICA', 'RESET REPLICA ALL'],
  readOnlySql: (readOnly) =>
    readOnly ? ['SET GLOBAL super_read_only=1'] : ['SET GLOBAL super_read_only=0', 'SET GLOBAL read_only=0'],
  positionSql: () => "SELECT REPLACE(@@GLOBAL.gtid_executed, CHAR(10), '') AS position",
  waitSql: (position, seconds) =>
    `SELECT WAIT_FOR_EXECUTED_GTID_SET(${sqlText(position)}, ${seconds}) = 0 AS reached`,
  retrievedPosition: (row) => String(row['Retrieved_Gtid_Set'] ?? '').replaceAll('\n', ''),
  stopReceivingSql: () => ['STOP REPLICA IO_THREAD'],
  statusSql: 'SHOW REPLICA STATUS',
  replicationFailure: (row) =>
    row['Replica_IO_Running'] === 'Yes' && row['Replica_SQL_Running'] === 'Yes'
      ? undefined
      : String(
          row['Last_IO_Error'] ||
            row['Last_SQL_Error'] ||
            `Replica_IO_Running: ${row['Replica_IO_Running']}, Replica_SQL_Running: ${row['Replica_SQL_Running']}`,
        ),
});
