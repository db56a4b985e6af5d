import { expect, test } from 'vitest';
import { Checks } from '../../../../src/cli/doctor/check.js';
import { toldPart } from '../../../../src/cli/doctor/told-part.js';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';

test('a part that comes to no end is one failed check, with what to do', async () => {
  const error = new StormlampError(ErrorCode.STORE_DOWN, 'No node can be reached; start memcached there');
  expect(await toldPart('php', Promise.reject(error))).toMatchObject([
    { area: 'php', state: 'failed', found: expect.stringMatching(/No node/), fix: 'start memcached there' },
  ]);
});

test('what a part found stays as it is', async () => {
  const checks = new Checks('cache');
  checks.ok('a', 'answers', 'memcached 1.6');
  expect(await toldPart('cache', Promise.resolve(checks.list))).toBe(checks.list);
});

test.each([
  new StormlampError(ErrorCode.INVALID_OPTION, 'Expected `a` to be b'),
  new StormlampError(ErrorCode.ABORTED, 'The command was aborted'),
  new TypeError('a defect'),
])('%s is about the command, or a defect, and ends it', async (error) => {
  await expect(toldPart('mysql', Promise.reject(error))).rejects.toBe(error);
});
