import { expect, test } from 'vitest';
import type { Check } from '../../../../src/cli/doctor/check.js';
import { checkNode } from '../../../../src/cli/doctor/check-node.js';
import {
  type DatabaseFacts,
  type DatabaseNeeds,
  judgeDatabases,
} from '../../../../src/cli/doctor/judge-databases.js';
import type { ReplicationChannel, ServerFacts } from '../../../../src/topology/node-description.js';

const CHANNEL: ReplicationChannel = {
  name: '',
  sourceHost: 'db1',
  sourcePort: 3306,
  sourceServerId: 1,
  io: 'yes',
  sql: true,
  lagMs: 0,
  delayMs: 0,
  error: '',
};

function server(
  node: string,
  facts: Partial<ServerFacts> = {},
  variables: Record<string, string> = {},
  clockAheadMs = 0,
): DatabaseFacts {
  const serverId = Number(/\d+/.exec(node)?.[0] ?? 0);
  return {
    node,
    facts: {
      flavor: 'mariadb',
      version: '10.11.14',
      serverId,
      readOnly: serverId !== 1,
      channels: serverId === 1 ? [] : [CHANNEL],
      gtid: '0-1-1',
      replicationVisible: true,
      binlogFilters: [],
      ...facts,
    },
    variables: new Map(
      Object.entries({ log_bin: 'ON', log_slave_updates: 'ON', max_connections: '150', ...variables }),
    ),
    settings: new Map(),
    accountLimit: 0,
    clockAheadMs,
    lockSightGrant: '',
  };
}

const NEEDS = {
  poolMax: 10,
  monitorsToo: false,
  primaries: ['db1'],
  writer: { kind: 'primary', node: 'db1' },
  partialReplicas: [],
  errantReplicas: [],
} as const;
const troubles = (...servers: DatabaseFacts[]): readonly string[] =>
  judgeDatabases(servers, NEEDS)
    .filter(({ state }) => state !== 'ok')
    .map(({ state, subject, what }) => `${state} ${subject}: ${what}`);

test('servers that are well have no trouble', () => {
  expect(troubles(server('db1'), server('db2'))).toEqual([]);
  const alone = { slave_preserve_commit_order: 'OFF', slave_parallel_workers: '1' };
  expect(troubles(server('db1'), server('db2', {}, alone))).toEqual([]);
});

test.each<[string, DatabaseFacts, string]>([
  ['an old MariaDB', server('db2', { version: '10.3.39' }), 'warning db2: version of the server'],
  [
    'an old MySQL',
    server('db2', { flavor: 'mysql', version: '5.7.44' }),
    'warning db2: version of the server',
  ],
  ['no server_id', server('db2', { serverId: 0 }), 'failed db2: server_id'],
  ['no binary log', server('db2', {}, { log_bin: 'OFF' }), 'warning db2: binary log'],
  [
    'no binary log of what is replicated',
    server('db2', {}, { log_slave_updates: 'OFF' }),
    'warning db2: binary log of what it replicates',
  ],
  [
    'no GTIDs',
    server('db2', { flavor: 'mysql', version: '8.4.0' }, { gtid_mode: 'OFF' }),
    'warning db2: GTIDs',
  ],
  ['few connections', server('db2', {}, { max_connections: '15' }), 'warning db2: connections'],
  [
    'a monitor that sees no locks',
    { ...server('db2'), lockSightGrant: 'GRANT PROCESS' },
    'warning db2: who waits for a lock',
  ],
  ['another time', server('db2', {}, {}, -5_000), 'warning db2: clock'],
  ['a twin', server('db2', { serverId: 1 }), 'failed null: server_id of each node'],
  ['a writable replica', server('db2', { readOnly: false }), 'warning db2: read_only of a replica'],
  [
    'another order of commits',
    server('db2', {}, { replica_preserve_commit_order: 'OFF', replica_parallel_workers: '4' }),
    'warning db2: order of commits',
  ],
  [
    'another order of commits, by its old name',
    server('db2', {}, { slave_preserve_commit_order: 'OFF', slave_parallel_workers: '4' }),
    'warning db2: order of commits',
  ],
  [
    'a broken replica',
    server('db2', { channels: [{ ...CHANNEL, io: 'connecting', error: '2003' }] }),
    'failed db2: replication',
  ],
  [
    'another family',
    server('db2', { flavor: 'mysql', version: '8.4.0' }, { gtid_mode: 'ON' }),
    'warning null: family of the servers',
  ],
])('%s is told', (_, second, told) => {
  expect(troubles(server('db1'), second)).toContain(told);
});

