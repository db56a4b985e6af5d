/** The option `phpIni`: finds PHP's settings on disk and lets explicit options have the last word. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { invalidOption } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { FileSessionOptions } from './file-session-options.js';
import { sessionOptionsFromPhp } from './php-session-options.js';
import {
  type PhpSettings,
  parsePhpInfo,
  parsePhpInfoPage,
  parsePhpIni,
  phpInfoForm,
} from './php-settings.js';
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
 * Settings from php.ini files, from folders of them (each `*.ini` in the order of names, as PHP scans them), from pools of
 * PHP-FPM, and from files with the output of `php -i`; what comes later wins. A single php.ini, or the folder that it is in,
 * brings the folder along that PHP scans after it.
 */
export function readPhpSettings(files: readonly string[], path = 'phpIni'): PhpSettings {
  const settings = new Map<string, string>();
  for (const file of files.length === 1 ? withScanFolder(files[0] ?? '') : files) {
    for (const text of textsOf(file, path)) {
      for (const [name, value] of readText(file, text, path)) settings.set(name, value);
    }
  }
  return settings;
}

function readText(file: string, text: string, path: string): PhpSettings {
  const form = phpInfoForm(text);
  if (form === undefined) return parsePhpIni(text, process.env, file);
  const settings = form === 'text' ? parsePhpInfo(text) : parsePhpInfoPage(text);
  if (settings.has('session.save_handler')) return settings;
  throw new StormlampError(
    ErrorCode.INVALID_OPTION,
    `\`${path}\` names ${file}, which looks like the output of phpinfo(), but has no session.save_handler: write it anew with \`php -i\`, or give the php.ini`,
  );
}

/**
 * Where PHP looks on after its php.ini: `conf.d` beside it (Debian's /etc/php/8.2/fpm, Docker's /usr/local/etc/php), `php.d`
 * (/etc/php.ini of Red Hat), or `conf.d` one folder up (SUSE).
 */
function withScanFolder(file: string): readonly string[] {
  const home = isFolder(file) ? file : dirname(file);
  const own = isFolder(file) && existsSync(join(file, 'php.ini')) ? join(file, 'php.ini') : file;
  const folders = [join(home, 'php.d'), join(home, 'conf.d'), join(dirname(home), 'conf.d')];
  const scanned = folders.find((folder) => folder !== file && hasSettings(folder));
  if (scanned === undefined) return [own];
  // A folder without a php.ini of its own, as Docker's images have it.
  return own === file && isFolder(file) && !hasSettings(file) ? [scanned] : [own, scanned];
}

function hasSettings(folder: string): boolean {
  return isFolder(folder) && readdirSync(folder).some((name) => name.endsWith('.ini'));
}

function textsOf(file: string, path: string): readonly string[] {
  try {
    if (!isFolder(file)) return [readFileSync(file, 'utf8')];
    const names = readdirSync(file).filter((name) => name.endsWith('.ini'));
    if (names.length === 0) throw new Error(`${withoutSettings(file)}`);
    return names.sort().map((name) => readFileSync(join(file, name), 'utf8'));
  } catch (cause) {
    const message = `\`${path}\` names ${file}, which cannot be read: ${describeError(cause)}`;
    throw new StormlampError(ErrorCode.INVALID_OPTION, message, { cause });
  }
}

function withoutSettings(folder: string): string {
  const homes = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'php.ini')));
  const hint = homes.length === 0 ? '' : `; name one of those below it: ${homes.sort().join(', ')}`;
  return `no *.ini is in the folder${hint}`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
