/** A memcached server of a local cluster. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FaultProxy } from '../faults/fault-proxy.js';
import { LOCAL_HOST } from '../process/free-port.js';
import type { ServerLauncher } from '../process/server-launcher.js';
import { ManagedNode } from './managed-node.js';

/** What a memcached node is made of. */
export interface LocalMemcachedOptions {
  /** Its name. */
  readonly name: string;
  /** The cluster's folder. */
  readonly clusterFolder: string;
  /** Arguments that come last. */
  readonly serverArgs: readonly string[];
  /** Starts it. */
  readonly launcher: ServerLauncher;
  /** Ends a start that is under way. */
  readonly signal: AbortSignal | undefined;
}

/** A memcached node that is not started yet. */
export async function createLocalMemcached(options: LocalMemcachedOptions): Promise<ManagedNode> {
  const { name, launcher, serverArgs, signal } = options;
  const folder = join(options.clusterFolder, name);
  mkdirSync(folder, { mode: 0o700 });
  const logFile = join(folder, 'server.log');
  const proxy: FaultProxy = await FaultProxy.open(() => node.realPort);
  const node: ManagedNode = new ManagedNode({
    name,
    proxy,
    logFile,
    signal,
    launch: (port) =>
      launcher.launch({
        server: 'memcached',
        name,
        folder,
        logFile,
        args: ['-U', '0', '-l', LOCAL_HOST, '-p', String(port), '-m', '64', ...serverArgs],
      }),
  });
  return node;
}
