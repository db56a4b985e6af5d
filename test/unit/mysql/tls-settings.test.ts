import { expect, test } from 'vitest';
import { checkTls } from '../../../src/mysql/tls-settings.js';
import { TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from '../../integration/tls-certificate.js';

test.each([
  [true],
  [false],
  [{}],
  ['Amazon RDS'],
  [{ ca: TEST_CERTIFICATE, verifyIdentity: true }],
  [{ ca: [Buffer.from(TEST_CERTIFICATE)], cert: TEST_CERTIFICATE, key: TEST_CERTIFICATE_KEY }],
  [{ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', rejectUnauthorized: false }],
])('%o is taken', (value) => {
  expect(() => checkTls('primary.ssl', value)).not.toThrow();
});

test.each([
  // Passed over, the server would be believed whatever its certificate says.
  [{ verifyidentity: true }, 'Unknown option `primary.ssl.verifyidentity`; did you mean `verifyIdentity`?'],
  [{ verifyIdentity: 'yes' }, '`primary.ssl.verifyIdentity` to be a boolean'],
  [{ servername: 'db.example' }, 'Unknown option `primary.ssl.servername`'],
  [{ pfx: 'x' }, 'Unknown option `primary.ssl.pfx`'],
  [{ ca: '/etc/ssl/ca.pem' }, '`primary.ssl.ca` to be the text of PEM certificates'],
  [{ ca: [TEST_CERTIFICATE, Buffer.from('x')] }, '`primary.ssl.ca` to be the text of PEM certificates'],
  [{ cert: 'x', key: 'y' }, 'Node cannot use the TLS settings of `primary.ssl`'],
  [{ cert: TEST_CERTIFICATE, key: TEST_CERTIFICATE_KEY.slice(0, 90) }, 'Node cannot use the TLS settings'],
  [{ minVersion: 'TLSv9' }, '"TLSv9" is not a valid minimum TLS protocol version'],
  ['No Such Profile', "the name of a profile ('Amazon RDS')"],
])('%o is refused', (value, message) => {
  expect(() => checkTls('primary.ssl', value)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining(message) }),
  );
});

test('no part of a key is shown', () => {
  const key = TEST_CERTIFICATE_KEY.replace('MIGH', 'SECRETS');
  expect(() => checkTls('ssl', { cert: TEST_CERTIFICATE, key })).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('SECRETS') }),
  );
});
