/** Looks for programs by name, as a shell does, and in the folders of system programs that a user's PATH lacks. */
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { isFile } from './package-folder.js';

/**
 * Every executable file called `name` on `path` (a PATH variable) and then in `systemFolders`, first choice first.
 * The same file under two paths is named once.
 */
export function programsOnPath(
  name: string,
  path: string | undefined,
  systemFolders: readonly string[],
): readonly string[] {
  const folders = [...(path ?? '').split(delimiter), ...systemFolders].filter((folder) => isAbsolute(folder));
  const found = folders.map((folder) => join(folder, name)).filter(isExecutable);
  const seen = new Set<string>();
  return found.filter((file) => {
    const real = realpathSync(file);
    if (seen.has(real)) return false;
    seen.add(real);
    return true;
  });
}

/** A path that a person gave: a name without a slash is looked up on the PATH. */
export function givenProgram(
  given: string,
  path: string | undefined,
  systemFolders: readonly string[],
): string | undefined {
  if (given === '') return undefined;
  if (!given.includes('/')) return programsOnPath(given, path, systemFolders)[0];
  const file = resolve(given);
  return isExecutable(file) ? file : undefined;
}

function isExecutable(path: string): boolean {
  if (!isFile(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
