import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { isAboutFile, maskedName } from '../../../src/session/file-session-repair.js';

test('what a file says for itself is told from what a mount says', () => {
  for (const code of [ErrorCode.SESSION_TOO_LARGE, ErrorCode.ACCESS_DENIED, ErrorCode.UNSUPPORTED])
    expect(isAboutFile(new StormlampError(code, 'x'))).toBe(true);
  for (const error of [
    new StormlampError(ErrorCode.MOUNT_DOWN, 'x'),
    new StormlampError(ErrorCode.STORE_DOWN, 'x'),
    new StormlampError(ErrorCode.TIMEOUT, 'x'),
    Object.assign(new Error('full'), { code: 'ENOSPC' }),
  ])
    expect(isAboutFile(error)).toBe(false);
});

test('an event tells of a file by the beginning of its id', () => {
  expect(maskedName('a/b/sess_abcdefghijklmnopqrstuvwxyz')).toBe('a/b/sess_abcd…');
  expect(maskedName('sess_ab')).toBe('sess_ab…');
});
