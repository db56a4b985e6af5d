/** PHP's settings for the sessions of a local cluster. */
import { invalidOption } from '../../common/option-reader.js';

/** PHP settings by name; a boolean is written as PHP's `1` and `0`. */
export type PhpIni = Readonly<Record<string, string | number | boolean>>;

/** Settings that make PHP keep its sessions on `nodes`, a copy on each; in `folder` when there are none. */
export function sessionIni(nodes: readonly string[], folder: string): PhpIni {
  const handler: PhpIni =
    nodes.length === 0
      ? { 'session.save_handler': 'files', 'session.save_path': folder }
      : {
          'session.save_handler': 'memcached',
          'session.save_path': nodes.join(','),
          'memcached.sess_number_of_replicas': nodes.length - 1,
        };
  return {
    ...handler,
    'session.serialize_handler': 'php',
    'session.gc_maxlifetime': 1_440,
    // As Debian's packages have it, whose cron job collects: PHP's own 1 % would remove an old session now and then.
    'session.gc_probability': 0,
    // As under PHP-FPM. The command line's own value, no limit, makes session locks that never expire.
    max_execution_time: 30,
    display_errors: 'stderr',
    error_reporting: 32_767,
    log_errors: 0,
    'date.timezone': 'UTC',
  };
}

/**
 * The settings as the arguments `-d name=value`.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for a name or value that PHP would read differently.
 */
export function iniArgs(ini: PhpIni): readonly string[] {
  return Object.entries(ini).flatMap(([name, value]) => [
    '-d',
    `${checkedName(name)}=${quoted(name, value)}`,
  ]);
}

/**
 * The settings as the text of a `php.ini`.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for a name or value that PHP would read differently.
 */
export function iniText(ini: PhpIni): string {
  return Object.entries(ini)
    .map(([name, value]) => `${checkedName(name)} = ${quoted(name, value)}\n`)
    .join('');
}

function checkedName(name: string): string {
  if (/^[A-Za-z0-9_.-]+$/.test(name)) return name;
  throw invalidOption('ini', 'an object whose keys are names of PHP settings', name);
}

function quoted(name: string, value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  const text = String(value);
  if (/^-?\d+$/.test(text)) return text;
  // In double quotes PHP takes everything as it is, but quotes, backslashes before them, line ends and `${name}`.
  if (/["\\\n\r\0]|\$\{/.test(text)) {
    throw invalidOption(`ini.${name}`, 'a value without quotes, backslashes, line ends and `${`', text);
  }
  return `"${text}"`;
}
