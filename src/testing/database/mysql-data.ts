/** Makes MySQL's empty data folder. */

/** Arguments of the initialisation besides those that tell where files are. */
export const MYSQL_INITIALIZE_ARGS: readonly string[] = [
  '--initialize-insecure',
  '--innodb-redo-log-capacity=16M',
  '--innodb-buffer-pool-size=64M',
  '--secure-file-priv=NULL',
  '--mysqlx=OFF',
  '--skip-log-bin',
];
