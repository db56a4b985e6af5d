/** Recognises programs that AppArmor keeps inside the folders of the system's own server. */
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { isFile } from './package-folder.js';

/** Whether the kernel enforces AppArmor's profiles. */
export function isAppArmorOn(): boolean {
  return textOf('/sys/module/apparmor/parameters/enabled').trim() === 'Y';
}

/**
 * The profile in `folder` that confines `program`, as a path; `undefined` when there is none. Ubuntu confines its
 * `mysqld` to `/var/lib/mysql`: it starts, but cannot write a data folder anywhere else.
 */
export function confiningProfile(program: string, folder: string): string | undefined {
  const real = realpathSync(program);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return undefined;
  }
  return names
    .filter((name) => !isFile(join(folder, 'disable', name)))
    .map((name) => join(folder, name))
    .find((path) => isFile(path) && confines(textOf(path), real));
}

/** Whether the text of a profile puts `program` into force, not into one of the modes that only look on. */
export function confines(profile: string, program: string): boolean {
  return profile.split('\n').some((line) => {
    const head = /^\s*(?:profile\s+(?:\S+\s+)?)?("?)(\/\S+?)\1\s+(?:flags=\(([^)]*)\)\s*)?\{/.exec(line);
    return head !== null && head[2] === program && !/complain|unconfined/.test(head[3] ?? '');
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
