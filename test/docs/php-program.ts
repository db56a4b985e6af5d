/** A `php` as a site has it installed: the PHP that was found, with sessions on given nodes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { iniArgs, sessionIni } from '../../src/testing/php/php-ini.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';

/** Writes the program into `folder`; the environment in which the commands find it. */
export async function phpProgram(nodes: readonly string[], folder: string): Promise<Record<string, string>> {
  const { php } = await resolveServers(['php']);
  if (php === undefined) throw new Error('PHP was not resolved');
  const words = [...php.cli.prefixArgs, ...php.extensionArgs, ...iniArgs(sessionIni(nodes, folder))];
  const quoted = [php.cli.command, ...words].map((word) => `'${word}'`).join(' ');
  const program = join(folder, 'php');
  writeFileSync(program, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
  return { ...(php.cli.env as Record<string, string>), STORMLAMP_PHP: program };
}
