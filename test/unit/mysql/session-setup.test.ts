import { describe, expect, test } from 'vitest';
import { sessionSetupSql, setUpError } from '../../../src/mysql/session-setup.js';

const plain = { collation: 'gb18030_chinese_ci', variables: {}, ignoreSpace: true };

function errorOf(errno: number, message: string, setup = plain): unknown {
  return setUpError('db1:3306', 'mariadb', setup, Object.assign(new Error(message), { errno }));
}

describe('setUpError', () => {
  test.each([
    [1115, "Unknown character set: 'gb18030'"],
    [1273, "Unknown collation: 'gb18030_chinese_ci'"],
    [1231, "Variable 'character_set_client' can't be set to the value of 'ucs2'"],
  ])('%i is the mistake of `charset`', (errno, message) => {
    expect(errorOf(errno, message, { ...plain, variables: { time_zone: '+00:00' } as never })).toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/db1:3306.*`charset` \(gb18030_chinese_ci\)/),
    });
  });

  test('another refusal is that of `session`, when there are variables of the user', () => {
    const message = "Unknown system variable 'no_such'";
    const variables = { no_such: 1 } as never;
    expect(errorOf(1193, message, { ...plain, variables })).toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('`session`'),
    });
    expect(errorOf(1193, message)).toMatchObject({ errno: 1193, message });
  });

  test('a lost connection is no mistake of an option', () => {
    const variables = { time_zone: '+00:00' } as never;
    expect(errorOf(1158, 'Got an error reading', { ...plain, variables })).toMatchObject({ errno: 1158 });
  });
});

test.each(['mysql', 'mariadb'] as const)(
  'the character set of a session is left alone where it has its own: %s',
  (flavor) => {
    expect(sessionSetupSql(flavor, plain)).toContain('NAMES gb18030 COLLATE gb18030_chinese_ci');
    const own = sessionSetupSql(flavor, plain, true);
    expect(own).not.toContain('NAMES');
    expect(own).toContain('autocommit = 1');
  },
);
