/** The one front file of koffi: libc's `flock` as a function. */
import type { Flock } from './flock.js';

/** Values of `<sys/file.h>`, the same on Linux, macOS and the BSDs. */
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** `flock` through koffi; undefined where koffi is not installed or libc has no such function. */
export async function koffiFlock(): Promise<Flock | undefined> {
  try {
    const koffi = await import('koffi');
    const flock = koffi.load(null).func('int flock(int, int)');
    const busy = koffi.os.errno['EWOULDBLOCK'] ?? koffi.os.errno['EAGAIN'];
    const nameOf = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));
    return {
      via: 'koffi',
      tryLock: (fd, mode) =>
        new Promise((resolve, reject) => {
          const operation = (mode === 'exclusive' ? LOCK_EX : LOCK_SH) | LOCK_NB;
          flock.async(fd, operation, (error: unknown, result: number) => {
            const errno = koffi.errno();
            if (error !== null && error !== undefined) reject(error);
            else if (result === 0) resolve(true);
            else if (errno === busy) resolve(false);
            else reject(systemError(nameOf.get(errno) ?? `E${errno}`, errno));
          });
        }),
    };
  } catch {
    return undefined;
  }
}

function systemError(code: string, errno: number): Error {
  return Object.assign(new Error(`${code}: the file cannot be locked, flock`), {
    code,
    errno: -errno,
    syscall: 'flock',
  });
}
