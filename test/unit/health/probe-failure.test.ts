import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { probeFailureOf } from '../../../src/health/probe-failure.js';
import { provesLife } from '../../../src/topology/node-description.js';

const error = (fields: object, message = 'made up'): Error => Object.assign(new Error(message), fields);

test.each([
  ['a refused connection', error({ code: 'ECONNREFUSED', errno: -111 }), 'refused'],
  ['a socket file that is not there', error({ code: 'ENOENT', errno: -2 }), 'refused'],
  ['a connection that the server closed', error({ code: 'PROTOCOL_CONNECTION_LOST', fatal: true }), 'reset'],
  ['a reset', error({ code: 'ECONNRESET', errno: -104 }), 'reset'],
  ['an idle disconnect of MySQL, number in code', error({ code: 4031, fatal: true }), 'reset'],
  [
    'a closed connection of the driver',
    error({ fatal: true }, "Can't add new command when connection is in closed state"),
    'reset',
  ],
  ['MariaDB 4031, which is not an idle disconnect', error({ code: 'ER_X', errno: 4031 }), 'other'],
  ['a connect timeout', error({ code: 'ETIMEDOUT', errno: -110 }), 'timeout-connect'],
  ['an unreachable host', error({ code: 'EHOSTUNREACH', errno: -113 }), 'timeout-connect'],
  ['a query timeout of the driver', error({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' }), 'timeout-query'],
  ['our own deadline', new StormlampError(ErrorCode.TIMEOUT, 'late'), 'timeout-query'],
  ['a wrong password', error({ code: 'ER_ACCESS_DENIED_ERROR', errno: 1045 }), 'access-denied'],
  ['an unknown database', error({ code: 'ER_BAD_DB_ERROR', errno: 1049 }), 'access-denied'],
  [
    'a locked account on MariaDB, misnamed by the driver',
    error({ code: 'ER_BULK_PARSER', errno: 4151 }),
    'access-denied',
  ],
  ['a locked account on MySQL', error({ errno: 3118 }), 'access-denied'],
  ['a missing grant', error({ errno: 1227 }), 'access-denied'],
  ['a full server', error({ code: 'ER_CON_COUNT_ERROR', errno: 1040 }), 'too-many'],
  ['a full account', error({ errno: 1226 }), 'too-many'],
  ['a shutdown', error({ code: 'ER_SERVER_SHUTDOWN', errno: 1053 }), 'server-shutdown'],
  ['offline mode', error({ errno: 3032 }), 'server-shutdown'],
  ['a killed connection', error({ errno: 3169 }), 'reset'],
  ['a peer that is no MySQL server', error({ code: 'PROTOCOL_PACKETS_OUT_OF_ORDER' }), 'protocol'],
  ['a TLS failure', error({ code: 'HANDSHAKE_SSL_ERROR' }), 'protocol'],
  ['a name that does not resolve', error({ code: 'ENOTFOUND' }), 'other'],
  ['an unknown error of the server', error({ code: 'ER_PARSE_ERROR', errno: 1064 }), 'other'],
  [
    'our error around one of the driver',
    new StormlampError(ErrorCode.NODE_UNREACHABLE, 'no', { cause: error({ code: 'ECONNREFUSED' }) }),
    'refused',
  ],
  [
    'our error around something else',
    new StormlampError(ErrorCode.ACCESS_DENIED, 'no', { cause: error({}) }),
    'access-denied',
  ],
  [
    'several addresses',
    new AggregateError([error({ code: 'ECONNREFUSED' }), error({ code: 'EHOSTUNREACH' })]),
    'refused',
  ],
  ['not an error', 'text', 'other'],
  ['nothing', undefined, 'other'],
  ['null', null, 'other'],
] as const)('%s', (_, thrown, failure) => {
  expect(probeFailureOf(thrown)).toBe(failure);
});

test('only a server that answered proves that it lives', () => {
  expect((['access-denied', 'too-many'] as const).every(provesLife)).toBe(true);
  expect(
    (
      [
        'refused',
        'reset',
        'timeout-connect',
        'timeout-query',
        'server-shutdown',
        'protocol',
        'other',
      ] as const
    ).some(provesLife),
  ).toBe(false);
});
