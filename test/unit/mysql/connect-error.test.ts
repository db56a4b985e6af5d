import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { connectError } from '../../../src/mysql/connect-error.js';

const from = (error: unknown, user: string | undefined = 'app'): StormlampError =>
  connectError({ node: 'db1:3306', user, error });

function errorWith(fields: object, message = 'said so'): Error {
  return Object.assign(new Error(message), fields);
}

test.each([
  [
    { code: 'ECONNREFUSED', errno: -111 },
    ErrorCode.NODE_UNREACHABLE,
    /refuses connections.*start the server/,
  ],
  [{ code: 'ENOTFOUND', errno: -3008 }, ErrorCode.NODE_UNREACHABLE, /cannot be resolved/],
  [{ code: 'ETIMEDOUT' }, ErrorCode.NODE_UNREACHABLE, /did not answer.*firewall/],
  [{ code: 'ENOENT' }, ErrorCode.NODE_UNREACHABLE, /socket's path/],
  [{ code: 'EHOSTUNREACH' }, ErrorCode.NODE_UNREACHABLE, /No connection/],
  [{ code: 'PROTOCOL_CONNECTION_LOST', fatal: true }, ErrorCode.NODE_UNREACHABLE, /No connection/],
  [{ errno: 1040 }, ErrorCode.NODE_UNREACHABLE, /no more connections.*pool\.max/],
  [{ errno: 1226 }, ErrorCode.NODE_UNREACHABLE, /no more connections/],
  [{ errno: 1053 }, ErrorCode.NODE_UNREACHABLE, /No connection/],
  [{ errno: 3032 }, ErrorCode.NODE_UNREACHABLE, /No connection/],
  [{ errno: 1045 }, ErrorCode.ACCESS_DENIED, /user 'app'.*check user and password/],
  [{ errno: 1698 }, ErrorCode.ACCESS_DENIED, /check user and password/],
  [{ errno: 1049 }, ErrorCode.ACCESS_DENIED, /check the database name/],
  [{ errno: 1044 }, ErrorCode.ACCESS_DENIED, /GRANT the user access/],
  [{ errno: 1129 }, ErrorCode.ACCESS_DENIED, /FLUSH HOSTS/],
  [{ errno: 1130 }, ErrorCode.ACCESS_DENIED, /this machine's address/],
  [{ errno: 1820 }, ErrorCode.ACCESS_DENIED, /expired.*ALTER USER/],
  [{ errno: 1862 }, ErrorCode.ACCESS_DENIED, /expired/],
  [{ errno: 3118 }, ErrorCode.ACCESS_DENIED, /ACCOUNT UNLOCK/],
  [{ errno: 4151 }, ErrorCode.ACCESS_DENIED, /ACCOUNT UNLOCK/],
  [{ code: 'HANDSHAKE_NO_SSL_SUPPORT', fatal: true }, ErrorCode.PROTOCOL, /no TLS.*remove `ssl`/],
  [{ code: 'HANDSHAKE_SSL_ERROR', fatal: true }, ErrorCode.PROTOCOL, /`ssl\.ca`/],
  [{ code: 'HANDSHAKE_NOT_MYSQL', fatal: true }, ErrorCode.PROTOCOL, /check its port/],
  [{ code: 'AUTH_SWITCH_PLUGIN_ERROR', fatal: true }, ErrorCode.PROTOCOL, /authentication plugin/],
  [{ fatal: true }, ErrorCode.PROTOCOL, /does not speak the MySQL protocol/],
])('%o is %s, with the remedy', (fields, code, message) => {
  const cause = errorWith(fields);
  const error = from(cause);
  expect(error).toMatchObject({ code, node: 'db1:3306', cause });
  expect(error.message).toMatch(message);
  expect(error.message).toContain('db1:3306');
  expect(error.message).toContain('said so');
});

test('several addresses that all refuse are one refusal, with what became of each', () => {
  const cause = new AggregateError([
    errorWith({ code: 'ECONNREFUSED' }, 'connect ECONNREFUSED ::1:3306'),
    errorWith({ code: 'ECONNREFUSED' }, 'connect ECONNREFUSED 127.0.0.1:3306'),
  ]);
  expect(from(Object.assign(cause, { code: 'ECONNREFUSED' })).message).toMatch(
    /refuses connections: connect ECONNREFUSED ::1:3306, connect ECONNREFUSED 127\.0\.0\.1:3306/,
  );
});

test('an address that refuses says more than one without a route', () => {
  const cause = new AggregateError([
    errorWith({ code: 'ENETUNREACH' }, 'connect ENETUNREACH 2001:db8::1:3306'),
    errorWith({ code: 'ECONNREFUSED' }, 'connect ECONNREFUSED 192.0.2.1:3306'),
  ]);
  expect(from(Object.assign(cause, { code: 'ENETUNREACH' })).message).toMatch(
    /refuses connections: connect ENETUNREACH 2001:db8::1:3306, connect ECONNREFUSED 192\.0\.2\.1:3306/,
  );
});

test('a host of which no address answers did not answer', () => {
  const late = errorWith({ code: 'ETIMEDOUT' }, 'connect ETIMEDOUT 192.0.2.1:3306');
  const cause = new AggregateError([late, errorWith({ code: 'ENETUNREACH' }, 'connect ENETUNREACH ::2')]);
  expect(from(Object.assign(cause, { code: 'ETIMEDOUT' })).message).toMatch(
    /did not answer: connect ETIMEDOUT/,
  );
});

test('our own errors pass', () => {
  const own = new StormlampError(ErrorCode.ABORTED, 'x');
  expect(from(own)).toBe(own);
});

test('a login without a user says so', () => {
  expect(connectError({ node: 'db1', user: undefined, error: errorWith({ errno: 1045 }) }).message).toContain(
    'without a user',
  );
});