test('every trouble says what was found, what was expected and how to fix it', () => {
  const ill = server('db1', { serverId: 0, readOnly: true, version: '10.1.0' }, { log_bin: 'OFF' }, 9_000);
  for (const check of judgeDatabases([ill], NEEDS).filter(({ state }) => state !== 'ok')) {
    expect(check).toMatchObject({
      found: expect.stringMatching(/./),
      expected: expect.stringMatching(/./),
      fix: expect.stringMatching(/./),
    });
  }
});

test.each([
  ['20.19.0', 'ok'],
  ['22.1.0', 'ok'],
  ['20.18.3', 'failed'],
  ['18.20.0', 'failed'],
])('Node %s is %s', (version, state) => {
  expect(checkNode(version)[0]?.state).toBe(state);
});

test('transactions that a replica wrote itself are a failure that names them and the primary, unless the options name it', () => {
  const log = (gtidState: string): Partial<ServerFacts> => ({ gtidState, gtidApplied: '' });
  const servers = [
    server('db1', log('0-1-7')),
    server('db2', log('0-1-7,0-2-8')),
    server('db3', log('0-1-7')),
  ];
  const what = 'transactions of its own';
  expect(troubles(...servers)).toEqual([`failed db2: ${what}`]);
  const judged = (needs: DatabaseNeeds): Check | undefined =>
    judgeDatabases(servers, needs).find((check) => check.what === what && check.subject === 'db2');
  expect(judged(NEEDS)?.found).toBe('db1 lacks 0-2-8; it serves no reads');
  expect(judged({ ...NEEDS, errantReplicas: ['db2'] })).toMatchObject({
    state: 'warning',
    found: expect.stringContaining('`mysql.reads.errantReplicas` lets it serve reads'),
  });
  // Below another replica, too; and a replica of a server that is not known is not compared.
  const below = { channels: [{ ...CHANNEL, sourceServerId: 2 }], ...log('0-1-7,0-3-8') };
  expect(troubles(servers[0] as DatabaseFacts, server('db2', log('0-1-7')), server('db3', below))).toEqual([
    `failed db3: ${what}`,
  ]);
  expect(troubles(servers[0] as DatabaseFacts, server('db3', below))).toEqual([]);
  // What may be older than replication is a warning.
  const byPosition = { channels: [{ ...CHANNEL, byPosition: true as const }], ...log('0-1-7,0-2-8') };
  expect(troubles(servers[0] as DatabaseFacts, server('db2', byPosition))).toEqual([`warning db2: ${what}`]);
});

test('a server without a source that is no primary is a failure, and one that is delayed on purpose a warning', () => {
  const none = { channels: [] };
  expect(troubles(server('db1'), server('db2', none))).toEqual(['failed db2: source of the replica']);
  expect(troubles(server('db1'), server('db2', { ...none, readOnly: false }))).toEqual([
    'failed db2: source of the replica',
  ]);
  const late = { channels: [{ ...CHANNEL, delayMs: 3_600_000, lagMs: 15_000 }] };
  expect(troubles(server('db1'), server('db2', late))).toEqual(['warning db2: delay of replication']);
  // Somebody has to be above: a server that is followed, or the only one.
  expect(
    judgeDatabases([server('db1')], { ...NEEDS, primaries: [] }).every(({ state }) => state === 'ok'),
  ).toBe(true);
});

