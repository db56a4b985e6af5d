/** Reads PHP settings: the text of php.ini files, or what `php -i` prints. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { normalWord, scanPhpIniValue, UNCLOSED } from './php-ini-value.js';

/** Settings by name; the values as PHP gives them to extensions: text, `1` and `` for booleans. */
export type PhpSettings = ReadonlyMap<string, string>;

/**
 * The settings in the text of a php.ini, later lines before earlier ones (Zend/zend_ini_scanner.l).
 *
 * The settings of a pool of PHP-FPM (`php_admin_value[session.save_path] = …`) are read, too, since they come before those of
 * the php.ini: of two for the same the first one holds, `php_admin_…` before the others, with the pool's name for `$pool`
 * (PHP 8.2, measured). `[PATH=…]` and `[HOST=…]` sections, which hold only for some requests, are left out, with everything
 * after them: no other section ends one.
 *
 * @param env values for `${NAME}`
 * @param where what is read, for errors
 * @throws StormlampError `ERR_UNSUPPORTED` for a setting of sessions of which PHP may make something else than is read
 * here (an operator, a constant, a variable that `env` does not have), for a quotation mark that is never closed, and for pools in one file that have different
 * settings of sessions.
 */
export function parsePhpIni(
  text: string,
  env: Readonly<Record<string, string | undefined>> = {},
  where = 'the php.ini',
): PhpSettings {
  const settings = new Map<string, string>();
  const lookUp = (name: string): string | undefined => settings.get(name) ?? env[name];
  let conditional = false;
  let pool = '';
  const pooled = new Map<
    string,
    { readonly pool: string; readonly value: string; readonly admin: boolean }
  >();
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  while (at < text.length) {
    ENTRY.lastIndex = at;
    const [all = '', section, raw = '', equals] = ENTRY.exec(text) ?? [];
    if (all === '') {
      // A comment, or a line end.
      at = lineEnd(text, at) + 1;
      continue;
    }
    const begin = at;
    at += all.length;
    if (section !== undefined) {
      conditional ||= /^(?:path|host)\s*=/i.test(section);
      pool = section.trim();
      continue;
    }
    const [, admin, ofPool] = /^php_(admin_)?(?:value|flag)\[([^\]]+)\]$/.exec(raw.trim()) ?? [];
    const name = ofPool ?? raw.trim();
    if (equals === undefined) {
      if (!conditional && name !== '') settings.set(name, '');
      continue;
    }
    const { value: scanned, end, doubt } = scanPhpIniValue(text, at, lookUp);
    const value = ofPool === undefined ? scanned : scanned.replaceAll('$pool', pool);
    at = end;
    if (doubt === UNCLOSED || (doubt !== undefined && !conditional && SESSION_SETTING.test(name)))
      refuse(where, text.slice(0, begin).split(/\r\n|\r|\n/).length, name, doubt);
    if (ofPool !== undefined) {
      const other = pooled.get(name);
      const differs = other !== undefined && other.pool !== pool && other.value !== value;
      if (other !== undefined && differs && SESSION_SETTING.test(name))
        refusePools(where, name, other.pool, pool);
      if (other?.pool === pool && (other.admin || admin === undefined)) continue;
      pooled.set(name, { pool, value, admin: admin !== undefined });
    }
    if (!conditional && name !== '') settings.set(name, value);
  }
  return settings;
}

/** A section, or a name with the `=` after it. */
const ENTRY = /[ \t]*(?:\[([^\]\r\n]*)\]?|([^=;#\r\n][^=;\r\n]*)(=)?)/y;
const SESSION_SETTING = /^(?:session|memcached?)\./;

function lineEnd(text: string, from: number): number {
  const found = /[\r\n]/g;
  found.lastIndex = from;
  return found.exec(text)?.index ?? text.length;
}

function refuse(where: string, line: number, name: string, doubt: string): never {
  throw new StormlampError(
    ErrorCode.UNSUPPORTED,
    `${name} in ${where}, line ${line}, has ${doubt}, of which PHP may make something else than is read here; put the value as plain text between double quotes`,
  );
}

function refusePools(where: string, name: string, one: string, other: string): never {
  throw new StormlampError(
    ErrorCode.UNSUPPORTED,
    `${name} in ${where} differs between the pools [${one}] and [${other}]; name a file with the pool that serves the site, or what its phpinfo() prints`,
  );
}

/** Whether a text is what `phpinfo()` prints, whatever PHP says before it: as text, as a page, or not at all. */
export function phpInfoForm(text: string): 'text' | 'html' | undefined {
  if (/^\s*<(?:!doctype|html)\b/i.test(text) || /<td class="e">/i.test(text)) return 'html';
  return /^phpinfo\(\)\s*$/m.test(text) || /^[\w.]+ => .* => .*$/m.test(text) ? 'text' : undefined;
}

/** The local values in the page that `phpinfo()` makes for browsers. */
export function parsePhpInfoPage(text: string): PhpSettings {
  const settings = new Map<string, string>();
  const row = /<tr><td class="e">([^<]*)<\/td><td class="v">(.*?)<\/td><td class="v">/g;
  for (const [, name = '', local = ''] of text.matchAll(row)) {
    settings.set(name.trim(), local === '<i>no value</i>' ? '' : normalWord(plainText(local)));
  }
  return settings;
}

/** The local values in the output of `php -i` (`name => local value => master value`). */
export function parsePhpInfo(text: string): PhpSettings {
  const settings = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [name, local, master] = line.split(' => ');
    if (name === undefined || local === undefined || master === undefined) continue;
    settings.set(name.trim(), local === 'no value' ? '' : normalWord(local));
  }
  return settings;
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  amp: '&',
  '#039': "'",
  '#39': "'",
};

function plainText(html: string): string {
  return html.replace(/<[^>]*>/g, '').replace(/&(#?\w+);/g, (all, name: string) => ENTITIES[name] ?? all);
}
