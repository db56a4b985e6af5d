/** Single memcached servers with the arguments that a test wants; they end with this process, however that ends. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/testing/process/free-port.js';
import { Guardian } from '../../src/testing/process/guardian.js';
import { NativeLauncher } from '../../src/testing/process/native-launcher.js';
import type { RunningServer } from '../../src/testing/process/running-server.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { eventually } from './eventually.js';

/** A memcached server. */
export interface TestMemcached {
  readonly host: string;
  readonly port: number;
  readonly server: RunningServer;
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>;
  /** Starts it on the same port after it ended. */
  start(): Promise<void>;
}

/** Starts and ends servers. */
export class MemcachedServers implements AsyncDisposable {
  readonly folder: string;
  readonly #guardian: Guardian;
  readonly #launcher: NativeLauncher;
  readonly #running: RunningServer[] = [];

  private constructor(folder: string, guardian: Guardian, launcher: NativeLauncher) {
    this.folder = folder;
    this.#guardian = guardian;
    this.#launcher = launcher;
  }

  static async open(version: 'system' | 'newest' = 'system'): Promise<MemcachedServers> {
    const binaries = await resolveServers(['memcached'], { versions: { memcached: version } });
    const folder = mkdtempSync(join(tmpdir(), 'stormlamp-'));
    const guardian = new Guardian(randomUUID());
    guardian.watchFolder(folder);
    return new MemcachedServers(folder, guardian, new NativeLauncher(binaries, guardian));
  }

  /** A server on a free port of `host`. */
  async start(args: readonly string[] = [], host = '127.0.0.1', env = {}): Promise<TestMemcached> {
    const port = await freePort();
    const all = ['-l', host, '-p', String(port), ...args];
    let server = await this.#launch(all, { host, port }, env);
    return {
      host,
      port,
      get server() {
        return server;
      },
      start: async () => {
        server = await this.#launch(all, { host, port }, env);
      },
      restart: async () => {
        await server.kill();
        server = await this.#launch(all, { host, port }, env);
      },
    };
  }

  /** A server on a unix socket only. */
  async startOnSocket(): Promise<string> {
    const path = join(this.folder, 'memcached.sock');
    await this.#launch(['-s', path], { path });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((server) => server.kill()));
    await rm(this.folder, { recursive: true, force: true });
    await this.#guardian.end();
  }

  async #launch(args: readonly string[], target: NetConnectOpts, env = {}): Promise<RunningServer> {
    const server = await this.#launcher.launch({
      server: 'memcached',
      name: 'memcached',
      folder: this.folder,
      logFile: join(this.folder, 'memcached.log'),
      env,
      args: ['-U', '0', '-m', '64', ...args],
    });
    this.#running.push(server);
    await eventually('memcached listens', () => {
      if (!server.running) throw new Error(`memcached ${args.join(' ')} did not start`);
      return accepts(target);
    });
    return server;
  }
}

function accepts(target: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
