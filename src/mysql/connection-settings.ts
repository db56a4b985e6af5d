/** The options of a database node as a user writes them, and which values each of them takes. */
import type { ConnectionOptions } from 'mysql2';
import { invalidOption } from '../common/option-reader.js';
import type { LocalFileSource } from './local-file.js';
import { checkTls } from './tls-settings.js';

/** A user and a password. */
export interface MysqlCredentials {
  /** The account's name. */
  readonly user: string;
  /** Its password. */
  readonly password: string;
}

/** Gives the credentials of a node; asked before every new connection, so that passwords can be rotated. */
export type CredentialsSource = () => MysqlCredentials | Promise<MysqlCredentials>;

/** How a connection is encrypted; as mysql2's `ssl`. */
export interface TlsSettings {
  /** Certificate authorities to trust, PEM. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** The client's certificate, PEM. */
  readonly cert?: string | Buffer | readonly (string | Buffer)[];
  /** The client's private key, PEM. */
  readonly key?: string | Buffer | readonly (string | Buffer)[];
  /** Password of the private key. */
  readonly passphrase?: string;
  /** Ciphers to allow. */
  readonly ciphers?: string;
  /** Lowest TLS version, for example `'TLSv1.2'`. */
  readonly minVersion?: string;
  /** Highest TLS version. */
  readonly maxVersion?: string;
  /** Whether a certificate that nobody trusted signed is refused. Default true. */
  readonly rejectUnauthorized?: boolean;
  /** Whether the certificate must name the host, or its address where that is what the node is called by. Default false. */
  readonly verifyIdentity?: boolean;
}

/** A value of a session variable. */
export type SessionValue = string | number | boolean;

/** The connection options of mysql2 that a node takes; they mean what they mean there. */
export interface MysqlConnectionSettings {
  /** The account's name. */
  readonly user?: string;
  /** Its password. */
  readonly password?: string;
  /** Password of the second authentication factor. */
  readonly password2?: string;
  /** Password of the third authentication factor. */
  readonly password3?: string;
  /** The database to use. */
  readonly database?: string;
  /** Character set or collation of the connection. Default `UTF8MB4_UNICODE_CI`. */
  readonly charset?: string;
  /** The address of this machine to connect from, over TCP. Default: the system's choice. */
  readonly localAddress?: string;
  /** How the driver converts dates: `'local'`, `'Z'` or `'+HH:MM'`. Default `'local'`. */
  readonly timezone?: string;
  /** Limit of making one connection, in milliseconds. Default 10000. */
  readonly connectTimeout?: number;
  /** TLS settings, the name of a profile of mysql2, or `true` for TLS with default settings. Default false. */
  readonly ssl?: TlsSettings | string | boolean;
  /** Whether several statements may be sent in one text. Default false. */
  readonly multipleStatements?: boolean;
  /** Whether values are given by name. Default false. */
  readonly namedPlaceholders?: boolean;
  /** Whether rows are arrays. Default false. */
  readonly rowsAsArray?: boolean;
  /** Whether columns are grouped by table, or the separator to put between table and column. Default false. */
  readonly nestTables?: boolean | string;
  /** Whether values are converted, or the function that converts them. Default true. */
  readonly typeCast?: boolean | ((field: unknown, next: () => unknown) => unknown);
  /** Whether dates are strings, or the types that are. Default false. */
  readonly dateStrings?: boolean | readonly ('TIMESTAMP' | 'DATETIME' | 'DATE')[];
  /** Whether integers beyond 2^53 are strings. Default false. */
  readonly supportBigNumbers?: boolean;
  /** With `supportBigNumbers`: whether all BIGINT and DECIMAL are strings. Default false. */
  readonly bigNumberStrings?: boolean;
  /** Whether DECIMAL are numbers. Default false. */
  readonly decimalNumbers?: boolean;
  /** Whether JSON columns are strings. Default false. */
  readonly jsonStrings?: boolean;
  /** Whether objects given as values become strings. Default false. */
  readonly stringifyObjects?: boolean;
  /** Puts values into a statement instead of the driver. */
  readonly queryFormat?: (query: string, values: unknown) => string;
  /** Opens the file of a `LOAD DATA LOCAL`. */
  readonly infileStreamFactory?: LocalFileSource;
  /** Whether TCP keep-alive is on. Default true. */
  readonly enableKeepAlive?: boolean;
  /** Milliseconds of silence before the first keep-alive probe; 0 is what the system has. Default 0. */
  readonly keepAliveInitialDelay?: number;
  /** Whether the protocol is compressed. Default false. */
  readonly compress?: boolean;
  /** Client flags to add, or to leave out with a `-` before them. */
  readonly flags?: readonly string[];
  /** Attributes that the server shows for this connection. */
  readonly connectAttributes?: Readonly<Record<string, string>>;
  /** Prepared statements kept per connection. Default 16 000. */
  readonly maxPreparedStatements?: number;
  /** Whether the password may be sent as it is; only sensible with TLS. Default false. */
  readonly enableCleartextPlugin?: boolean;
  /** Whether the driver avoids generated code. Default false. */
  readonly disableEval?: boolean;
  /** Whether the driver's errors show where they came from. Default true. */
  readonly trace?: boolean;
}

