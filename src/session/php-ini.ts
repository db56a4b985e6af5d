/** The option `phpIni`: finds PHP's settings on disk and lets explicit options have the last word. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { invalidOption } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { FileSessionOptions } from './file-session-options.js';
import { sessionOptionsFromPhp } from './php-session-options.js';
import { type PhpSettings, parsePhpInfo, parsePhpIni } from './php-settings.js';
import type { SessionOptions } from './session-options.js';
import type { AnySessionOptions } from './store-options.js';

/**
 * The options with `phpIni` replaced by what PHP's settings say. Options that are given beside it win; `nodes` or `mounts`
 * among them say where the sessions are instead of `session.save_handler` and `session.save_path`.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for a file that cannot be read, `ERR_UNSUPPORTED` for settings that cannot
 * be followed.
 */
export function withPhpIni(options: AnySessionOptions, path = 'sessions'): AnySessionOptions {
  const { phpIni, ...own } = options as SessionOptions & Partial<Omit<FileSessionOptions, 'handler'>>;
  if (phpIni === undefined) return options;
  const files = typeof phpIni === 'string' ? [phpIni] : phpIni;
  if (
    !Array.isArray(files) ||
    files.length === 0 ||
    !files.every((file) => typeof file === 'string' && file !== '')
  ) {
    throw invalidOption(`${path}.phpIni`, 'the path of a php.ini, or a list of files and folders', phpIni);
  }
  for (const name of ['cookie', 'ids', 'placement'] as const) {
    if (own[name] === null) throw invalidOption(`${path}.${name}`, 'an object', null);
  }
  const placed = own.mounts !== undefined ? 'files' : own.nodes !== undefined ? 'memcached' : undefined;
  const fromPhp = sessionOptionsFromPhp(readPhpSettings(files, `${path}.phpIni`), placed);
  const { placement } = fromPhp as SessionOptions;
  return {
    ...fromPhp,
    ...own,
    cookie: { ...fromPhp.cookie, ...own.cookie },
    ids: { ...fromPhp.ids, ...own.ids },
    ...(placement === undefined ? {} : { placement: { ...placement, ...own.placement } }),
  };
}

/**
 * Settings from php.ini files, from folders of them (each `*.ini` in the order of names, as PHP scans them), and from
 * files with the output of `php -i`; what comes later wins. A single php.ini brings the `conf.d` beside it along.
 */
export function readPhpSettings(files: readonly string[], path = 'phpIni'): PhpSettings {
  const settings = new Map<string, string>();
  for (const file of files.length === 1 ? withScanFolder(files[0] ?? '') : files) {
    for (const text of textsOf(file, path)) {
      const read = /^phpinfo\(\)/.test(text.trimStart())
        ? parsePhpInfo(text)
        : parsePhpIni(text, process.env);
      for (const [name, value] of read) settings.set(name, value);
    }
  }
  return settings;
}

function withScanFolder(file: string): readonly string[] {
  const folder = join(dirname(file), 'conf.d');
  return isFolder(folder) && !isFolder(file) ? [file, folder] : [file];
}

function textsOf(file: string, path: string): readonly string[] {
  try {
    if (!isFolder(file)) return [readFileSync(file, 'utf8')];
    const names = readdirSync(file).filter((name) => name.endsWith('.ini'));
    return names.sort().map((name) => readFileSync(join(file, name), 'utf8'));
  } catch (cause) {
    const message = `\`${path}\` names ${file}, which cannot be read: ${describeError(cause)}`;
    throw new StormlampError(ErrorCode.INVALID_OPTION, message, { cause });
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
