/** The lines of PHP-FPM's configuration that have to do with sessions: pools, included files, and settings of a pool. */
import { scanPhpIniValue } from '../../../session/php-ini-value.js';

/** One line. */
export type PoolLine =
  | { readonly kind: 'section'; readonly name: string }
  | { readonly kind: 'include'; readonly pattern: string }
  | {
      readonly kind: 'setting';
      /** Its name in a php.ini. */
      readonly name: string;
      /** `$pool` in it stands for the name of the pool, as {@link POOL_NAME}. */
      readonly value: string;
      /** Whether scripts cannot change it (`php_admin_value`). */
      readonly admin: boolean;
      /** Counted from 1. */
      readonly line: number;
      /** Why PHP may make something else of the value; undefined when it is just that. */
      readonly doubt: string | undefined;
    };

/** Stands for `$pool` in a value until the pool is known: a character that no setting has. */
export const POOL_NAME = '\u{f8ff}';

/** The longest line of which a value is read; sessions need a fraction of it. */
const LONGEST_LINE = 2_048;
const SECTION = /^[ \t]*\[([^\]]*)\]/;
const INCLUDE = /^[ \t]*include[ \t]*=/;
const SETTING = /^[ \t]*php_(admin_)?(?:value|flag)\[[ \t]*"?([a-z0-9_.]+)"?\][ \t]*=/;
const OF_SESSIONS = /^(?:session|memcached?)\.|^max_execution_time$/;

/** The lines of `text`, each of which PHP-FPM reads by itself (measured with PHP 8.2); `env` has the values of `${NAME}`. */
export function* poolLines(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Generator<PoolLine> {
  const lookUp = (name: string): string | undefined => env[name];
  let line = 0;
  for (const whole of text.split('\n')) {
    line += 1;
    const section = SECTION.exec(whole)?.[1];
    if (section !== undefined) {
      yield { kind: 'section', name: section.trim() };
      continue;
    }
    const setting = SETTING.exec(whole);
    const begin = setting ?? INCLUDE.exec(whole);
    if (begin === null) continue;
    const [, admin, name = ''] = begin;
    if (setting !== null && !OF_SESSIONS.test(name)) continue;
    const isLong = whole.length > LONGEST_LINE;
    const rest = isLong ? '' : whole.slice(begin[0].length).replaceAll('$pool', POOL_NAME);
    const { value, doubt } = scanPhpIniValue(rest, 0, lookUp);
    if (setting === null) yield { kind: 'include', pattern: value };
    else {
      const why = isLong ? `a line of more than ${LONGEST_LINE} characters` : doubt;
      yield { kind: 'setting', name, value, admin: admin !== undefined, line, doubt: why };
    }
  }
}
