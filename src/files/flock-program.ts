/** The program `flock` of util-linux or busybox, run with an open file of ours. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Flock } from './flock.js';

/** The number that our file has in the program. */
const FD = 3;

/** `flock` through the program; undefined where it is not installed. */
export async function flockProgram(program = 'flock'): Promise<Flock | undefined> {
  const flock: Flock = {
    via: 'program',
    async tryLock(fd, mode) {
      const code = await run(program, ['-n', mode === 'exclusive' ? '-x' : '-s', String(FD)], fd);
      // Both programs answer 1 for a lock that somebody else holds, and something else for a failure.
      if (code === 0 || code === 1) return code === 0;
      throw Object.assign(new Error(`EIO: the file cannot be locked, ${program} ended with ${code}`), {
        code: 'EIO',
        syscall: 'flock',
      });
    },
  };
  const fd = openSync(devNull, 'r');
  try {
    await flock.tryLock(fd, 'shared');
    return flock;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function run(program: string, args: readonly string[], fd: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
}
