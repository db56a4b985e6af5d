/** What commands look at on mounts, whoever does it: a call on one that hangs keeps a thread, and with it the process, for ever. */
import { readFile } from 'node:fs/promises';
import { describeError } from '../../common/stormlamp-error.js';
import { fileThreads } from '../../files/file-threads.js';
import { lookAtMounts } from '../../files/look-at-mounts.js';
import { Mount } from '../../files/mount.js';
import { isMissing } from '../../files/mount-health.js';

/** One mount as it was seen. */
export interface SeenMount {
  /** Its path. */
  readonly mount: string;
  /** Whether it answers. */
  readonly up: boolean;
  /** Its phase, and why. */
  readonly standing: string;
  /** What was seen; null when it is well. */
  readonly error: string | null;
  /** The file system that it is on; undefined when it cannot be reached. */
  readonly device: number | undefined;
}

/** Mounts as they were seen. */
export interface MountsView {
  /** Whether any of them has a mark: somebody has opened them before. */
  readonly marked: boolean;
  /** The mounts, in their order. */
  readonly mounts: readonly SeenMount[];
}

/** A file as one mount has it. */
export interface MountFile {
  /** The mount. */
  readonly mount: string;
  /** Its bytes; null when there is none, and when it cannot be read. */
  readonly bytes: Buffer | null;
  /** Why it cannot be read; null when it can, and when there is none. */
  readonly error: string | null;
}

/** Looks at mounts; each call on them has a deadline. */
export interface MountReader {
  /** The mounts of a session store. Errors: as `lookAtMounts`. */
  look(mounts: readonly string[], timeoutMs: number): Promise<MountsView>;
  /** The file `name` on every mount. */
  read(mounts: readonly string[], name: string, timeoutMs: number): Promise<readonly MountFile[]>;
}

/** Looks in this process. */
export const mountsHere: MountReader = {
  async look(paths, timeoutMs) {
    const { marked, mounts } = await lookAtMounts(paths, 'sessions.mounts', timeoutMs);
    return {
      marked,
      mounts: mounts.map(({ mount, health, device }) => ({
        mount,
        up: health.phase !== 'down',
        standing: 'why' in health ? `${health.phase}: ${health.why}` : health.phase,
        error: 'error' in health ? describeError(health.error) : null,
        device,
      })),
    };
  },
  async read(paths, name, timeoutMs) {
    const mounts = paths.map(
      (path) => new Mount({ path, threads: fileThreads, timeoutMs, onChange: () => undefined }),
    );
    try {
      return await Promise.all(mounts.map((mount) => readOn(mount, name)));
    } finally {
      for (const mount of mounts) mount.leave();
    }
  },
};

async function readOn(mount: Mount, name: string): Promise<MountFile> {
  try {
    const bytes = await mount.reach('Reading the session', () => readFile(mount.at(name)));
    return { mount: mount.path, bytes, error: null };
  } catch (error) {
    return { mount: mount.path, bytes: null, error: isMissing(error) ? null : describeError(error) };
  }
}
