/** PHP's save path, the owner rule of its files handler, and the options of a store in files. */
import { describe, expect, test } from 'vitest';
import { assertOwnFile, newFileOwner } from '../../../src/session/file-owner.js';
import { parseSavePath, sessionFileName } from '../../../src/session/file-save-path.js';
import { resolveFileSessionOptions } from '../../../src/session/file-session-options.js';

test.each([
  ['/var/lib/php', { depth: 0, mode: 0o600, path: '/var/lib/php' }],
  ['2;/var/lib/php', { depth: 2, mode: 0o600, path: '/var/lib/php' }],
  ['2;640;/var/lib/php', { depth: 2, mode: 0o640, path: '/var/lib/php' }],
  ['0;0600;/srv/a b', { depth: 0, mode: 0o600, path: '/srv/a b' }],
])('the save path %s is understood as PHP does', (text, expected) => {
  expect(parseSavePath('x', text)).toEqual(expected);
});

test.each(['', 'tmp', 'x;/tmp', '-1;/tmp', '99;/tmp', '1;999;/tmp', '1;600;tmp', '1;600;/tmp;x', '/tmp\0'])(
  'the save path %j is refused',
  (text) => {
    expect(() => parseSavePath('sessions.mounts[0]', text)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
  },
);

test.each([
  ['abc', 0, 'sess_abc'],
  ['abc', 2, 'a/b/sess_abc'],
])('the file of %s at depth %i is %s', (id, depth, name) => {
  expect(sessionFileName(id, depth)).toBe(name);
});

test.each([
  ['abc', 3],
  ['../x', 0],
  ['a/b', 0],
  ['', 0],
  ['x'.repeat(251), 0],
])('the id %s has no file at depth %i', (id, depth) => {
  expect(() => sessionFileName(id, depth)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_ID' }));
});

describe('the owner of new files', () => {
  const folder = (uid: number, mode = 0o700) => ({ uid, gid: uid, mode });
  const root = { uid: 0, gid: 0 };
  const www = { uid: 33, gid: 33 };

  test('is this process itself, when it is not root', () => {
    expect(newFileOwner(folder(33), undefined, www, '/s')).toBeUndefined();
    expect(newFileOwner(folder(33), { uid: 33, gid: 33 }, www, '/s')).toBeUndefined();
  });

  test('is the owner of the folder, when this is root', () => {
    expect(newFileOwner(folder(33), undefined, root, '/s')).toEqual({ uid: 33, gid: 33 });
    expect(newFileOwner(folder(0), undefined, root, '/s')).toBeUndefined();
    expect(newFileOwner(folder(0), { uid: 33, gid: 33 }, root, '/s')).toEqual({ uid: 33, gid: 33 });
  });

  test('has to be said, when this is root and the folder is open to everybody', () => {
    expect(() => newFileOwner(folder(0, 0o1733), undefined, root, '/s')).toThrow(/set `sessions.owner`/);
  });

  test('cannot be another user, when this is not root', () => {
    expect(() => newFileOwner(folder(33), { uid: 34, gid: 34 }, www, '/s')).toThrow(
      expect.objectContaining({ code: 'ERR_ACCESS_DENIED' }),
    );
  });

  test('is checked as PHP does: its own user or root, unless it is root', () => {
    expect(() => assertOwnFile({ uid: 34 }, www)).toThrow(/run Node as the user that PHP runs as/);
    for (const uid of [0, 33]) expect(() => assertOwnFile({ uid }, www)).not.toThrow();
    expect(() => assertOwnFile({ uid: 34 }, root)).not.toThrow();
  });
});

test('options of a store in files have their own defaults and share the others', () => {
  const resolved = resolveFileSessionOptions({ mounts: ['1;600;/srv/a', '1;600;/srv/b'] });
  expect(resolved).toMatchObject({
    mounts: ['/srv/a', '/srv/b'],
    depth: 1,
    mode: 0o600,
    acks: 'one',
    onGone: 'drop',
    operationTimeoutMs: 2_000,
    gcIntervalMs: 0,
    cookie: { name: 'PHPSESSID' },
  });
});

test.each([
  [{ mounts: [] }, /mounts/],
  [{ mounts: ['/a', '1;/b'] }, /one depth/],
  [{ mounts: ['1;/a'], gcIntervalMs: 1_000 }, /gcIntervalMs/],
  [{ mounts: ['/a'], nodes: ['x:1'] }, /nodes/],
  [{ mounts: ['/a'], owner: { uid: 1 } }, /owner/],
  [{ mounts: ['/a'], lockWaitMs: -1 }, /sessions\.lockWaitMs/],
])('%j is refused', (options, message) => {
  expect(() => resolveFileSessionOptions(options as never)).toThrow(message);
});
