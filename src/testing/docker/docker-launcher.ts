/**
 * Starts servers in containers that share this machine's network and the cluster's folder. So addresses, ports, logs
 * and replication are the same as with processes, PHP has the same words for its nodes as Node, and the same code
 * looks after both. It needs an engine with host networking: on Linux all have it, Docker Desktop has a setting for it.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StartedTestContainer } from 'testcontainers';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { MYSQL_INITIALIZE_ARGS } from '../database/mysql-data.js';
import type { LocalProgressListener } from '../local-progress.js';
import { logTail } from '../process/log-tail.js';
import type { RunningServer } from '../process/running-server.js';
import type { LaunchSpec, LocalServerVersion, ServerLauncher } from '../process/server-launcher.js';
import type { ServerName } from '../servers/server-binaries.js';
import { CONTAINER_PROGRAMS, containerCommand, imageVersion } from './container-command.js';
import { ContainerServer } from './container-server.js';
import { connectDockerEngine, type DockerEngine } from './docker-engine.js';
import { PHP_DOCKERFILE, PHP_IMAGE } from './php-image.js';

const LOG_LINES = 15;
/** The install script of MariaDB's own images, and the removal of all accounts but root on the unix socket. */
const MARIADB_DATA_SCRIPT = `mariadb-install-db "$@" --auth-root-authentication-method=normal --skip-test-db &&
printf '%s\\n' 'use mysql;' "DELETE FROM mysql.global_priv WHERE Host <> 'localhost' OR User NOT IN ('root', 'mariadb.sys');" |
mariadbd "$@" --bootstrap`;

/** What a Docker launcher is made with. */
export interface DockerLauncherOptions {
  /** The servers that will be started. */
  readonly servers: readonly ServerName[];
  /** Images by server; without one for PHP, an image is built. */
  readonly images: Readonly<Partial<Record<ServerName, string>>>;
  /** The cluster's folder. */
  readonly folder: string;
  /** Told what is being done. */
  readonly onProgress: LocalProgressListener;
}

/** Runs containers, which testcontainers' own reaper removes when this process dies. */
export class DockerLauncher implements ServerLauncher {
  readonly versions: Readonly<Partial<Record<ServerName, LocalServerVersion>>>;
  readonly #engine: DockerEngine;
  readonly #options: DockerLauncherOptions;
  readonly #running: Set<RunningServer> = new Set();

  /**
   * Connects to the engine and gets the images.
   *
   * @throws StormlampError `ERR_SERVER_MISSING` when no engine answers or an image cannot be had.
   */
  static async open(options: DockerLauncherOptions): Promise<DockerLauncher> {
    const engine = await connectDockerEngine();
    const versions: Partial<Record<ServerName, LocalServerVersion>> = {};
    for (const server of options.servers) {
      const image = options.images[server] ?? PHP_IMAGE;
      options.onProgress({ phase: 'install', message: `getting the image ${image}` });
      try {
        versions[server] = await getImage(engine, server, image, options);
      } catch (error) {
        const remedy =
          options.images[server] === undefined
            ? 'run it with the variable `DEBUG=testcontainers:build` to see why, or name an image whose PHP has the extension memcached in `images.php`'
            : `name another one in \`images.${server}\`, or pull it by hand`;
        throw new StormlampError(
          ErrorCode.SERVER_MISSING,
          `The image ${image} cannot be had (${describeError(error)}); ${remedy}`,
          { cause: error },
        );
      }
    }
    return new DockerLauncher(engine, options, versions);
  }

  private constructor(
    engine: DockerEngine,
    options: DockerLauncherOptions,
    versions: Readonly<Partial<Record<ServerName, LocalServerVersion>>>,
  ) {
    this.#engine = engine;
    this.#options = options;
    this.versions = versions;
  }

  async launch(spec: LaunchSpec): Promise<RunningServer> {
    const asRoot = spec.server === 'memcached' && process.getuid?.() === 0 ? ['-u', 'root'] : [];
    return await this.#run(spec, [CONTAINER_PROGRAMS[spec.server], ...asRoot, ...spec.args]);
  }

  databaseArgs(): readonly string[] {
    return ['--no-defaults', ...(process.getuid?.() === 0 ? ['--user=root'] : [])];
  }

  socketPath(): string {
    // Not in the shared folder: Docker Desktop's cannot hold sockets.
    return '/tmp/s.sock';
  }

  async makeData(server: 'mariadb' | 'mysql', data: string, folder: string): Promise<void> {
    const logFile = join(folder, 'make.log');
    const args = [...this.databaseArgs(), `--datadir=${data}`];
    const program =
      server === 'mariadb'
        ? ['/bin/sh', '-c', MARIADB_DATA_SCRIPT, 'sh', ...args]
        : ['mysqld', ...args, ...MYSQL_INITIALIZE_ARGS];
    const name = `the empty ${server} database`;
    const maker = await this.#run({ server, name, args: [], folder, logFile, shared: [data] }, program);
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
    const made = server === 'mariadb' ? [MARIADB_DATA_SCRIPT] : MYSQL_INITIALIZE_ARGS;
    return ['docker', server, version?.version ?? '', version?.from ?? '', ...made];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((server) => server.kill().catch(() => undefined)));
  }

  async #run(spec: LaunchSpec, program: readonly string[]): Promise<RunningServer> {
    const { library, client } = this.#engine;
    const folders = [this.#options.folder, ...(spec.shared ?? [])];
    const [shell, ...command] = containerCommand(spec, program);
    const container = new library.GenericContainer(this.versions[spec.server]?.from ?? '')
      .withNetworkMode('host')
      .withBindMounts(folders.map((path) => ({ source: path, target: path, mode: 'rw' as const })))
      .withWorkingDir(spec.folder)
      .withEnvironment({ ...spec.env })
      .withEntrypoint([shell])
      .withCommand(command)
      // Whether it is ready is found out as for processes.
      .withWaitStrategy(library.Wait.forAll([]));
    const uid = process.getuid?.();
    if (uid !== undefined) container.withUser(`${uid}:${process.getgid?.() ?? uid}`);
    let started: StartedTestContainer;
    try {
      started = await container.start();
    } catch (error) {
      throw new StormlampError(
        ErrorCode.SERVER_START,
        `The container of ${spec.name} did not start (${describeError(error)}); an engine with host networking is needed, that can mount ${spec.folder}`,
        { cause: error, node: spec.name },
      );
    }
    const server = new ContainerServer(
      client.container.getById(started.getId()),
      spec.name,
      spec.server === 'php' ? 'SIGINT' : 'SIGTERM',
    );
    this.#running.add(server);
    void server.ended.then(() => this.#running.delete(server));
    return server;
  }
}

async function getImage(
  engine: DockerEngine,
  server: ServerName,
  image: string,
  options: DockerLauncherOptions,
): Promise<LocalServerVersion> {
  const { library, client } = engine;
  const name = library.ImageName.fromString(image);
  const isOwn = server === 'php' && options.images.php === undefined;
  if (!isOwn) {
    await client.image.pull(name, { force: false, platform: undefined });
  } else if (!(await client.image.exists(name))) {
    const context = join(options.folder, 'php-image');
    await mkdir(context);
    await writeFile(join(context, 'Dockerfile'), PHP_DOCKERFILE);
    await library.GenericContainer.fromDockerfile(context).build(image, { deleteOnExit: false });
  }
  const { Config } = await client.image.inspect(name);
  return { version: imageVersion(server, Config.Env ?? []), origin: 'docker', from: image };
}
