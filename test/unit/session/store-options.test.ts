import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, expectTypeOf, test } from 'vitest';
import { type Cluster, createCluster, type FileSessionStore, type SessionStore } from '../../../src/index.js';
import type { SessionStoreOf } from '../../../src/session/create-session-store.js';
import { resolveStoreOptions } from '../../../src/session/store-options.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function phpIni(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'php-ini-'));
  folders.push(folder);
  const file = join(folder, 'php.ini');
  writeFileSync(file, text);
  return file;
}

test('nodes make a store on memcached, mounts one in files', () => {
  expect(resolveStoreOptions({ nodes: ['a'] }).kind).toBe('memcached');
  const { kind, options } = resolveStoreOptions({ mounts: ['2;0640;/srv/a', '2;0640;/srv/b'] });
  expect(kind).toBe('files');
  expect(options).toMatchObject({
    mounts: ['/srv/a', '/srv/b'],
    depth: 2,
    mode: 0o640,
    operationTimeoutMs: 2_000,
  });
});

test('a php.ini with the files handler makes a store in files', () => {
  const file = phpIni(
    'session.save_handler = files\nsession.save_path = "1;0660;/srv/sess"\nsession.gc_maxlifetime = 60\nsession.name = SHOP\nsession.serialize_handler = php_binary\n',
  );
  const { kind, options } = resolveStoreOptions({ phpIni: file });
  expect(kind).toBe('files');
  expect(options).toMatchObject({
    mounts: ['/srv/sess'],
    depth: 1,
    mode: 0o660,
    lifetimeMs: 60_000,
    serialize: 'php_binary',
    cookie: { name: 'SHOP' },
  });
});

test('files are what PHP does when no handler is set', () => {
  expect(resolveStoreOptions({ phpIni: phpIni('session.save_path = /srv/sess\n') }).options).toMatchObject({
    mounts: ['/srv/sess'],
  });
});

test('nodes and mounts beside a php.ini say where the sessions are, and it says the rest', () => {
  const files = phpIni('session.save_handler = files\nsession.name = SHOP\n');
  expect(resolveStoreOptions({ phpIni: files, nodes: ['a'] })).toMatchObject({
    kind: 'memcached',
    options: { nodes: [{ id: 'a:11211' }], cookie: { name: 'SHOP' } },
  });
  const memcached = phpIni(
    'session.save_handler = memcached\nsession.save_path = "a:11211:3"\nsession.name = SHOP\nmemcached.sess_consistent_hash_type = ketama_weighted\n',
  );
  expect(resolveStoreOptions({ phpIni: memcached, mounts: ['/srv/a'] })).toMatchObject({
    kind: 'files',
    options: { mounts: ['/srv/a'], cookie: { name: 'SHOP' } },
  });
  expect(resolveStoreOptions({ phpIni: memcached, nodes: ['x', 'y'] }).options).toMatchObject({
    nodes: [{ id: 'x:11211' }, { id: 'y:11211' }],
    placement: { distribution: 'ketama_weighted' },
  });
});

test('what PHP would do with its own temporary folder, or refuse, is refused', () => {
  expect(() => resolveStoreOptions({ phpIni: phpIni('session.save_handler = files\n') })).toThrow(
    /session\.save_path = "": PHP then takes the temporary folder/,
  );
  expect(() => resolveStoreOptions({ phpIni: phpIni('session.save_path = "x;/srv"\n') })).toThrow(
    /session\.save_path = "x;\/srv": .*the depth is not a number/,
  );
});

test('ids in URLs, and replicas that the text protocol never writes, are refused', () => {
  const ini = phpIni(
    'session.save_handler = memcached\nsession.save_path = a\nsession.use_only_cookies = 0\nmemcached.sess_binary_protocol = 0\nmemcached.sess_number_of_replicas = 1\n',
  );
  expect(() => resolveStoreOptions({ phpIni: ini })).toThrow(
    /session\.use_only_cookies = "0"[\s\S]*memcached\.sess_binary_protocol = "0"/,
  );
});

test('options that do not say where the sessions are, or say it twice, are refused', () => {
  expect(() => resolveStoreOptions({})).toThrow('`nodes`, `mounts` or `phpIni`');
  expect(() => resolveStoreOptions({ nodes: ['a'], mounts: ['/a'] })).toThrow('got both');
  expect(() => resolveStoreOptions({ mount: ['/a'] } as never)).toThrow('did you mean `mounts`?');
  expect(() => resolveStoreOptions({ mounts: ['/a'], prefix: 'x' } as never)).toThrow(
    'Unknown option `sessions.prefix`',
  );
});

test('handler files may be said, and nothing else beside mounts', () => {
  expect(resolveStoreOptions({ mounts: ['/a'], handler: 'files' }).kind).toBe('files');
  expect(() => resolveStoreOptions({ mounts: ['/a'], handler: 'memcached' } as never)).toThrow(
    "one of 'files'",
  );
  expect(() => resolveStoreOptions({ nodes: ['a'], handler: 'files' } as never)).toThrow(
    '`sessions.handler`',
  );
});

test('the type of a store is known from its options', () => {
  expectTypeOf<SessionStoreOf<{ mounts: string[] }>>().toEqualTypeOf<FileSessionStore>();
  expectTypeOf<SessionStoreOf<{ nodes: string[] }>>().toEqualTypeOf<SessionStore>();
  expectTypeOf<SessionStoreOf<{ phpIni: string }>>().toEqualTypeOf<SessionStore | FileSessionStore>();
  const open = () => createCluster({ sessions: { mounts: ['/srv/a'] } });
  expectTypeOf(open).returns.resolves.toEqualTypeOf<Cluster<FileSessionStore>>();
  const fromEnvironment = () => createCluster();
  expectTypeOf(fromEnvironment).returns.resolves.toEqualTypeOf<Cluster>();
});
