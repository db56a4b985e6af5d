/** What is found missing for a ready `rebuild` hook, before a node needs it. */
import { expect, test } from 'vitest';
import type { PreflightCheck } from '../../../../src/failover/preflight/preflight.js';
import { rebuildChecks } from '../../../../src/failover/preflight/rebuild-checks.js';
import { readyHook } from '../../../../src/failover/rebuild/ready-hook.js';
import type { RebuildPrograms, RebuildSession } from '../../../../src/failover/rebuild/rebuild-options.js';
import { madeUpSession } from '../rebuild/made-up-session.js';

const session = (version: string, grants: string, closed = 0): RebuildSession =>
  madeUpSession(version, {
    'SHOW GRANTS': [{ grants }],
    'SELECT CURRENT_USER': [{ account: 'u@%' }],
    'SELECT COUNT(*) AS active': [{ active: 1 }],
    'SELECT @@GLOBAL.read_only': [{ closed }],
    'SELECT CONCAT(TABLE_SCHEMA': [{ name: 'shop.log (MyISAM)' }],
  });
const ALL = 'GRANT ALL PRIVILEGES ON *.* TO `u`@`%`';
const MARIADB = '10.11.6-MariaDB';
const TRUE: RebuildPrograms = { dump: ['true'], client: ['true'], binlog: ['true'] };

async function checks(
  flavor: 'mysql' | 'mariadb',
  nodes: Readonly<Record<string, RebuildSession>>,
  programs: RebuildPrograms = TRUE,
): Promise<readonly PreflightCheck[]> {
  const open = async (id: string): Promise<RebuildSession> =>
    nodes[id] ?? Promise.reject(new Error('refused'));
  const means = { open, programs, saveTo: '/tmp', login: Promise.reject, addressOf: () => ({}) };
  const hook = readyHook(() => 'skipped' as const, flavor, means as never);
  const voters = [...Object.keys(nodes), 'gone:3306'].map((id) => ({ id, kind: 'data' }));
  return await rebuildChecks(hook, [...voters, { id: 'w:3306', kind: 'witness' }] as never, 1_000);
}

test('nothing is told of a hook of the user', async () => {
  expect(await rebuildChecks(() => 'rebuilt', [], 1_000)).toEqual([]);
  expect(await rebuildChecks(undefined, [], 1_000)).toEqual([]);
});

test('privileges of every data node, the tables of the one that takes writes, and the programs', async () => {
  const found = await checks(
    'mariadb',
    {
      'db1:3306': session(MARIADB, ALL),
      'db2:3306': session(MARIADB, ALL, 1),
      'db3:3306': session(MARIADB, 'GRANT SELECT ON *.* TO `u`@`%`', 1),
      'db4:3306': session('8.4.3', ALL),
    },
    { ...TRUE, client: ['no-such-client'] },
  );
  expect(found.map(({ name, node, result }) => `${result} ${name} ${node}`)).toEqual([
    'warn rebuild-programs null',
    'pass rebuild-privileges db1:3306',
    'warn rebuild-tables db1:3306',
    'pass rebuild-privileges db2:3306',
    'warn rebuild-privileges db3:3306',
    'warn rebuild-privileges db4:3306',
    'warn rebuild-privileges gone:3306',
  ]);
  expect(found.map(({ detail }) => detail)).toEqual([
    expect.stringContaining('`no-such-client` is not there'),
    expect.any(String),
    expect.stringMatching(/shop\.log \(MyISAM\) of db1:3306 have no transactions.*twice or not at all/),
    expect.any(String),
    expect.stringMatching(/lacks SHOW VIEW, .*; GRANT SHOW VIEW, .* ON \*\.\* TO 'u'@'%'$/),
    expect.stringContaining('the hook is for mariadb only'),
    expect.stringContaining('cannot be checked: refused'),
  ]);
});

test('tables that a clone would leave empty', async () => {
  const found = await checks('mysql', { 'db1:3306': session('8.4.3', ALL) });
  expect(found).toContainEqual(
    expect.objectContaining({ name: 'rebuild-tables', detail: expect.stringContaining('empty in a clone') }),
  );
});
