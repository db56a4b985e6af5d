/** Which arguments make a PHP program load the extensions that sessions and the database need. */
import { join } from 'node:path';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { type FolderProgram, isFile } from './package-folder.js';
import { runProgram } from './run-program.js';

/** In an order that loads: memcached uses the symbols of igbinary and msgpack, mysqli those of mysqlnd. */
const EXTENSIONS = [
  'session',
  'igbinary',
  'msgpack',
  'memcached',
  'memcache',
  'mysqlnd',
  'mysqli',
  'pdo',
  'pdo_mysql',
  'ctype',
  'posix',
  'tokenizer',
] as const;
/** Without these nothing that the package is about can be done. */
const REQUIRED = ['session', 'memcached'] as const;
const ASK_TIMEOUT_MS = 20_000;
const ANSWER = 'stormlamp:';
const QUESTION = `date("c"); echo "\\n${ANSWER}", json_encode(["dir" => ini_get("extension_dir"), "loaded" => get_loaded_extensions()]), "\\n";`;

/** What a PHP program has. */
export interface PhpExtensions {
  /** Its `extension_dir`. */
  readonly folder: string;
  /** Names of what is loaded, in lower case. */
  readonly loaded: readonly string[];
}

/** Arguments for the extensions that are not loaded yet and whose file is there. */
export function extensionArgs(found: PhpExtensions, hasFile: (path: string) => boolean): readonly string[] {
  return EXTENSIONS.filter(
    (name) => !found.loaded.includes(name) && hasFile(join(found.folder, `${name}.so`)),
  ).flatMap((name) => ['-d', `extension=${name}.so`]);
}

/**
 * The arguments that give `program` everything it can have. `base` are arguments that always come first, like `-n`.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when memcached or session cannot be had, `ERR_ABORTED`.
 */
export async function findExtensionArgs(
  program: FolderProgram,
  base: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const bare = await askExtensions(program, base, signal);
  const args = [...base, ...extensionArgs(bare, isFile)];
  const full = args.length === base.length ? bare : await askExtensions(program, args, signal);
  const missing = REQUIRED.filter((name) => !full.loaded.includes(name));
  if (missing.length === 0) return args;
  throw new StormlampError(
    ErrorCode.SERVER_MISSING,
    `${program.prefixArgs.at(-1) ?? program.command} cannot load the extension ${missing.join(' and ')} ` +
      `(looked into ${bare.folder})`,
  );
}

async function askExtensions(
  program: FolderProgram,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<PhpExtensions> {
  const result = await runProgram(program.command, [...program.prefixArgs, ...args, '-r', QUESTION], {
    signal,
    timeoutMs: ASK_TIMEOUT_MS,
  });
  const found = parsePhpExtensions(result.stdout);
  if (found !== undefined) return found;
  throw new StormlampError(
    ErrorCode.SERVER_MISSING,
    `${program.prefixArgs.at(-1) ?? program.command} did not tell its extensions (${result.code === null ? 'it crashed' : `exit code ${result.code}`})`,
  );
}

/** Reads the answer of a PHP program among the warnings that it may print. */
export function parsePhpExtensions(output: string): PhpExtensions | undefined {
  const line = output.split('\n').find((text) => text.startsWith(ANSWER));
  if (line === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line.slice(ANSWER.length));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { dir, loaded } = value as { dir?: unknown; loaded?: unknown };
  if (typeof dir !== 'string' || !Array.isArray(loaded)) return undefined;
  return { folder: dir, loaded: loaded.map((name) => String(name).toLowerCase()) };
}
