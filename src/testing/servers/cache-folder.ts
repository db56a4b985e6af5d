/** Where unpacked packages are kept, and how their folders are named. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

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
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when the user has no home.
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
  return join(home(), '.cache', 'stormlamp');
}

function home(): string {
  try {
    return homedir();
  } catch (cause) {
    throw new StormlampError(
      ErrorCode.SERVER_MISSING,
      'There is no folder for the cache: HOME is not set, and the system knows no home of this user; set STORMLAMP_CACHE to a folder that can be written',
      { cause },
    );
  }
}

/**
 * Refuses a root in which installed programs would not run.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` naming the character.
 */
export function checkProgramRoot(root: string): void {
  const found = UNFIT.find(([character]) => root.includes(character));
  if (found === undefined) return;
  const [character, reason] = found;
  throw new StormlampError(
    ErrorCode.SERVER_MISSING,
    `Servers cannot be installed into the cache folder ${root}: the character ${JSON.stringify(character)} in its name ${reason}; set STORMLAMP_CACHE to a folder without it`,
  );
}

/** Characters that mean something else to the programs that get the path. */
const UNFIT: readonly (readonly [character: string, reason: string])[] = [
  [':', 'separates folders of libraries'],
  [';', 'separates folders of libraries'],
  ['"', "ends a setting of apt's"],
  ['\n', "ends a line of apt's settings"],
];

/** The name of a package folder, like `debian-bookworm-lamp-amd64`. */
export function packageFolderName(key: PackageFolderKey): string {
  return [key.distro, key.suite, key.set, key.architecture]
    .map((part) => part.replace(/[^A-Za-z0-9.+]+/g, '_'))
    .join('-');
}
