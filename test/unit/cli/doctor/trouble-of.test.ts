import { expect, test } from 'vitest';
import { troubleOf } from '../../../../src/cli/doctor/trouble-of.js';
import { Deadline } from '../../../../src/common/deadline.js';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { CurrentCredentials } from '../../../../src/mysql/current-credentials.js';
import { resolveMysqlOptions } from '../../../../src/mysql/mysql-options.js';

test('an error of the package says what to do behind what it found', () => {
  const error = new StormlampError(ErrorCode.PROTOCOL, 'Node db1 speaks another protocol; check its port');
  expect(troubleOf(error)).toEqual({ found: 'Node db1 speaks another protocol', fix: 'check its port' });
});

test('what the function of an account fails with is found, however it is worded, and the function to be mended', async () => {
  const credentials = (): never => {
    throw new Error('the vault is sealed; unseal it');
  };
  const { nodes } = resolveMysqlOptions({ primary: { host: 'db1', credentials } });
  const [config] = nodes;
  if (config === undefined) throw new Error('there is no node');
  const error = await new CurrentCredentials(config).ask(Deadline.of({})).catch((thrown: unknown) => thrown);
  expect(troubleOf(error)).toEqual({
    found:
      'The function `credentials` gave nothing to log in to node db1:3306 with: the vault is sealed; unseal it',
    fix: 'mend the function, or what it asks for the account',
  });
});

test('there is something to do about every error', () => {
  for (const code of Object.values(ErrorCode))
    expect(troubleOf(new StormlampError(code, 'it is broken')), code).toEqual({
      found: 'it is broken',
      fix: expect.stringMatching(/./),
    });
  expect(troubleOf(new Error('Unknown column'))).toEqual({
    found: 'Unknown column',
    fix: 'mend what it says',
  });
  expect(troubleOf(new StormlampError(ErrorCode.TIMEOUT, 'late'), 'list them').fix).toBe('list them');
});
