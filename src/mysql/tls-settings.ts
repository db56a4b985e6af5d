/** Checks how connections are to be encrypted before one is made: a mistake must not turn a check of the server off. */
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { invalidOption, rejectUnknownOptions } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { TlsSettings } from './connection-settings.js';

/** The names of {@link TlsSettings}: the driver passes over any other one. */
const NAMES: readonly (keyof TlsSettings)[] = [
  'ca',
  'cert',
  'key',
  'passphrase',
  'ciphers',
  'minVersion',
  'maxVersion',
  'rejectUnauthorized',
  'verifyIdentity',
];

const SWITCHES: readonly (keyof TlsSettings)[] = ['rejectUnauthorized', 'verifyIdentity'];

/** The profiles of the driver. */
const PROFILES: readonly string[] = ['Amazon RDS'];

/**
 * Checks the value of `ssl` of a node, called `path`; what `true` and `false` say needs none.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, which shows neither keys nor passphrases.
 */
export function checkTls(path: string, value: unknown): void {
  if (typeof value === 'string' && !PROFILES.includes(value)) {
    const profiles = PROFILES.map((name) => `'${name}'`).join(', ');
    throw invalidOption(path, `TLS settings, a boolean, or the name of a profile (${profiles})`, value);
  }
  if (typeof value !== 'object' || value === null) return;
  rejectUnknownOptions(path, value, NAMES);
  const settings = value as Readonly<Record<keyof TlsSettings, unknown>>;
  for (const name of SWITCHES) {
    const given = settings[name];
    if (given !== undefined && typeof given !== 'boolean')
      throw invalidOption(`${path}.${name}`, 'a boolean', given);
  }
  const { ca, cert, key, passphrase, ciphers, minVersion, maxVersion } = settings;
  // Node passes over an authority in which it finds no certificate.
  for (const each of ca === undefined ? [] : [ca].flat()) {
    if (!String(each).includes('-----BEGIN ')) {
      const text = Buffer.isBuffer(each) ? 'a buffer without one' : each;
      throw invalidOption(`${path}.ca`, 'the text of PEM certificates, not the name of their file', text);
    }
  }
  try {
    createSecureContext({
      ca,
      cert,
      key,
      passphrase,
      ciphers,
      minVersion,
      maxVersion,
    } as SecureContextOptions);
  } catch (error) {
    const message = `Node cannot use the TLS settings of \`${path}\`: ${describeError(error)}`;
    throw new StormlampError(ErrorCode.INVALID_OPTION, message, { cause: error });
  }
}
