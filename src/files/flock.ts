/**
 * The kernel's `flock(2)` for Node, which has no call for it.
 *
 * It has to be the real one: PHP locks its session files with `flock(LOCK_EX)`, and on Linux the `fcntl`/`lockf` locks of
 * a local file system do not conflict with it, so packages that offer those (fs-native-extensions, os-lock) would lock
 * out nobody. Of what remains, `fs-ext` must be compiled on every machine; `koffi` comes compiled for every platform
 * (musl, too), is typed, calls libc in a thread of libuv's pool and costs 10 µs per call, so it is used where it is
 * installed (an optional peer dependency). Without it the program `flock` of util-linux or busybox is run with our open
 * file: the lock belongs to the open file, not to the process that took it, and stays ours when the program has ended.
 * That needs nothing but costs a process, some milliseconds, per try.
 *
 * Both only try, and never wait in the kernel: a waiting call would occupy a thread that all file work shares.
 */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { flockProgram } from './flock-program.js';
import { koffiFlock } from './koffi-flock.js';

/** A way to call `flock(2)`. A lock ends when its file is closed. */
export interface Flock {
  /** What does it. */
  readonly via: 'koffi' | 'program';
  /**
   * Tries to lock an open file, and does not wait: false when somebody else holds it.
   *
   * @throws NodeJS.ErrnoException when the file cannot be locked at all.
   */
  tryLock(fd: number, mode: 'exclusive' | 'shared'): Promise<boolean>;
}

let found: Promise<Flock> | undefined;

/**
 * The best way that this machine offers, looked for once.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` with the remedy when there is none.
 */
export function findFlock(): Promise<Flock> {
  found ??= search();
  found.catch(() => {
    // What was missing may be installed meanwhile.
    found = undefined;
  });
  return found;
}

async function search(): Promise<Flock> {
  const flock = (await koffiFlock()) ?? (await flockProgram());
  if (flock !== undefined) return flock;
  throw new StormlampError(
    ErrorCode.UNSUPPORTED,
    'Files cannot be locked as PHP locks them: neither the package koffi nor the program flock (util-linux) is there; run `npm install koffi`',
  );
}
