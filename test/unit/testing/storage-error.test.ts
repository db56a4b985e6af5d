import { expect, test } from 'vitest';
import { StormlampError } from '../../../src/common/stormlamp-error.js';
import {
  cacheStorage,
  storageError,
  temporaryStorage,
  usingStorage,
} from '../../../src/testing/storage-error.js';

function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: it failed, ${syscall}`), { code, syscall });
}

test('a full, closed or missing folder is named with its reason and its variable', async () => {
  const place = temporaryStorage('/tmp/x');
  expect(storageError(place, systemError('ENOSPC', 'copyfile'))).toMatchObject({
    code: 'ERR_SERVER_START',
    message:
      'The folder for temporary files /tmp/x has not enough free space: free some, or set TMPDIR to another one (ENOSPC: it failed, copyfile)',
  });
  expect(storageError(cacheStorage('/c'), systemError('EROFS', 'mkdir'))).toMatchObject({
    code: 'ERR_SERVER_MISSING',
    message: expect.stringContaining('The cache folder /c cannot be written by this user'),
  });
  const work = usingStorage(place, () => {
    throw systemError('ENOENT', 'mkdtemp');
  });
  await expect(work).rejects.toThrow('is not there: make it, or set TMPDIR');
  expect(await usingStorage(place, () => 7)).toBe(7);
});

test('what is copied into it counts, wherever it comes from', () => {
  const copy = Object.assign(systemError('ENOSPC', 'copyfile'), { path: '/c/a', dest: '/tmp/x/a' });
  expect(storageError(temporaryStorage('/tmp/x'), copy)).toMatchObject({ code: 'ERR_SERVER_START' });
});

test('what is no trouble with files is left as it is', () => {
  const others = [
    new StormlampError('ERR_TIMEOUT', 'late'),
    systemError('EACCES', 'listen'),
    systemError('ENOENT', 'spawn php'),
    systemError('ECONNREFUSED', 'connect'),
    Object.assign(systemError('ENOENT', 'open'), { path: '/elsewhere/file' }),
    new TypeError('a defect'),
    'a text',
  ];
  for (const error of others) expect(storageError(cacheStorage('/c'), error)).toBe(error);
});
