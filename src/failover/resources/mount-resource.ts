/** A file system that only one machine may mount: the other one is fenced first, or nothing is mounted. */
import { readFile, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { invalidOption, readString, readStrings, rejectUnknownOptions } from '../../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { type FenceResult, fenceResultOf } from '../fence-result.js';
import type { LeaseContext, LeasedResource, LossContext } from './leased-resource.js';
import { isOfType, type Mounted, mountedOn, readMounts } from './mount-table.js';
import { mustRun, type RunCommand, runCommand } from './run-command.js';

/** Options of {@link mountResource}. */
export interface MountResourceOptions {
  /** What is mounted, like `/dev/disk/by-uuid/…`. */
  readonly source: string;
  /** Where; the folder must be there. Symbolic links are followed. */
  readonly path: string;
  /** The file system's type, like `ext4`, as `mount -t` takes it. */
  readonly type: string;
  /** Options for `mount -o`. */
  readonly options?: readonly string[] | undefined;
  /**
   * Makes sure that no other machine can write to the device: cuts its power, takes its path to the storage away. Called before
   * every mount, at the first start and after a holder that let go in peace, too; must be safe to call again. Two machines that
   * mount one ext4 or xfs destroy it.
   */
  readonly fence: (context: LeaseContext) => Promise<FenceResult>;
  /** Looks whether what is there is what should be there; what it throws unmounts again. */
  readonly verify?: ((path: string) => Promise<void>) | undefined;
  /** Starts what uses the file system. */
  readonly start?: ((context: LeaseContext) => Promise<void>) | undefined;
  /** Stops what uses it; it cannot be unmounted while a file in it is open. */
  readonly stop?: ((context: LossContext) => Promise<void>) | undefined;
  /** Runs programs. Default: those of this machine. */
  readonly run?: RunCommand | undefined;
}

/** Longest time for mounting and for unmounting, milliseconds. */
const COMMAND_MS = 30_000;

/**
 * A mount for a {@link LeaderLease}: fence, mount, verify, start; and back: stop, unmount, verify.
 *
 * A mount has no lifetime in the kernel: when this process dies it stays. That is why the next holder fences before it mounts.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function mountResource(options: MountResourceOptions): LeasedResource {
  rejectUnknownOptions('mount', options, [
    'source',
    'path',
    'type',
    'options',
    'fence',
    'verify',
    'start',
    'stop',
    'run',
  ]);
  for (const name of ['source', 'path', 'type'] as const)
    if (readString(`mount.${name}`, options[name], '') === '')
      throw invalidOption(`mount.${name}`, 'a text', options[name]);
  if (typeof options.fence !== 'function')
    throw invalidOption('mount.fence', 'a function that fences the other machine', options.fence);
  const flags = readStrings('mount.options', options.options, []);
  const path = resolve(options.path);
  const run = options.run ?? runCommand;
  // The kernel lists no path with a symbolic link in it.
  const real = (): Promise<string> =>
    realpath(path).catch((cause: unknown) => {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `${path}, on which ${options.source} is to be mounted, cannot be found: ${describeError(cause)}; make the folder`,
        { cause },
      );
    });
  const now = async (at: string): Promise<Mounted | undefined> =>
    mountedOn(readMounts(await readFile('/proc/self/mountinfo', 'utf8')), at);
  /** Where it was mounted last: a path is not followed again through a file system that may be gone. */
  let place: string | undefined;
  /** A `mount` that is under way: who lets go before its end finds nothing mounted yet. */
  let mounting: Promise<unknown> = Promise.resolve();
  /** Never lazily: files that are still open would be written to after the next holder has mounted. */
  const unmount = async (at: string): Promise<void> => {
    if ((await now(at)) === undefined) return;
    await mustRun(run, 'umount', [at], COMMAND_MS);
    if ((await now(at)) !== undefined)
      throw new StormlampError(ErrorCode.UNSUPPORTED, `${path} is still mounted after \`umount\``);
  };

  return {
    check: async () => {
      if ((await now(await real())) === undefined) return;
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `Something is mounted on ${path} already; unmount it and take it out of /etc/fstab: only the holder of the lease mounts it`,
      );
    },
    acquired: async (context) => {
      const fenced = fenceResultOf(await options.fence(context));
      if (fenced.state !== 'fenced') {
        throw new StormlampError(
          ErrorCode.UNSUPPORTED,
          `${options.source} is not mounted: fencing ended as '${fenced.state}' (${fenced.detail}), so another machine may still write to it`,
        );
      }
      if (context.signal.aborted) return;
      const at = await real();
      place = at;
      // Another machine may have written since that was mounted, and what is kept of it in memory here is old.
      await unmount(at).catch((cause: unknown) => {
        throw new StormlampError(
          ErrorCode.UNSUPPORTED,
          `${options.source} is not mounted: what was mounted on ${path} before is still there, and may be older than the device ` +
            `(${describeError(cause)}); end what uses it, and unmount it`,
          { cause },
        );
      });
      if (context.signal.aborted) return;
      const more = flags.length === 0 ? [] : ['-o', flags.join(',')];
      const mount = mustRun(run, 'mount', ['-t', options.type, ...more, options.source, at], COMMAND_MS);
      mounting = mount.catch(() => undefined);
      await mount;
      if (context.signal.aborted) return;
      const mounted = await now(at);
      if (mounted === undefined || !isOfType(options.type, mounted.type)) {
        throw new StormlampError(
          ErrorCode.UNSUPPORTED,
          `After mounting, ${path} holds ${mounted === undefined ? 'nothing' : `a ${mounted.type} of ${mounted.source}`} instead of the ${options.type} of ${options.source}`,
        );
      }
      await options.verify?.(path);
      if (context.signal.aborted) return;
      await options.start?.(context);
    },
    lost: async (context) => {
      let failed: { readonly error: unknown } | undefined;
      try {
        await options.stop?.(context);
      } catch (error) {
        // What did not stop may be gone all the same, or use nothing of it.
        failed = { error };
      }
      await mounting;
      try {
        await unmount(place ?? (await real()));
      } catch (error) {
        if (failed === undefined) throw error;
        const message = `${describeError(failed.error)}; ${describeError(error)}`;
        throw new StormlampError(ErrorCode.UNSUPPORTED, message, { cause: error });
      }
      if (failed !== undefined) throw failed.error;
    },
  };
}
