/** What images hold, from the servers of this machine: their programs by the names that they have in images. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOCAL_CLUSTER_DEFAULTS } from '../../src/testing/local-cluster-options.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import type { ServerProgram } from '../../src/testing/servers/server-binaries.js';
import { ProcessEngine } from './process-engine.js';

/** An engine with the images that a local cluster takes, and the variables that lead testcontainers to it. */
export async function startProcessEngine(
  folder: string,
): Promise<{ readonly engine: ProcessEngine; readonly env: Readonly<Record<string, string>> }> {
  const { mariadb, memcached, php } = await resolveServers(['mariadb', 'memcached', 'php']);
  if (mariadb === undefined || memcached === undefined || php === undefined)
    throw new Error('A server is missing');
  const usr = join(folder, 'usr');
  for (const name of ['bin', 'sbin', 'share']) mkdirSync(join(usr, name), { recursive: true });
  const { baseDir, shareDir, pluginDir } = mariadb;
  const places = [`--basedir=${baseDir}`, `--lc-messages-dir=${shareDir}`, `--plugin-dir=${pluginDir}`];
  for (const name of ['my_print_defaults', 'resolveip'])
    symlinkSync(join(baseDir, 'bin', name), join(usr, 'bin', name));
  symlinkSync(shareDir, join(usr, 'share/mysql'));
  put(join(usr, 'sbin/mariadbd'), mariadb.server, '--no-defaults', ...places);
  writeFileSync(
    join(usr, 'bin/mariadb-install-db'),
    `#!/bin/sh\nexec '${baseDir}/bin/mariadb-install-db' --basedir='${usr}' "$@"\n`,
    { mode: 0o755 },
  );
  put(join(usr, 'bin/memcached'), memcached);
  put(join(usr, 'bin/php'), php.cli, ...php.extensionArgs);
  const images = {
    [LOCAL_CLUSTER_DEFAULTS.images.mariadb]: ['MARIADB_VERSION=1:11.8.2+maria~ubu2404'],
    [LOCAL_CLUSTER_DEFAULTS.images.memcached]: ['MEMCACHED_VERSION=1.6.39'],
  };
  const path = `${join(usr, 'bin')}:${join(usr, 'sbin')}`;
  const { engine, host } = await ProcessEngine.start(folder, path, images);
  const env = {
    DOCKER_HOST: host,
    TESTCONTAINERS_HOST_OVERRIDE: 'localhost',
    TESTCONTAINERS_RYUK_DISABLED: 'true',
    // The empty database is not what the image with this version would make.
    STORMLAMP_CACHE: join(folder, 'cache'),
  };
  return { engine, env };
}

function put(file: string, program: ServerProgram, ...first: readonly string[]): void {
  const variables = Object.entries(program.env).map(([name, value]) => `export ${name}='${value}'\n`);
  const words = [program.command, ...program.prefixArgs, ...first].map((word) => `'${word}'`).join(' ');
  // It has to be the first argument of a database server, whose own files are told after it.
  const shift = first[0] === '--no-defaults' ? 'test "$1" = --no-defaults || exit 9\nshift\n' : '';
  const text = `#!/bin/sh\n${variables.join('')}${shift}exec ${words} "$@"\n`;
  writeFileSync(file, text, { mode: 0o755 });
}
