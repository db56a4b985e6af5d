/** Looks once at mounts for people: nothing is made, marked or written. */
import { stat } from 'node:fs/promises';
import { fileThreads } from './file-threads.js';
import { identifyMounts } from './identify-mounts.js';
import type { MountStatus } from './mirrored-mounts.js';
import { Mount } from './mount.js';

/** What is known of mounts that nobody opened. */
export interface MountsSight {
  /** Whether any of them has a mark: somebody has opened them before. */
  readonly marked: boolean;
  /** The mounts and their states. Where all are there and none has a mark yet, they are well. */
  readonly mounts: readonly (MountStatus & {
    /** The file system that it is on; undefined when it cannot be reached. */
    readonly device: number | undefined;
  })[];
}

/**
 * Looks at mounts, each within its deadline.
 *
 * @param optionPath the name of the option that lists them, for messages
 * @throws StormlampError `ERR_INVALID_OPTION`, `ERR_ACCESS_DENIED` as when they are opened.
 */
export async function lookAtMounts(
  paths: readonly string[],
  optionPath: string,
  operationTimeoutMs: number,
): Promise<MountsSight> {
  const mounts = paths.map(
    (path) =>
      new Mount({ path, threads: fileThreads, timeoutMs: operationTimeoutMs, onChange: () => undefined }),
  );
  try {
    const marked = await identifyMounts(mounts, { optionPath, ownerIn: 'nobody-is-to-mark' });
    await Promise.all(mounts.map((mount) => mount.check('without-writing')));
    const isNew = !marked && mounts.every(isUnmarked);
    if (isNew) await Promise.all(mounts.map(admitFolder));
    const devices = await Promise.all(mounts.map(deviceOf));
    return {
      marked,
      mounts: mounts.map(({ path, health }, at) => ({ mount: path, health, device: devices[at] })),
    };
  } finally {
    for (const mount of mounts) mount.leave();
  }
}

function isUnmarked({ health }: Mount): boolean {
  return health.phase === 'down' && health.why === 'unmarked';
}

async function deviceOf(mount: Mount): Promise<number | undefined> {
  if (mount.health.phase === 'down') return undefined;
  return await mount
    .reach('Looking at the folder', async () => (await stat(mount.path)).dev)
    .catch(() => undefined);
}

async function admitFolder(mount: Mount): Promise<void> {
  const isFolder = await mount
    .reach('Looking at the folder', async () => (await stat(mount.path)).isDirectory())
    .catch(() => false);
  if (isFolder) mount.become({ phase: 'healthy' });
}
