import { generateKeyPairSync } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { expect, test } from 'vitest';
import { resolveGatewayOptions } from '../../../src/gateway/gateway-options.js';
import { TEST_CERTIFICATE as cert, TEST_CERTIFICATE_KEY as key } from '../../integration/tls-certificate.js';

const otherKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
});

test.each<[string, unknown, RegExp]>([
  ['nothing in it', {}, /`cert` and `key`.*no client/],
  ['a certificate without its key', { cert }, /`cert` and `key`/],
  ['an empty key', { cert, key: '' }, /`cert` and `key`/],
  [
    'the names of files',
    { cert: '/etc/gateway.pem', key: '/etc/gateway.key' },
    /texts of PEM files.*--tls-cert/,
  ],
  ['a key of another certificate', { cert, key: otherKey }, /key that belongs to the certificate/],
  ['ciphers that there are not', { cert, key, ciphers: 'NOPE' }, /no cipher match; correct it/],
  [
    'the name of a key in hardware without the engine that has it',
    { cert, privateKeyIdentifier: 'slot-1' },
    /privateKeyEngine.*correct it/,
  ],
  ['a word', 'yes', /`tls` to be an object/],
  ['null', null, /`tls` to be an object/],
])('TLS with %s is refused before anybody listens, with the remedy', (_name, tls, message) => {
  expect(() => resolveGatewayOptions({ tls: tls as TlsOptions })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringMatching(message) }),
  );
});

test.each<[string, TlsOptions]>([
  ['a certificate and its key', { cert, key }],
  ['several of them', { cert: [cert], key: [key] }],
  ['somebody who has one', { SNICallback: (_name, done) => done(null) }],
])('TLS with %s is taken', (_name, tls) => {
  expect(resolveGatewayOptions({ tls }).tls).toBe(tls);
});
