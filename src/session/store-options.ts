/** Options of any session store: which kind they ask for, and what they come to. */
import { invalidOption, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import {
  FILE_SESSION_OPTION_NAMES,
  type FileSessionOptions,
  type ResolvedFileSessionOptions,
  resolveFileSessionOptions,
} from './file-session-options.js';
import { withPhpIni } from './php-ini.js';
import {
  type ResolvedSessionOptions,
  resolveSessionOptions,
  SESSION_OPTION_NAMES,
  type SessionOptions,
} from './session-options.js';

/** Options of a session store on memcached nodes, in files, or wherever a php.ini says. */
export type AnySessionOptions = SessionOptions | FileSessionOptions;

/** Checked options, and the kind of store that they are for. */
export type StoreOptions =
  | { readonly kind: 'memcached'; readonly options: ResolvedSessionOptions }
  | { readonly kind: 'files'; readonly options: ResolvedFileSessionOptions };

/**
 * Checks the options of a session store, reads the php.ini that they name, and fills in the defaults.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option; `ERR_UNSUPPORTED` listing the settings of PHP that cannot
 * be followed.
 */
export function resolveStoreOptions(given: AnySessionOptions, path = 'sessions'): StoreOptions {
  const { phpIni, nodes, mounts } = readPlaces(path, given);
  if (nodes !== undefined && mounts !== undefined) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `Expected one of \`${path}.nodes\` and \`${path}.mounts\`, got both`,
    );
  }
  if (phpIni === undefined && nodes === undefined && mounts === undefined)
    throw invalidOption(path, 'an object with `nodes`, `mounts` or `phpIni`', given);
  const options = withPhpIni(given, path);
  return 'mounts' in options
    ? { kind: 'files', options: resolveFileSessionOptions(options, path) }
    : { kind: 'memcached', options: resolveSessionOptions(options, path) };
}

function readPlaces(
  path: string,
  given: AnySessionOptions,
): { readonly phpIni?: unknown; readonly nodes?: unknown; readonly mounts?: unknown } {
  // Of both kinds, so that a misspelt `mounts` is not told that `nodes` are missing.
  rejectUnknownOptions(path, given, [...new Set([...SESSION_OPTION_NAMES, ...FILE_SESSION_OPTION_NAMES])]);
  return given;
}