test('a replica that replication filters keep a part of the data from is a failure, unless the options name it', () => {
  const filters = ['Replicate_Ignore_Table=shop.cart'];
  const partial = server('db2', { channels: [{ ...CHANNEL, filters }] });
  const below = server('db3', { channels: [{ ...CHANNEL, sourceServerId: 2 }] });
  const what = 'what it gets of the data';
  expect(troubles(server('db1'), partial, below)).toEqual([`failed db2: ${what}`, `failed db3: ${what}`]);
  expect(troubles(server('db1', { binlogFilters: ['Binlog_Do_DB=shop'] }), server('db2'))).toEqual([
    `failed db2: ${what}`,
  ]);
  const [unseen] = judgeDatabases([server('db1', { binlogFilters: undefined }), server('db2')], NEEDS).filter(
    ({ state }) => state === 'skipped',
  );
  expect(unseen).toMatchObject({ subject: 'db1', found: expect.stringContaining('BINLOG MONITOR') });
  const checks = judgeDatabases([server('db1'), partial], { ...NEEDS, partialReplicas: ['db2'] });
  expect(checks.find((check) => check.what === what)).toMatchObject({
    state: 'ok',
    found: expect.stringContaining('Replicate_Ignore_Table=shop.cart on db2; `mysql.reads.partialReplicas`'),
  });
});

test('a read-only replica that is configured as the primary is not said to take writes', () => {
  const replica = server('db1', { channels: [{ ...CHANNEL, sourceServerId: 2 }], readOnly: true });
  const primary = server('db2', { channels: [], readOnly: false });
  const checks = judgeDatabases([replica, primary], NEEDS);
  expect(checks.filter(({ what }) => what === 'writes on the primary')).toEqual([]);
  expect(troubles(replica, primary)).toEqual(['warning db1: the configured primary']);
});

test('a copied data directory is told by its uuid; one server under two names by that', () => {
  const mysql = (node: string, facts: Partial<ServerFacts>) =>
    server(node, { flavor: 'mysql', version: '9.7.4', gtid: '', ...facts }, { gtid_mode: 'ON' });
  const fixes = (...servers: DatabaseFacts[]) =>
    judgeDatabases(servers, NEEDS)
      .filter(({ state }) => state === 'failed')
      .map(({ what, found, fix }) => `${what}: ${found} -> ${fix}`);
  const [clone] = fixes(mysql('db1', { serverUuid: 'u' }), mysql('db2', { serverUuid: 'u' }));
  expect(clone).toContain('server_uuid of each node: db1 and db2 have u');
  expect(clone).toContain('delete auto.cnf');
  const twice = { serverUuid: 'u', serverId: 1, ownName: 'x:1', channels: [] };
  const [name, ...more] = fixes(mysql('db1', twice), mysql('db2', { ...twice, readOnly: false }));
  expect(name).toContain('take one of them out of the configuration');
  expect(more.join()).not.toContain('server_uuid');
});

test('members of a Galera cluster may share a server_id', () => {
  const group = {
    kind: 'galera',
    state: 'online',
    hasQuorum: true,
    writes: 'everywhere',
    queue: 0,
    members: [],
  } as const;
  const member = (node: string) => server(node, { serverId: 1, group, channels: [], readOnly: false });
  expect(troubles(member('db1'), member('db2'))).toEqual([]);
});

test('where nobody is called the primary, somebody has to take writes', () => {
  const judged = (writer: DatabaseNeeds['writer'], primaries: readonly string[] = []) =>
    judgeDatabases([server('db1'), server('db2')], { ...NEEDS, primaries, writer })
      .filter(({ what }) => what === 'who takes writes')
      .map(({ state, found, fix }) => [state, found, fix !== '']);
  expect(judged({ kind: 'primary', node: 'db1' })).toEqual([['ok', 'db1', false]]);
  expect(judged({ kind: 'no-primary' })).toEqual([['failed', 'nobody does', true]]);
  expect(judged({ kind: 'split-brain', nodes: ['db1', 'db2'] })).toEqual([
    ['failed', 'db1 and db2 do', true],
  ]);
  // Of a primary that is called so it is told by its own checks; and nothing is said of who was not looked at.
  expect(judged({ kind: 'no-primary' }, ['db1'])).toEqual([]);
  expect(judged(undefined)).toEqual([]);
});
