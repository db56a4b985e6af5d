import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { placeTaken, unusablePlace } from '../../../src/files/unusable-place.js';

const system = (code: string): Error => Object.assign(new Error(code), { code });

test('what is in the place of a name everywhere is told by that name', () => {
  expect(unusablePlace('d', [system('EISDIR'), system('ENOTDIR')])).toMatchObject({
    code: ErrorCode.FILE_NAME,
    message: 'd cannot be a shared file: a folder has that name',
  });
  const taken = placeTaken('d', 'a folder has that name');
  expect(unusablePlace('d', [taken, system('EISDIR')])).toBe(taken);
});

test('a mount that failed for another reason is not hidden by that', () => {
  expect(unusablePlace('d', [system('EISDIR'), system('EIO')])).toBeUndefined();
  expect(unusablePlace('d', [])).toBeUndefined();
});
