import { describe, expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { classifyServerError, isNodeFault } from '../../../src/mysql/server-error.js';

function serverError(errno: number, message = 'text', sqlState = 'HY000'): Error {
  return Object.assign(new Error(message), { errno, code: 'ER_WHATEVER', sqlState });
}

function driverError(code: string, fields: object = {}): Error {
  return Object.assign(new Error(code), { code, fatal: true, ...fields });
}

const READ_ONLY = 'The server is running with the --read-only option so it cannot execute this statement';

describe('the kind of an error', () => {
  test.each([
    ['both', 1290, READ_ONLY, 'read-only', 'usable'],
    ['both', 1290, READ_ONLY.replace('--read', '--super-read'), 'read-only', 'usable'],
    ['both', 1290, READ_ONLY.replace('--read-only', '--secure-file-priv'), 'statement', 'usable'],
    ['both', 1836, 'Running in read-only mode', 'read-only', 'usable'],
    ['both', 1792, '', 'read-only', 'usable'],
    ['both', 1044, '', 'access', 'usable'],
    ['both', 1045, '', 'access', 'usable'],
    ['both', 1049, '', 'access', 'usable'],
    ['both', 1142, '', 'access', 'usable'],
    ['both', 1227, '', 'access', 'usable'],
    ['both', 1040, '', 'overload', 'lost'],
    ['both', 1226, '', 'overload', 'usable'],
    ['both', 1205, '', 'lock-timeout', 'usable'],
    ['both', 1213, '', 'deadlock', 'usable'],
    ['both', 1053, '', 'shutdown', 'lost'],
    ['both', 1317, '', 'killed', 'usable'],
    ['both', 1153, '', 'statement', 'lost'],
    ['both', 1064, '', 'statement', 'usable'],
    ['both', 1062, '', 'statement', 'usable'],
    ['both', 1461, '', 'statement', 'usable'],
    ['mysql', 3024, '', 'killed', 'usable'],
    ['mysql', 3032, '', 'shutdown', 'lost'],
    ['mysql', 3101, '', 'deadlock', 'usable'],
    ['mysql', 3118, '', 'access', 'lost'],
    ['mysql', 3572, '', 'lock-timeout', 'usable'],
    ['mysql', 4031, '', 'connection-lost', 'lost'],
    ['mariadb', 4031, '', 'statement', 'usable'],
    ['mariadb', 3024, '', 'statement', 'usable'],
    ['mariadb', 3572, '', 'statement', 'usable'],
    ['mariadb', 1927, '', 'connection-lost', 'lost'],
    ['mariadb', 1969, '', 'killed', 'usable'],
    ['mariadb', 4151, '', 'access', 'lost'],
    ['mysql', 4151, '', 'statement', 'usable'],
  ] as const)('%s %i %s is %s, the connection is %s', (flavor, errno, message, kind, connection) => {
    for (const each of flavor === 'both' ? (['mysql', 'mariadb'] as const) : [flavor]) {
      expect(classifyServerError(serverError(errno, message), each)).toMatchObject({
        kind,
        connection,
        answered: true,
      });
    }
  });

  test('a server that is read-only is told from a transaction that is', () => {
    expect(classifyServerError(serverError(1290, READ_ONLY)).readOnlyRole).toBe(true);
    expect(classifyServerError(serverError(1836)).readOnlyRole).toBe(true);
    expect(classifyServerError(serverError(1792)).readOnlyRole).toBe(false);
  });

  test('1047 is only a node out of service when Galera says so', () => {
    const wsrep = 'WSREP has not yet prepared node for application use';
    expect(classifyServerError(serverError(1047, wsrep, '08S01'))).toMatchObject({
      kind: 'shutdown',
      connection: 'lost',
      unexecuted: true,
    });
    expect(classifyServerError(serverError(1047, 'Unknown command')).kind).toBe('statement');
  });

  test('1180 with a status of the provider is a commit that nobody knows the end of', () => {
    const status =
      'Error while appending streaming replication fragment(provider status: Not connected to Primary Component)';
    const meaning = classifyServerError(serverError(1180, status));
    expect(meaning).toMatchObject({ kind: 'connection-lost', connection: 'lost' });
    expect(meaning.unexecuted).toBeUndefined();
    expect(classifyServerError(serverError(1180, 'Got error 5 during COMMIT')).kind).toBe('statement');
  });

  test.each([
    ['PROTOCOL_CONNECTION_LOST', 'connection-lost'],
    ['ECONNREFUSED', 'connection-lost'],
    ['ECONNRESET', 'connection-lost'],
    ['EPIPE', 'connection-lost'],
    ['ETIMEDOUT', 'connection-lost'],
    ['ENOTFOUND', 'connection-lost'],
    ['PROTOCOL_SEQUENCE_TIMEOUT', 'connection-lost'],
    ['HANDSHAKE_NO_SSL_SUPPORT', 'protocol'],
    ['HANDSHAKE_SSL_ERROR', 'protocol'],
    ['HANDSHAKE_NOT_MYSQL', 'protocol'],
    ['PROTOCOL_UNEXPECTED_PACKET', 'protocol'],
    ['AUTH_SWITCH_PLUGIN_ERROR', 'protocol'],
  ] as const)('%s is %s, from nobody that answered', (code, kind) => {
    // Numbers of the operating system are negative, and must not be taken for the server's.
    expect(classifyServerError(driverError(code, { errno: -111 }))).toEqual({
      kind,
      connection: 'lost',
      answered: false,
    });
  });

  test('an ERR packet to an idle connection has its number in the code', () => {
    const error = Object.assign(new Error('idle'), { code: 4031, fatal: true });
    expect(classifyServerError(error, 'mysql')).toMatchObject({
      kind: 'connection-lost',
      connection: 'lost',
    });
  });

  test('a command on a closed connection is a lost connection, although the driver names it nothing', () => {
    const error = Object.assign(new Error("Can't add new command when connection is in closed state"), {
      fatal: true,
    });
    expect(classifyServerError(error).kind).toBe('connection-lost');
  });

  test('what the driver calls fatal makes the connection unusable, whatever the number', () => {
    const error = Object.assign(serverError(1064), { fatal: true });
    expect(classifyServerError(error)).toMatchObject({ kind: 'statement', connection: 'lost' });
    expect(classifyServerError(Object.assign(new Error('bad packet'), { fatal: true })).kind).toBe(
      'protocol',
    );
  });

  test('a login that is refused leaves no connection, a statement that is refused in the same words does', () => {
    for (const errno of [1044, 1045, 1049]) {
      const login = Object.assign(serverError(errno), { fatal: true });
      expect(classifyServerError(login)).toMatchObject({ kind: 'access', connection: 'lost' });
    }
  });

  test('our own errors mean what their causes mean', () => {
    const wrapped = (code: ErrorCode, cause?: unknown): StormlampError =>
      new StormlampError(code, 'x', { cause });
    expect(classifyServerError(wrapped(ErrorCode.NODE_UNREACHABLE, serverError(1040)))).toMatchObject({
      kind: 'overload',
      connection: 'lost',
    });
    expect(classifyServerError(wrapped(ErrorCode.NODE_UNREACHABLE)).kind).toBe('connection-lost');
    expect(classifyServerError(wrapped(ErrorCode.ACCESS_DENIED)).kind).toBe('access');
    expect(classifyServerError(wrapped(ErrorCode.OUTCOME_UNKNOWN, driverError('EPIPE'))).kind).toBe(
      'connection-lost',
    );
    expect(classifyServerError(wrapped(ErrorCode.POOL_TIMEOUT))).toMatchObject({ answered: false });
  });

  test('anything else is an error of the statement', () => {
    for (const thrown of [undefined, null, 'text', 7, new TypeError('bind parameters')]) {
      expect(classifyServerError(thrown).kind).toBe('statement');
    }
  });

  test('without a family, a number that means two things is not acted on', () => {
    expect(classifyServerError(serverError(4031)).connection).toBe('usable');
    expect(classifyServerError(serverError(1927)).connection).toBe('lost');
  });
});

test.each([
  new DOMException('x', 'AbortError'),
  new DOMException('x', 'TimeoutError'),
  new Error('x'),
  7,
  undefined,
])('a call that was given up for %s leaves a connection that is still busy', (cause) => {
  const error = new StormlampError(ErrorCode.ABORTED, 'x', { cause });
  expect(classifyServerError(error, 'mysql')).toMatchObject({ answered: false, connection: 'lost' });
  expect(isNodeFault(error)).toBe(false);
});

describe('what speaks against a node', () => {
  test.each([
    [driverError('ECONNREFUSED'), true],
    [driverError('PROTOCOL_CONNECTION_LOST'), true],
    [driverError('HANDSHAKE_NOT_MYSQL'), true],
    [serverError(1053), true],
    [new StormlampError(ErrorCode.TIMEOUT, 'late'), true],
    [new StormlampError(ErrorCode.NODE_UNREACHABLE, 'x', { cause: driverError('ETIMEDOUT') }), true],
    [new StormlampError(ErrorCode.NODE_UNREACHABLE, 'x', { cause: serverError(1040) }), false],
    [new StormlampError(ErrorCode.ABORTED, 'x'), false],
    [new StormlampError(ErrorCode.BREAKER_OPEN, 'x'), false],
    [new StormlampError(ErrorCode.ACCESS_DENIED, 'x'), false],
    [new StormlampError(ErrorCode.POOL_TIMEOUT, 'x'), false],
    [serverError(1045), false],
    [serverError(1064), false],
    [serverError(1213), false],
    [serverError(1290, READ_ONLY), false],
  ])('%o: %s', (error, fault) => {
    expect(isNodeFault(error)).toBe(fault);
  });
});
