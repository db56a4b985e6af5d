/** Starts real servers for a test or a demonstration. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { aborted } from '../common/deadline.js';
import type { LocalCluster } from './local-cluster.js';
import { type LocalClusterOptions, readLocalClusterOptions } from './local-cluster-options.js';
import { openLauncher } from './open-launcher.js';
import { Guardian } from './process/guardian.js';
import type { ServerLauncher } from './process/server-launcher.js';
import { StartedCluster } from './started-cluster.js';
import { storageError, temporaryStorage, usingStorage } from './storage-error.js';

/** A unix socket's path has at most 107 bytes on Linux, and the node's part of it is short. */
const LONGEST_FOLDER = 80;

/**
 * Starts a primary with its replicas, memcached nodes and PHP, each on a free port of 127.0.0.1 and in a folder of its
 * own, and resolves when all of them answer and the replicas have everything. Servers that this machine lacks are
 * got first (see `resolveServers`).
 *
 * When this process ends without `close()`, even by SIGKILL, all processes and files of the cluster are removed.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`; `ERR_SERVER_MISSING` with what to install, or with what is wrong with the
 * cache folder; `ERR_SERVER_START` with the end of the server's log, or with what is wrong with the folder for temporary
 * files; `ERR_ABORTED`. Nothing is left then.
 */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const resolved = readLocalClusterOptions(options);
  const { signal } = resolved;
  checkAborted(signal);
  const storage = temporaryStorage(shortTmpdir());
  const folder = await usingStorage(storage, () => mkdtempSync(join(storage.path, 'stormlamp-')));
  let guardian: Guardian | undefined;
  let launcher: ServerLauncher | undefined;
  try {
    guardian = new Guardian(randomUUID(), resolved.keepFolder ? [] : [folder]);
    launcher = await openLauncher(resolved, folder, guardian);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    await guardian?.end();
    throw storageError(storage, error);
  }
  const cluster = new StartedCluster({ options: resolved, folder, guardian, launcher });
  try {
    await cluster.start();
    checkAborted(signal);
    return cluster;
  } catch (error) {
    await cluster.close();
    throw storageError(storage, error);
  }
}

function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted('Starting the local cluster', signal.reason);
}

function shortTmpdir(): string {
  // The servers have other working folders than this process.
  const folder = resolve(tmpdir());
  return Buffer.byteLength(folder) > LONGEST_FOLDER ? '/tmp' : folder;
}
