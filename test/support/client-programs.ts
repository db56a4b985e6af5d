/** The client programs that came with the servers of this machine. */
import { dirname, join } from 'node:path';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import type { ServerProgram } from '../../src/testing/servers/server-binaries.js';

/** How `name`, a program beside the server of `flavor`, is started: MariaDB's client is the system's, whatever release serves. */
export async function clientProgram(flavor: 'mariadb' | 'mysql', name: string): Promise<readonly string[]> {
  const { [flavor]: found } = await resolveServers([flavor]);
  if (found === undefined) throw new Error(`no ${flavor} was found`);
  return beside(found.server, name);
}

function beside({ command, prefixArgs }: ServerProgram, name: string): readonly string[] {
  const program = (path: string): string => join(dirname(dirname(path)), 'bin', name);
  const path = prefixArgs.at(-1);
  return path === undefined ? [program(command)] : [command, ...prefixArgs.slice(0, -1), program(path)];
}
