/** Where unpacked packages are kept, and how their folders are named. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** What makes two package folders different. */
export interface PackageFolderKey {
  /** `ID` of os-release. */
  readonly distro: string;
  /** The suite that the packages are from. */
  readonly suite: string;
  /** The name of the package set. */
  readonly set: string;
  /** Debian's name of the architecture. */
  readonly architecture: string;
}

/**
 * The cache's root: `option`, else the variable `STORMLAMP_CACHE`, else `stormlamp` below `XDG_CACHE_HOME`,
 * else `~/.cache/stormlamp`.
 */
export function cacheRoot(
  option?: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  if (option !== undefined) return resolve(option);
  const own = env['STORMLAMP_CACHE'];
  if (own !== undefined && own !== '') return resolve(own);
  const xdg = env['XDG_CACHE_HOME'];
  // The XDG base directory specification tells to ignore relative paths.
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'stormlamp');
  return join(homedir(), '.cache', 'stormlamp');
}

/** The name of a package folder, like `debian-bookworm-lamp-amd64`. */
export function packageFolderName(key: PackageFolderKey): string {
  return [key.distro, key.suite, key.set, key.architecture]
    .map((part) => part.replace(/[^A-Za-z0-9.+]+/g, '_'))
    .join('-');
}
