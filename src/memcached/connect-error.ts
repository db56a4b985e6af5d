/** Turns the error of a connection to memcached that never came about into one that says what to do. */
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';

/** The `ERR_NODE_UNREACHABLE` for what the system or TLS said of node `id`; an error of this package stays as it is. */
export function connectError(id: NodeId, error: unknown): StormlampError {
  if (isStormlampError(error)) return error;
  const { problem, remedy } = explain(error);
  const said = describeError(error).trim();
  return new StormlampError(ErrorCode.NODE_UNREACHABLE, `${problem} memcached ${id}: ${said}; ${remedy}`, {
    cause: error,
    node: id,
  });
}

function explain(error: unknown): { readonly problem: string; readonly remedy: string } {
  const code = codeOf(error);
  switch (code) {
    case 'ENOENT':
      return { problem: 'No connection to', remedy: "start memcached there, or correct the socket's path" };
    case 'EACCES':
      return {
        problem: 'No permission to connect to',
        remedy: 'run this process as a user whom the socket lets in, or start memcached with a wider `-a`',
      };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { problem: 'No address for', remedy: "correct the node's host, or the name service" };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        problem: 'The certificate is for another name than',
        remedy: 'call the node by a name that is in its certificate, or give that name as `tls.servername`',
      };
    case 'CERT_HAS_EXPIRED':
      return {
        problem: 'The certificate has expired of',
        remedy: "renew it, or its authority's, and restart memcached; or set this machine's clock",
      };
    case 'CERT_NOT_YET_VALID':
      return {
        problem: 'The certificate is not valid yet of',
        remedy: "set this machine's clock, or that of the one that made the certificate",
      };
    // What OpenSSL says when the answer to its greeting is no TLS.
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return {
        problem: 'No TLS is spoken by',
        remedy: 'start memcached with TLS (`-Z`), or leave `tls` out',
      };
    default:
  }
  if (isDistrust(code))
    return {
      problem: 'The certificate is not trusted of',
      remedy: 'give the authority that signed it as `tls.ca`',
    };
  // The node's own word: it broke the handshake off.
  if (typeof code === 'string' && /^ERR_SSL_\w*ALERT_/.test(code))
    return {
      problem: 'TLS was refused by',
      remedy:
        'give as `tls.cert` and `tls.key` a certificate that it trusts, where it asks for one (`-o ssl_verify_mode`), and allow a TLS version that it speaks',
    };
  if (typeof code === 'string' && /^ERR_SSL_|CERT/.test(code))
    return { problem: 'TLS failed with', remedy: "check the node's certificate, and `tls`" };
  return { problem: 'No connection to', remedy: 'check that memcached runs there' };
}

/** OpenSSL's names for a chain that ends nowhere, as Node has them for its error codes. */
function isDistrust(code: unknown): boolean {
  return (
    typeof code === 'string' &&
    /SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE)|CERT_UNTRUSTED|INVALID_CA/.test(code)
  );
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
