/** Reads PHP settings: the text of php.ini files, or what `php -i` prints. */

/** Settings by name; the values as PHP gives them to extensions: text, `1` and `` for booleans. */
export type PhpSettings = ReadonlyMap<string, string>;

const TRUE_WORDS: ReadonlySet<string> = new Set(['on', 'yes', 'true']);
const FALSE_WORDS: ReadonlySet<string> = new Set(['off', 'no', 'false', 'none', 'null']);

/**
 * The settings in the text of a php.ini, later lines before earlier ones (Zend/zend_ini_scanner.l).
 *
 * The settings of a pool of PHP-FPM (`php_admin_value[session.save_path] = …`) are read, too, since they come before those of
 * the php.ini. `[PATH=…]` and `[HOST=…]` sections, which hold only for some requests, are left out.
 *
 * @param env values for `${NAME}`
 */
export function parsePhpIni(
  text: string,
  env: Readonly<Record<string, string | undefined>> = {},
): PhpSettings {
  const settings = new Map<string, string>();
  let conditional = false;
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith(';') || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      conditional = /^\[(?:path|host)\s*=/i.test(line);
      continue;
    }
    const equals = line.indexOf('=');
    const name = (equals === -1 ? line : line.slice(0, equals)).trim();
    if (conditional || name === '') continue;
    settings.set(
      /^php_(?:admin_)?(?:value|flag)\[([^\]]+)\]$/.exec(name)?.[1] ?? name,
      equals === -1 ? '' : readValue(line.slice(equals + 1).trim(), env),
    );
  }
  return settings;
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

function readValue(text: string, env: Readonly<Record<string, string | undefined>>): string {
  if (text.startsWith('"')) {
    const quoted = /^"((?:[^"\\]|\\[\s\S])*)"/.exec(text)?.[1] ?? text.slice(1);
    return substitute(quoted.replace(/\\(["\\])/g, '$1'), env);
  }
  if (text.startsWith("'")) return /^'([^']*)'/.exec(text)?.[1] ?? text.slice(1);
  // A bare value ends at a comment.
  return normalWord(substitute(text.replace(/\s*;.*$/, '').trim(), env));
}

function substitute(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(
    /\$\{([A-Za-z0-9_.]+)(?::-([^}]*))?\}/g,
    (_all, name: string, fallback?: string) => env[name] ?? fallback ?? '',
  );
}

function normalWord(text: string): string {
  const word = text.toLowerCase();
  if (TRUE_WORDS.has(word)) return '1';
  if (FALSE_WORDS.has(word)) return '';
  return text;
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
