import { hostname, userInfo } from 'node:os';
import { expect, test } from 'vitest';
import { processUser } from '../../../src/cli/process-user.js';

test('whoever has no entry among the users of the system is named by his number', () => {
  const none = (): never => {
    throw Object.assign(new Error('uv_os_get_passwd returned ENOENT'), { code: 'ERR_SYSTEM_ERROR' });
  };
  expect(processUser(none)).toBe(`uid ${process.getuid?.() ?? '?'}@${hostname()}`);
  expect(processUser()).toBe(userInfo().username);
});
