/** Makes MariaDB's empty data folder without `mariadb-install-db`, a shell script with fixed paths. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** In the order in which the server's own install script feeds them. */
const PARTS = [
  'system_tables',
  'performance_tables',
  'system_tables_data',
  'fill_help_tables',
  'gis_sp',
  'sys_schema',
] as const;
/** Newer versions have renamed the files. */
const FILES: Readonly<Record<(typeof PARTS)[number], readonly string[]>> = {
  system_tables: ['mariadb_system_tables.sql', 'mysql_system_tables.sql'],
  performance_tables: ['mariadb_performance_tables.sql', 'mysql_performance_tables.sql'],
  system_tables_data: ['mariadb_system_tables_data.sql', 'mysql_system_tables_data.sql'],
  fill_help_tables: ['fill_help_tables.sql'],
  gis_sp: ['maria_add_gis_sp_bootstrap.sql'],
  sys_schema: ['mariadb_sys_schema.sql', 'mysql_sys_schema.sql'],
};

/** Arguments of the bootstrap besides those that tell where files are. */
export const MARIADB_BOOTSTRAP_ARGS: readonly string[] = [
  '--bootstrap',
  '--max-allowed-packet=8M',
  '--net-buffer-length=16K',
  '--innodb-log-file-size=16M',
  '--innodb-buffer-pool-size=32M',
  '--log-warnings=0',
];

/**
 * The statements for `mariadbd --bootstrap`. The help texts are left out: they are most of the work and nobody reads
 * them here.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when `shareDir` lacks one of the server's files.
 */
export async function mariadbBootstrapSql(shareDir: string): Promise<string> {
  // The bootstrap parser takes one statement a line.
  const statements = [
    'create database mysql;',
    'use mysql;',
    'SET @auth_root_socket=NULL;',
    'SET @skip_auth_anonymous=1;',
    '',
  ];
  const texts = await Promise.all(
    PARTS.filter((part) => part !== 'fill_help_tables').map((part) =>
      readFile(findFile(shareDir, FILES[part]), 'utf8'),
    ),
  );
  // The only account left is root on the unix socket, which is in a folder of the user's own.
  const ending =
    "DELETE FROM mysql.global_priv WHERE Host <> 'localhost' OR User NOT IN ('root', 'mariadb.sys');\n";
  return [statements.join('\n'), ...texts, 'use mysql;\n', ending].join('\n');
}

function findFile(shareDir: string, names: readonly string[]): string {
  const found = names.map((name) => join(shareDir, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new StormlampError(
    ErrorCode.SERVER_MISSING,
    `${shareDir} has no ${names.join(' or ')}, which MariaDB's data folder is made with; install the complete server package`,
  );
}
