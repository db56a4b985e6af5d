/** What the kernel tells of a process in `/proc`, where there is one (proc(5), `/proc/pid/stat`). */
import { readFileSync } from 'node:fs';

/** When it started, in the kernel's ticks: with the id it names one process for good. */
export function processStart(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

/**
 * Its state: `T` when it is stopped by a signal, `Z` when it has ended and was not waited for yet; where there is no
 * `/proc`, `T` for every process, so that nobody waits for it.
 */
export function processState(pid: number): string | undefined {
  return process.platform === 'linux' ? statFields(pid)?.[0] : 'T';
}

function statFields(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything; what follows begins with the state.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
