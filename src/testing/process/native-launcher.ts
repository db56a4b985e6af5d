/** Starts server programs of this machine. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { MARIADB_BOOTSTRAP_ARGS, mariadbBootstrapSql } from '../database/mariadb-data.js';
import { MYSQL_INITIALIZE_ARGS } from '../database/mysql-data.js';
import { SERVER_NAMES } from '../servers/resolve-servers.js';
import type { ServerBinaries, ServerName, ServerProgram } from '../servers/server-binaries.js';
import type { Guardian } from './guardian.js';
import { logTail } from './log-tail.js';
import type { RunningServer } from './running-server.js';
import type { LaunchSpec, LocalServerVersion, ServerLauncher } from './server-launcher.js';
import { ServerProcess } from './server-process.js';

const LOG_LINES = 15;

/** Runs what `resolveServers` found, watched by the cluster's guardian. */
export class NativeLauncher implements ServerLauncher {
  readonly versions: Readonly<Partial<Record<ServerName, LocalServerVersion>>>;
  readonly #binaries: ServerBinaries;
  readonly #guardian: Guardian;

  /** Keeps what it is given; starts nothing. */
  constructor(binaries: ServerBinaries, guardian: Guardian) {
    this.#binaries = binaries;
    this.#guardian = guardian;
    this.versions = Object.fromEntries(
      SERVER_NAMES.flatMap((name) => {
        const program = this.#program(name);
        if (program === undefined) return [];
        const { version, origin, command, prefixArgs } = program;
        return [[name, { version, origin, from: prefixArgs.at(-1) ?? command }]];
      }),
    );
  }

  async launch(spec: LaunchSpec): Promise<RunningServer> {
    const program = this.#program(spec.server);
    if (program === undefined) {
      throw new StormlampError(
        ErrorCode.SERVER_MISSING,
        `${spec.name} needs ${spec.server}, which this cluster was started without; ask for it in the options`,
      );
    }
    const before =
      spec.server === 'php'
        ? (this.#binaries.php?.extensionArgs ?? [])
        : spec.server === 'memcached'
          ? asUser('-u')
          : [];
    return await ServerProcess.launch({ ...spec, program, args: [...before, ...spec.args] }, this.#guardian);
  }

  databaseArgs(server: 'mariadb' | 'mysql'): readonly string[] {
    const files = this.#binaries[server];
    if (files === undefined) return [];
    return [
      '--no-defaults',
      `--basedir=${files.baseDir}`,
      `--lc-messages-dir=${files.shareDir}`,
      `--plugin-dir=${files.pluginDir}`,
      ...asUser('--user')
        .slice(1)
        .map((user) => `--user=${user}`),
    ];
  }

  socketPath(folder: string): string {
    return join(folder, 's.sock');
  }

  async makeData(server: 'mariadb' | 'mysql', data: string, folder: string): Promise<void> {
    const logFile = join(folder, 'make.log');
    const tmpDir = join(folder, 'tmp');
    mkdirSync(tmpDir, { recursive: true, mode: 0o700 });
    let stdinFile: string | undefined;
    if (server === 'mariadb') {
      stdinFile = join(folder, 'bootstrap.sql');
      writeFileSync(stdinFile, await this.#bootstrapSql(), { mode: 0o600 });
    }
    const own = server === 'mariadb' ? MARIADB_BOOTSTRAP_ARGS : MYSQL_INITIALIZE_ARGS;
    const name = `the empty ${server} database`;
    const args = [...this.databaseArgs(server), `--datadir=${data}`, `--tmpdir=${tmpDir}`, ...own];
    const maker = await this.launch({ server, name, args, folder, logFile, stdinFile });
    const how = await maker.ended;
    if (how !== 'exit code 0') {
      throw new StormlampError(
        ErrorCode.SERVER_START,
        `Making ${name} failed with ${how}; check the free space and memory, and the end of its log:\n${logTail(logFile, LOG_LINES)}`,
      );
    }
    // Two servers with one uuid cannot replicate from each other; each makes its own at its first start.
    await rm(join(data, 'auto.cnf'), { force: true });
  }

  async dataFingerprint(server: 'mariadb' | 'mysql'): Promise<readonly string[]> {
    const version = this.versions[server];
    const made =
      server === 'mariadb' ? [await this.#bootstrapSql(), ...MARIADB_BOOTSTRAP_ARGS] : MYSQL_INITIALIZE_ARGS;
    return [server, version?.version ?? '', process.arch, ...made];
  }

  async close(): Promise<void> {}

  #bootstrapSql(): Promise<string> {
    return mariadbBootstrapSql(this.#binaries.mariadb?.shareDir ?? '');
  }

  #program(server: ServerName): ServerProgram | undefined {
    switch (server) {
      case 'mariadb':
      case 'mysql':
        return this.#binaries[server]?.server;
      case 'memcached':
      case 'pt-heartbeat':
      case 'haproxy':
      case 'arping':
        return this.#binaries[server];
      case 'php':
        return this.#binaries.php?.cli;
    }
  }
}

/** The servers refuse to run as root without being told so. */
function asUser(option: string): readonly string[] {
  return process.getuid?.() === 0 ? [option, 'root'] : [];
}
