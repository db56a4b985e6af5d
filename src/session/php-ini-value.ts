/** Scans one value of a php.ini (Zend/zend_ini_scanner.l): bare text, quoted parts that may go over lines, and those joined. */

/** A value and where it ends. */
export interface PhpIniValue {
  /** As PHP gives it to extensions: text, `1` and `` for booleans. */
  readonly value: string;
  /** The place after it: that of a comment, of a line end, or the end of the text. */
  readonly end: number;
  /** Why PHP may make something else of it; undefined when it is just `value`. */
  readonly doubt: string | undefined;
}

const TRUE_WORDS: ReadonlySet<string> = new Set(['on', 'yes', 'true']);
const FALSE_WORDS: ReadonlySet<string> = new Set(['off', 'no', 'false', 'none', 'null']);
/** Names of the constants that PHP has when it reads its php.ini. */
const CONSTANT =
  /^(?:(?:PHP|E|ZEND|M|DEBUG)_[A-Z0-9_]+|DIRECTORY_SEPARATOR|PATH_SEPARATOR|DEFAULT_INCLUDE_PATH|PEAR_\w+|INF|NAN)$/;
/** Parts of a value, and what is between them. A bare part holds no white space at its ends. */
const SPACE = /[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y;
const RAW = /'([^']*)'/y;
const BARE = /[^ \t\r\n"';](?:[^\r\n"';]*[^ \t\r\n"';])?/y;

/** The doubt about a value that takes everything after it along. */
export const UNCLOSED = 'a quotation mark without its end';

/** A word as PHP takes it: those for booleans are `1` and ``. */
export function normalWord(text: string): string {
  const word = text.toLowerCase();
  if (TRUE_WORDS.has(word)) return '1';
  return FALSE_WORDS.has(word) ? '' : text;
}

/** Scans the value that begins at `start`, after the `=`. `lookUp` gives the values of `${NAME}`. */
export function scanPhpIniValue(
  text: string,
  start: number,
  lookUp: (name: string) => string | undefined,
): PhpIniValue {
  const parts: string[] = [];
  let doubt: string | undefined;
  const variable = (name: string, other: string | undefined): string => {
    const value = lookUp(name) ?? other;
    if (value === undefined) doubt ??= `the variable ${name}, which this process's environment does not have`;
    return value ?? '';
  };
  let bare: string | undefined;
  let raw = false;
  let at = start;
  for (;;) {
    const gap = match(SPACE, text, at)?.[0].length ?? 0;
    at += gap;
    const char = text[at];
    if (char === undefined || char === ';' || char === '\n' || char === '\r') break;
    if (gap > 0 && parts.length > 0) doubt ??= 'parts with white space between them';
    if (parts.length > 0 && (raw || char === "'")) doubt ??= 'a part between single quotes beside another';
    raw ||= char === "'";
    const part = match(char === '"' ? QUOTED : char === "'" ? RAW : BARE, text, at);
    if (part === undefined) return { value: text.slice(at), end: text.length, doubt: UNCLOSED };
    at += part[0].length;
    if (char === '"') parts.push(inQuotes(part[1] ?? '', variable));
    else if (char === "'") parts.push(part[1] ?? '');
    else {
      bare = part[0];
      doubt ??= doubtAbout(bare);
      parts.push(substitute(bare, variable));
    }
  }
  if (parts.length === 1 && bare !== undefined)
    return { value: parts[0] === bare ? normalWord(bare) : (parts[0] ?? ''), end: at, doubt };
  if (bare !== undefined && hasWord(bare)) doubt ??= 'a word with a meaning of its own beside other text';
  return { value: parts.join(''), end: at, doubt };
}

/** What in bare text PHP takes for more than text; one word that is a boolean is fine. */
function doubtAbout(bare: string): string | undefined {
  const end = endOfVariables(bare);
  const plain = bare.slice(0, end).replace(VARIABLE, ' ') + bare.slice(end);
  if (/[|&^~!()=]/.test(plain)) return 'an operator outside of quotes';
  if (plain.includes('$')) return 'a dollar sign outside of quotes';
  const words = plain.split(/[ \t]+/);
  if (words.some((word) => CONSTANT.test(word))) return 'the name of a constant outside of quotes';
  if (words.length > 1 && hasWord(plain)) return 'a word with a meaning of its own beside other text';
  // Form feeds and the like: white space to some, text to others.
  return /[^\S \t]|\0/.test(plain) ? 'an unusual white space' : undefined;
}

function hasWord(text: string): boolean {
  return text.split(/[ \t]+/).some((word) => normalWord(word) !== word);
}

const VARIABLE = /\$\{([A-Za-z0-9_.]+)(?::-([^}]*))?\}/g;

type VariableValue = (name: string, other: string | undefined) => string;

function substitute(text: string, variable: VariableValue): string {
  const end = endOfVariables(text);
  const begin = text.slice(0, end);
  return (
    begin.replace(VARIABLE, (_all, name: string, other?: string) => variable(name, other)) + text.slice(end)
  );
}

function inQuotes(text: string, variable: VariableValue): string {
  const end = endOfVariables(text);
  const begin = text
    .slice(0, end)
    .replace(/\\(["\\$])|\$\{([A-Za-z0-9_.]+)(?::-([^}]*))?\}/g, (_all, char, name, other) =>
      char === undefined ? variable(name, other) : char,
    );
  return begin + text.slice(end).replace(/\\(["\\$])/g, '$1');
}

/** Behind it no variable ends: to look for ends from each beginning would take the square of the time. */
function endOfVariables(text: string): number {
  return text.lastIndexOf('}') + 1;
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
