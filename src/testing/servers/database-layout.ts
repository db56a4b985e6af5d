/** Where a MariaDB or MySQL installation keeps its messages and plugins, seen from its program. */
import { dirname, join } from 'node:path';

/** The folders that a database server is told. */
export interface DatabaseLayout {
  /** `--basedir`. */
  readonly baseDir: string;
  /** `--lc-messages-dir`. */
  readonly shareDir: string;
  /** `--plugin-dir`. */
  readonly pluginDir: string;
}

/** Packagers' choices, of both servers; the first that is there is taken. */
const SHARES = [
  'share/mysql',
  'share/mariadb',
  'share',
  'share/mysql-server',
  'share/mysql-8.0',
  'share/mysql-8.4',
];
const PLUGINS = [
  'lib/mysql/plugin',
  'lib64/mysql/plugin',
  'lib/mariadb/plugin',
  'lib64/mariadb/plugin',
  'lib/plugin',
  'lib64/plugin',
];

/** Packagers' choices for Galera's library. */
const GALERA_LIBRARIES = ['lib/galera', 'lib', 'lib64/galera-4', 'lib64/galera', 'lib/galera-4'];

/**
 * The layout of the server whose program is `program`, with links resolved; `undefined` when the error messages,
 * without which it does not start, are nowhere near. `isFile` and `isFolder` look at the disk.
 */
export function databaseLayout(
  program: string,
  isFile: (path: string) => boolean,
  isFolder: (path: string) => boolean,
): DatabaseLayout | undefined {
  // bin, sbin or libexec
  const baseDir = dirname(dirname(program));
  const shareDir = SHARES.map((path) => join(baseDir, path)).find((path) =>
    isFile(join(path, 'english', 'errmsg.sys')),
  );
  if (shareDir === undefined) return undefined;
  const plugins = PLUGINS.map((path) => join(baseDir, path));
  const pluginDir = plugins.find(isFolder) ?? join(baseDir, PLUGINS[0] ?? '');
  return { baseDir, shareDir, pluginDir };
}

/** Galera's library below `baseDir`, for `wsrep_provider`; `undefined` when it is not there. */
export function galeraLibrary(baseDir: string, isFile: (path: string) => boolean): string | undefined {
  return GALERA_LIBRARIES.map((path) => join(baseDir, path, 'libgalera_smm.so')).find(isFile);
}
