/** The CPU time of another process, from the kernel's own count for each of its threads. */
import { readdirSync, readFileSync } from 'node:fs';

/** Microseconds that the threads of `pid` have run, those that have ended left out. @param {number} pid */
export function processCpuUs(pid) {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch (error) {
      // It ended meanwhile.
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    }
  }
  return nanoseconds / 1000;
}
