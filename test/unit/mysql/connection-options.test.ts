import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import {
  forAdministration,
  type MysqlNodeOptions,
  parseMysqlNode,
  withCredentials,
} from '../../../src/mysql/connection-options.js';

const parse = (value: string | MysqlNodeOptions): ReturnType<typeof parseMysqlNode> =>
  parseMysqlNode('mysql.primary', value, 'primary');

describe('a URL', () => {
  test('has everything that a connection needs', () => {
    const { seed, connection, session } = parse(
      'mysql://app:p%40ss%2Fword@db1.example:3307/shop?connectTimeout=500&charset=latin1&supportBigNumbers=true' +
        '&timezone=+02:00&weight=3&zone=eu-1&session.time_zone=%2B00:00&ssl=%7B%22minVersion%22%3A%22TLSv1.2%22%7D&password2=123',
    );
    expect(seed).toEqual({
      id: 'db1.example:3307',
      address: { host: 'db1.example', port: 3307 },
      configuredRole: 'primary',
      weight: 3,
      zone: 'eu-1',
    });
    expect(connection).toEqual({
      user: 'app',
      password: 'p@ss/word',
      database: 'shop',
      connectTimeout: 500,
      charset: 'latin1',
      supportBigNumbers: true,
      timezone: '+02:00',
      ssl: { minVersion: 'TLSv1.2' },
      password2: '123',
    });
    expect(session).toEqual({ time_zone: '+00:00' });
  });

  test.each([
    ['mysql://db1', 'db1:3306'],
    ['mariadb://db1', 'db1:3306'],
    ['mysql://[::1]:3310/x', '[::1]:3310'],
    ['mysql://app@localhost/x?socketPath=/run/mysqld.sock', '/run/mysqld.sock'],
    ['mysql://app@%2Frun%2Fmysqld.sock/x', '/run/mysqld.sock'],
  ])('%s is node %s', (url, id) => {
    expect(parse(url).seed.id).toBe(id);
  });

  test.each([
    'db1:3306',
    'http://app:secret@db1/x',
    'mysql:///x',
    'mysql://app:sec#ret@db1/x',
    'mysql://app:secret@@db1:99999/x',
    'mysql://app:sec%zzret@db1/x',
    'mysql://app:secret@db1/x?conectTimeout=1',
    'mysql://app:secret@db1/x?connectTimeout=soon',
    'mysql://app:secret@db1/x?weight=-1',
    'mysql://app:secret@db1/x?timezone=Berlin&password2=secret',
    'app:secret@db1',
    '',
  ])('%s is refused without showing the password', (url) => {
    expect(() => parse(url)).toThrow(
      expect.objectContaining({
        code: ErrorCode.INVALID_OPTION,
        message: expect.not.stringMatching(/sec[#%]?|secret/),
      }),
    );
  });

  test('a wrong name is told with the right one', () => {
    expect(() => parse('mysql://db1/?conectTimeout=1')).toThrow(/did you mean `connectTimeout`/);
  });

  test('any user and password survive the way through a URL', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.string({ unit: 'grapheme', minLength: 1 }),
        (user, password) => {
          const url = `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@db1/x`;
          expect(parse(url).connection).toEqual({ user, password, database: 'x' });
        },
      ),
    );
  });

  test('no text makes a message with a password in it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, middle, after) => {
        const url = `${before}mysql://u:GEHEIM${middle}@${after}`;
        try {
          parse(url);
        } catch (error) {
          expect(String(error)).not.toContain('GEHEIM');
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('an object', () => {
  test('autocommit cannot be off for a pool: nobody would end its transactions', () => {
    for (const value of [0, false, 'OFF', 'maybe']) {
      expect(() => parse({ host: 'db1', session: { Autocommit: value } })).toThrow(
        /session\.Autocommit` to be on; a connection that wants it off/,
      );
    }
    expect(() => parse('mysql://db1?session.autocommit=0')).toThrow(/SET autocommit = 0/);
    expect(parse('mysql://db1?session.autocommit=1').session).toEqual({ autocommit: '1' });
  });

  test('has the names of mysql2, with weight, zone and session variables', () => {
    const typeCast = (_field: unknown, next: () => unknown): unknown => next();
    const { seed, connection, session } = parse({
      host: '::1',
      port: 3307,
      user: 'app',
      typeCast,
      flags: ['-FOUND_ROWS'],
      weight: 0,
      session: { sql_mode: 'ANSI', wait_timeout: 5, autocommit: true },
    });
    expect(seed).toMatchObject({ id: '[::1]:3307', weight: 0 });
    expect(connection).toEqual({ user: 'app', typeCast, flags: ['-FOUND_ROWS'] });
    expect(session).toEqual({ sql_mode: 'ANSI', wait_timeout: 5, autocommit: true });
  });

  test('an object may start from a URL and win over it', () => {
    const { seed, connection, session } = parse({
      url: 'mysql://app:pw@db1:3307/shop?session.a=1&session.b=1',
      host: 'db2',
      password: undefined as never,
      database: 'other',
      session: { b: '2' },
    });
    expect(seed.id).toBe('db2:3307');
    expect(connection).toEqual({ user: 'app', password: 'pw', database: 'other' });
    expect(session).toEqual({ a: '1', b: '2' });
  });

  test.each([
    [{ password: 7 }, /`mysql\.primary\.password`.*a string/],
    [{ connectionLimit: 5 }, /`mysql\.primary\.connectionLimit` is an option of mysql2.*`pool: { max }`/],
    [{ hots: 'db1' }, /did you mean `host`/],
    [{ port: 0 }, /`mysql\.primary\.port`/],
    [{ host: 'a b' }, /`mysql\.primary\.host`/],
    [{ socketPath: 'relative' }, /`mysql\.primary\.socketPath`.*absolute/],
    [{ weight: -1 }, /`mysql\.primary\.weight`/],
    [{ credentials: 'app' }, /`mysql\.primary\.credentials`.*a function/],
    [{ session: { 'a; DROP TABLE x': 1 } }, /session variables/],
    [{ session: { a: {} } }, /`mysql\.primary\.session\.a`/],
    [{ session: [] }, /`mysql\.primary\.session`/],
    [{ timezone: 'Mars' }, /`mysql\.primary\.timezone`/],
  ])('%o is refused', (options, message) => {
    expect(() => parse(options as never)).toThrow(message);
    expect(() => parse(options as never)).toThrow(
      expect.objectContaining({ code: ErrorCode.INVALID_OPTION }),
    );
  });

  test('the value of a wrong password is not shown', () => {
    expect(() => parse({ password: 471_147 as never })).toThrow(/^(?!.*471147)/s);
  });
});

describe('other accounts', () => {
  const config = parse('mysql://app:pw@db1/shop?charset=latin1&connectTimeout=5&session.a=1');

  test('a fixed one replaces user and password', () => {
    const other = withCredentials(config, { user: 'monitor', password: 'x' });
    expect(other.connection).toMatchObject({ user: 'monitor', password: 'x', database: 'shop' });
    expect(other.seed).toBe(config.seed);
  });

  test('a function is asked later', () => {
    const source = (): { user: string; password: string } => ({ user: 'm', password: 'x' });
    expect(withCredentials(config, source).credentials).toBe(source);
  });

  test('connections that look at the server have no database and none of the application', () => {
    expect(forAdministration(config)).toMatchObject({
      connection: { user: 'app', password: 'pw', connectTimeout: 5 },
      session: {},
    });
    expect(forAdministration(config).connection).not.toHaveProperty('database');
    expect(forAdministration(config).connection).not.toHaveProperty('charset');
  });
});
