/** Finds processes of this machine, for tests that see what is left. */
import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the other processes whose environment or arguments hold `text`. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((id) => {
      try {
        const files = [`/proc/${id}/environ`, `/proc/${id}/cmdline`];
        return files.some((file) => readFileSync(file, 'latin1').includes(text));
      } catch {
        return false;
      }
    })
    .map(Number);
}
