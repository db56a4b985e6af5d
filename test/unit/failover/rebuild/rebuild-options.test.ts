import { expect, test } from 'vitest';
import { cloneRebuild } from '../../../../src/failover/rebuild/clone-rebuild.js';
import { literal, readRebuildOptions } from '../../../../src/failover/rebuild/rebuild-options.js';

const credentials = { user: 'ha', password: 'pw' };

test.each([
  [{ credentials, saveto: '/x' }, /saveto.*did you mean.*saveTo/i],
  [{}, /dumpRebuild\.credentials/],
  [{ credentials, programs: { dump: [] } }, /dumpRebuild\.programs\.dump/],
  [{ credentials, programs: { dumper: ['x'] } }, /programs.*dumper/],
  [{ credentials, addresses: { 'db1:3306': 'not an address' } }, /dumpRebuild\.addresses/],
])('%o is refused', (options, why) => {
  expect(() => readRebuildOptions('dumpRebuild', options as never)).toThrow(why);
});

test('what starts a server is a function', () => {
  expect(() => cloneRebuild({ credentials, restart: 'systemctl' } as never)).toThrow(
    /cloneRebuild\.restart.*function/,
  );
});

test('a node is found by the others where `addresses` says, or else where it is called', async () => {
  const means = readRebuildOptions('cloneRebuild', {
    credentials: () => credentials,
    addresses: { 'db1:3306': '10.0.0.1:3307' },
  });
  expect(means.addressOf('db1:3306')).toEqual({ host: '10.0.0.1', port: 3307 });
  expect(means.addressOf('db2:3308')).toEqual({ host: 'db2', port: 3308 });
  expect(await means.login()).toEqual(credentials);
});

test('a text is a literal whatever it contains', () => {
  expect(literal("it's \\ \0")).toBe("'it''s \\\\ '");
});