type Check = { readonly expected: string; readonly fits: (value: unknown) => boolean };

const text: Check = { expected: 'a string', fits: (value) => typeof value === 'string' };
const flag: Check = { expected: 'a boolean', fits: (value) => typeof value === 'boolean' };
const code: Check = { expected: 'a function', fits: (value) => typeof value === 'function' };
const whole: Check = {
  expected: 'an integer >= 0',
  fits: (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
};
const oneOf = (...checks: readonly Check[]): Check => ({
  expected: checks.map((check) => check.expected).join(' or '),
  fits: (value) => checks.some((check) => check.fits(value)),
});
const words: Check = {
  expected: 'an array of strings',
  fits: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
};
const object: Check = {
  expected: 'an object',
  fits: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

const CHECKS: Readonly<Record<keyof MysqlConnectionSettings, Check>> = {
  user: text,
  password: text,
  password2: text,
  password3: text,
  database: text,
  charset: text,
  localAddress: text,
  timezone: {
    expected: "'local', 'Z' or '+HH:MM'",
    fits: (value) => typeof value === 'string' && /^(local|Z|[+-]\d\d:\d\d)$/.test(value),
  },
  connectTimeout: whole,
  ssl: oneOf(object, text, flag),
  multipleStatements: flag,
  namedPlaceholders: flag,
  rowsAsArray: flag,
  nestTables: oneOf(flag, text),
  typeCast: oneOf(flag, code),
  dateStrings: oneOf(flag, words),
  supportBigNumbers: flag,
  bigNumberStrings: flag,
  decimalNumbers: flag,
  jsonStrings: flag,
  stringifyObjects: flag,
  queryFormat: code,
  infileStreamFactory: code,
  enableKeepAlive: flag,
  keepAliveInitialDelay: whole,
  compress: flag,
  flags: words,
  connectAttributes: object,
  maxPreparedStatements: whole,
  enableCleartextPlugin: flag,
  disableEval: flag,
  trace: flag,
};

/** The names of all connection settings. */
export const CONNECTION_SETTING_NAMES: readonly (keyof MysqlConnectionSettings)[] = Object.freeze(
  Object.keys(CHECKS) as (keyof MysqlConnectionSettings)[],
);

/** Settings whose values are never shown. */
const SECRETS: ReadonlySet<string> = new Set(['password', 'password2', 'password3']);

/** Settings as they may be shown: without passwords and TLS keys. */
export function publicConfig(settings: MysqlConnectionSettings): ConnectionOptions {
  const { password: _1, password2: _2, password3: _3, ssl: _4, ...rest } = settings;
  return Object.freeze({ ...rest }) as unknown as ConnectionOptions;
}

/** Whether `name` is a connection setting. */
export function isConnectionSetting(name: string): name is keyof MysqlConnectionSettings {
  return Object.hasOwn(CHECKS, name);
}

/**
 * Checks the value of one setting.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`; the value of a password is not shown.
 */
export function checkConnectionSetting(
  path: string,
  name: keyof MysqlConnectionSettings,
  value: unknown,
): void {
  const { expected, fits } = CHECKS[name];
  if (!fits(value)) throw invalidOption(path, expected, SECRETS.has(name) ? Object(value) : value);
  if (name === 'ssl') checkTls(path, value);
}

/**
 * Reads the text of a setting that came in a URL.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function settingFromText(path: string, name: keyof MysqlConnectionSettings, value: string): unknown {
  const check = CHECKS[name];
  // A password of digits is a password all the same.
  if (check === text || check.fits === CHECKS.timezone.fits) return value;
  const parsed = parsedText(value);
  checkConnectionSetting(path, name, parsed);
  return parsed;
}

function parsedText(value: string): unknown {
  if (!/^(true|false|-?\d+|[[{].*)$/s.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}
