/** Finds out before a gateway listens whether it could speak TLS: with most mistakes it would listen, and every client would fail. */
import { createSecureContext, type TlsOptions } from 'node:tls';
import { invalidOption } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/**
 * The options, when a server can be made of them; undefined for none.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` with the remedy.
 */
export function readServerTls(tls: TlsOptions | undefined): TlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls !== 'object' || tls === null) throw invalidOption('tls', 'an object', tls);
  if (!namesItself(tls)) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      'Expected `tls` to have `cert` and `key`, the texts of PEM files, or `pfx`: without a certificate no client can speak TLS',
    );
  }
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `Expected \`tls\` to be what TLS can be spoken with: ${describeError(error)}; ${remedyOf(error)}`,
      { cause: error },
    );
  }
  return tls;
}

/** Whether there is something to show to clients, or somebody who has it. */
function namesItself({
  cert,
  key,
  privateKeyIdentifier,
  pfx,
  SNICallback,
  pskCallback,
}: TlsOptions): boolean {
  const has = (value: unknown): boolean => value !== undefined && value !== null && value !== '';
  // A key in hardware is only named.
  const signs = has(cert) && (has(key) || has(privateKeyIdentifier));
  return signs || has(pfx) || SNICallback !== undefined || pskCallback !== undefined;
}

function remedyOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ERR_OSSL_PEM_NO_START_LINE':
      return 'give the texts of PEM files for `cert` and `key`, not the names of the files (which the command takes as --tls-cert and --tls-key)';
    case 'ERR_OSSL_X509_KEY_VALUES_MISMATCH':
      return 'give the key that belongs to the certificate';
    default:
      return 'correct it, as for `tls.createServer` of Node';
  }
}
