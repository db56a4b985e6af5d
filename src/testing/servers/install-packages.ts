/** Installs a package set into the cache: download, unpack, verify, and one rename at the end. */

import { randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { aborted } from '../../common/deadline.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { Guardian } from '../process/guardian.js';
import { cacheStorage, usingStorage } from '../storage-error.js';
import { type AptRun, downloadPackages, packageNames, planPackages, updateIndexes } from './apt-client.js';
import { keepAcquireSettings, writeAptConfiguration } from './apt-configuration.js';
import { type AptSource, describeSource } from './apt-sources.js';
import { checkProgramRoot, packageFolderName } from './cache-folder.js';
import { findFolderProgram, verifyFolderProgram } from './cached-server.js';
import { type InstallLock, takeInstallLock } from './install-lock.js';
import type { InstallProgressListener } from './install-progress.js';
import type { AptSystem } from './operating-system.js';
import { MANIFEST_FORMAT, readManifest, type VerifiedProgram, writeManifest } from './package-manifest.js';
import { newestPackage, type PackageSet } from './package-sets.js';
import { addOwnTimeZones } from './php-time-zones.js';
import { isAlive, ownIdentity, parseIdentity } from './process-identity.js';
import { runProgram } from './run-program.js';
import { unpackPackages } from './unpack-packages.js';

/** What {@link installPackages} takes. */
export interface InstallOptions {
  /** The set to install. */
  readonly set: PackageSet;
  /** The system it is for. */
  readonly system: AptSystem;
  /** Debian's name of the machine's architecture. */
  readonly architecture: string;
  /** The repositories it is from. */
  readonly sources: readonly AptSource[];
  /** The cache's root. */
  readonly root: string;
  /** Gets the progress. */
  readonly onProgress: InstallProgressListener;
  /** Stops the work; nothing half is left. */
  readonly signal: AbortSignal | undefined;
}

/** What {@link installPackages} did. */
export interface InstallResult {
  /** The finished folder. */
  readonly folder: string;
  /** False when it was there already, or another process made it meanwhile. */
  readonly installed: boolean;
}

const LOCK_TIMEOUT_MS = 900_000;
const ASK_TIMEOUT_MS = 20_000;
/** Programs that were just ended may still have written a last file. */
const REMOVE = { recursive: true, force: true, maxRetries: 5, retryDelay: 100 } as const;
const OWNER_FILE = 'owner.json';
/** Folders that are being filled, and locks that were about to be taken. */
const TEMPORARY = /\.(?:tmp-|lock\.)[0-9a-f-]{36}$/;
const UNOWNED_AGE_MS = 60_000;
const FOREIGN_AGE_MS = 86_400_000;

/**
 * Makes the folder of a package set, unless it is there. Two processes that want the same one make it once. When this
 * process dies meanwhile, what it has begun is ended and removed.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` with the reason of apt, of a program that does not run or of the cache
 * folder; `ERR_TIMEOUT` when another process takes too long, `ERR_ABORTED`.
 */
export async function installPackages(options: InstallOptions): Promise<InstallResult> {
  checkProgramRoot(options.root);
  return await usingStorage(cacheStorage(options.root), () => install(options));
}

async function install(options: InstallOptions): Promise<InstallResult> {
  const { set, system, architecture, root } = options;
  const name = packageFolderName({
    distro: system.distro,
    suite: set.suite ?? system.suite,
    set: set.name,
    architecture,
  });
  const folder = join(root, name);
  if (isFinished(folder)) return { folder, installed: false };
  makeRoot(root);
  const guardian = new Guardian(randomUUID());
  try {
    return await installAlone(name, folder, options, guardian);
  } finally {
    await guardian.end();
  }
}

async function installAlone(
  name: string,
  folder: string,
  options: InstallOptions,
  guardian: Guardian,
): Promise<InstallResult> {
  const { root, signal, onProgress } = options;
  const lockFile = join(root, `${name}.lock`);
  const lock: InstallLock = await takeInstallLock(lockFile, {
    timeoutMs: LOCK_TIMEOUT_MS,
    signal,
    onWait: (waitedMs, holder) =>
      onProgress({
        phase: 'wait',
        set: name,
        done: Math.round(waitedMs),
        total: LOCK_TIMEOUT_MS,
        message: `Waiting for process ${holder?.pid ?? '?'}, which installs the same packages`,
      }),
  });
  try {
    guardian.watchLock(lockFile, lock.token);
    if (isFinished(folder)) return { folder, installed: false };
    sweepTemporaryFolders(root);
    const temporary = join(root, `${name}.tmp-${randomUUID()}`);
    guardian.watchFolder(temporary);
    try {
      mkdirSync(temporary);
      writeFileSync(join(temporary, OWNER_FILE), JSON.stringify(ownIdentity()));
      await fill(temporary, name, options, guardian.env);
      return { folder, installed: publish(temporary, folder) };
    } finally {
      // What cannot be removed now is swept by the next installation, and must not hide why this one failed.
      await rm(temporary, REMOVE).catch(() => undefined);
    }
  } finally {
    lock.release();
  }
}

async function fill(
  temporary: string,
  name: string,
  options: InstallOptions,
  env: Guardian['env'],
): Promise<void> {
  const { set, system, architecture, sources, onProgress, signal } = options;
  const apt = join(temporary, 'apt');
  const content = join(temporary, 'content');
  mkdirSync(apt);
  mkdirSync(content);
  const dump = await runProgram('apt-config', ['dump'], { env, signal, timeoutMs: ASK_TIMEOUT_MS });
  const configuration = writeAptConfiguration({
    folder: apt,
    sources,
    architecture,
    without: set.without ?? [],
    origin: system.family === 'ubuntu' ? 'Ubuntu' : 'Debian',
    acquire: keepAcquireSettings(dump.stdout),
  });
  const run: AptRun = { configuration, set: name, env, onProgress, signal };
  const complaints = await updateIndexes(run);
  const requested = [...set.packages, ...(await newest(run, set, complaints))];
  const plan = await planPackages(run, requested, complaints);
  await downloadPackages(run, requested, plan);
  await unpackPackages({
    archives: configuration.archives,
    into: content,
    env,
    signal,
    onUnpacked: (done, total) =>
      onProgress({
        phase: 'unpack',
        set: name,
        done,
        total,
        message: `Unpacking packages (${done} of ${total})`,
      }),
  });
  const php = set.servers.includes('php') ? findFolderProgram(content, 'php') : undefined;
  if (php !== undefined) addOwnTimeZones(content, php);
  const programs: Record<string, VerifiedProgram> = {};
  for (const [index, server] of set.servers.entries()) {
    const verified = await verifyFolderProgram(content, architecture, server, signal);
    if (verified === undefined) {
      throw new StormlampError(
        ErrorCode.SERVER_MISSING,
        `The packages ${requested.join(', ')} do not hold a ${server} program for ${architecture}`,
      );
    }
    programs[server] = verified;
    onProgress({
      phase: 'verify',
      set: name,
      done: index + 1,
      total: set.servers.length,
      message: `${server} ${verified.version} runs`,
    });
  }
  writeManifest(content, {
    format: MANIFEST_FORMAT,
    set: name,
    architecture,
    createdAt: new Date().toISOString(),
    sources: sources.map(describeSource),
    requested,
    packages: Object.fromEntries(plan.map((entry) => [entry.name, entry.version])),
    programs,
  });
  if (signal?.aborted === true) throw aborted('The installation', signal.reason);
}

async function newest(run: AptRun, set: PackageSet, complaints: string): Promise<readonly string[]> {
  if (set.newestOf === undefined) return [];
  const found = newestPackage(await packageNames(run, set.newestOf), set.newestOf);
  if (found !== undefined) return [found];
  throw new StormlampError(
    ErrorCode.SERVER_MISSING,
    `The package repositories have no ${set.newestOf}. ${complaints}`.trim(),
  );
}

/** Puts the finished content in its place; false when another process was faster. */
function publish(temporary: string, folder: string): boolean {
  if (existsSync(folder) && !isFinished(folder)) rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(join(temporary, 'content'), folder);
    return true;
  } catch (error) {
    if (isFinished(folder)) return false;
    throw error;
  }
}

/** Removes what processes left that were killed while they installed. */
function sweepTemporaryFolders(root: string): void {
  for (const name of readdirSync(root)) {
    if (!TEMPORARY.test(name)) continue;
    const path = join(root, name);
    const owner = parseIdentity(textOf(join(path, OWNER_FILE)));
    const alive = owner === undefined ? 'unknown' : isAlive(owner);
    const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    // One without a readable owner was just made, or is left over for good; one of another machine may be in use there.
    const bound = owner === undefined ? UNOWNED_AGE_MS : FOREIGN_AGE_MS;
    if (alive === 'no' || (alive === 'unknown' && ageMs > bound)) removeQuietly(path);
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, REMOVE);
  } catch {
    // A program that outlived its killed parent may still write there; the next installation tries again.
  }
}

function makeRoot(root: string): void {
  try {
    mkdirSync(root, { recursive: true });
    accessSync(root, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new StormlampError(
      ErrorCode.SERVER_MISSING,
      `The cache folder ${root} cannot be used (${describeError(cause)}); set STORMLAMP_CACHE to a folder that can be written`,
      { cause },
    );
  }
}

function isFinished(folder: string): boolean {
  return readManifest(folder) !== undefined;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
