/** How a Perl script of an unpacked package folder is run: by the folder's own Perl, with its own modules only. */
import { join } from 'node:path';
import { type FolderProgram, folderProgram, isFolder, newestName } from './package-folder.js';

/** Command and arguments of the script at `path` (relative to `folder`); `undefined` when the folder has no Perl. */
export function perlScript(folder: string, architecture: string, path: string): FolderProgram | undefined {
  const perl = folderProgram(folder, architecture, 'usr/bin/perl');
  const libraries = perl?.prefixArgs[1]?.split(':') ?? [];
  if (perl === undefined) return undefined;
  const modules = [
    join(folder, 'usr/share/perl5'),
    newestOf(folder, 'usr/share/perl'),
    ...libraries.flatMap((library) => [
      newestOf(library, 'perl5'),
      newestOf(library, 'perl'),
      join(library, 'perl-base'),
    ]),
  ].filter((module) => module !== undefined && isFolder(module));
  return {
    command: perl.command,
    prefixArgs: [...perl.prefixArgs, ...modules.map((module) => `-I${module}`), join(folder, path)],
  };
}

/** Variables that Perl's database driver needs to find the folder's plugins for logging in instead of the system's. */
export function perlEnvironment(script: FolderProgram): Readonly<Record<string, string>> {
  const libraries = script.prefixArgs[1]?.split(':') ?? [];
  const plugins = libraries.map((library) => join(library, 'libmariadb3/plugin')).find(isFolder);
  return plugins === undefined ? {} : { MARIADB_PLUGIN_DIR: plugins };
}

function newestOf(folder: string, at: string): string | undefined {
  const found = newestName(folder, at, /^\d+(?:\.\d+)+$/);
  return found === undefined ? undefined : join(folder, found);
}
