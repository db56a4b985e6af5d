import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { connectError } from '../../../src/memcached/connect-error.js';

test.each([
  ['ECONNREFUSED', 'check that memcached runs there'],
  ['ENOENT', "correct the socket's path"],
  ['EACCES', 'a user whom the socket lets in'],
  ['ENOTFOUND', "correct the node's host"],
  ['EAI_AGAIN', 'the name service'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', '`tls.servername`'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'leave `tls` out'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', '`tls.ca`'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', '`tls.ca`'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', '`tls.ca`'],
  ['CERT_UNTRUSTED', '`tls.ca`'],
  ['CERT_HAS_EXPIRED', 'renew it'],
  ['CERT_NOT_YET_VALID', "this machine's clock"],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', '`tls.cert` and `tls.key`'],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', '`tls.cert` and `tls.key`'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'that it trusts'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'a TLS version that it speaks'],
  ['CERT_REVOKED', "the node's certificate"],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', '`tls`'],
])('%s comes with what to do', (code, remedy) => {
  const cause = Object.assign(new Error('said by the system'), { code });
  const error = connectError('sessions-1', cause);
  expect(error).toMatchObject({ code: ErrorCode.NODE_UNREACHABLE, node: 'sessions-1', cause });
  expect(error.message).toContain('memcached sessions-1: said by the system; ');
  expect(error.message).toContain(remedy);
});

test('an error of this package stays as it is, and what is no error gets the general remedy', () => {
  const own = new StormlampError(ErrorCode.TIMEOUT, 'late');
  expect(connectError('a', own)).toBe(own);
  expect(connectError('a', null).message).toContain('check that memcached runs there');
});
