/** Makes the description of a database server from its program and the files near it. */
import { databaseLayout, galeraLibrary } from './database-layout.js';
import type { FoundServer } from './installed-server.js';
import { isFile, isFolder } from './package-folder.js';
import type { ServerProgram } from './server-binaries.js';

/** The server that `program` is, whose own file (links resolved) is `path`; `undefined` when its messages are missing. */
export function databaseServer(
  name: 'mariadb' | 'mysql',
  program: ServerProgram,
  path: string,
): FoundServer | undefined {
  const layout = databaseLayout(path, isFile, isFolder);
  if (layout === undefined) return undefined;
  if (name === 'mysql') return { name, binaries: { server: program, ...layout } };
  const galeraProvider = galeraLibrary(layout.baseDir, isFile);
  return {
    name,
    binaries: { server: program, ...layout, ...(galeraProvider === undefined ? {} : { galeraProvider }) },
  };
}
