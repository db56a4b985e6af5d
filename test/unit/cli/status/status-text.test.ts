import { expect, test } from 'vitest';
import { plainPaint } from '../../../../src/cli/paint.js';
import { problemsOf } from '../../../../src/cli/status/status-problems.js';
import type { DatabaseReport, StatusReport } from '../../../../src/cli/status/status-report.js';
import { statusText, treeOf } from '../../../../src/cli/status/status-text.js';

function database(node: string, changes: Partial<DatabaseReport> = {}): DatabaseReport {
  return {
    node,
    role: 'replica',
    up: true,
    version: 'mariadb 10.11.14',
    readOnly: true,
    upstream: ['db1:3306'],
    channels: [],
    lagMs: 12,
    lagAgeMs: 300,
    latencyMs: 0.8,
    breaker: null,
    failure: null,
    refusal: null,
    unfit: null,
    ...changes,
  };
}

const PRIMARY = database('db1:3306', {
  role: 'primary',
  upstream: [],
  lagMs: null,
  lagAgeMs: null,
  readOnly: false,
});
const MYSQL = {
  writer: { kind: 'primary', node: 'db1:3306' },
  noWrites: null,
  servesReads: true,
  epoch: 1,
  nodes: [PRIMARY, database('db2:3306'), database('db3:3306', { upstream: ['db2:3306', 'db1:3306'] })],
  warnings: [],
  troubles: [],
  failover: { mode: 'follow', failure: null, because: '' },
  lastChange: null,
} as const;
const SESSIONS = {
  kind: 'memcached',
  copies: 2,
  same: [],
  places: [
    {
      node: 'cache1:11211',
      up: true,
      standing: 'filled',
      begunAnewAt: null,
      version: '1.6.18',
      items: 7,
      memory: { bytes: 1_048_576, limitBytes: 67_108_864, evictions: 0 },
      error: null,
    },
  ],
} as const;
const REPORT: StatusReport = { ok: true, config: 'x.json', mysql: MYSQL, sessions: SESSIONS };

test('a healthy cluster in 80 columns', () => {
  expect(statusText(REPORT, 80, plainPaint)).toMatchInlineSnapshot(`
    [
      "Everything is well.",
      "",
      "  MySQL         role          lag (age)  server              look",
      "  db1:3306      primary               -  mariadb 10.11.14  0.8 ms",
      "  └ db2:3306    replica  12 ms (300 ms)  mariadb 10.11.14  0.8 ms",
      "    └ db3:3306  replica  12 ms (300 ms)  mariadb 10.11.14  0.8 ms",
      "  failover: mode follow, epoch 1",
      "  last change of the primary: none known",
      "",
      "  sessions      state   items        memory  server",
      "  cache1:11211  filled      7  1.0 of 64 MB  memcached 1.6.18",
      "  2 copies of every session",
      "",
      "Configured by x.json",
    ]
  `);
});

test('breakers are those of a service that was asked', () => {
  const service = { page: 'http://app1:3000/ops/', error: null };
  const nodes = [
    database('db1:3306', { ...PRIMARY, breaker: 'closed' }),
    database('db2:3306', { breaker: 'open' }),
    database('db4:3306'),
  ];
  const lines = statusText({ ...REPORT, service, mysql: { ...MYSQL, nodes } }, 80, plainPaint);
  const at = lines.findIndex((line) => line.includes('MySQL'));
  expect(lines[1]).toContain('db2:3306: its breaker is open in the service at http://app1:3000/ops/');
  expect(lines.slice(at, at + 5)).toEqual([
    '  MySQL       role          lag (age)  breaker  server              look',
    '  db1:3306    primary               -  closed   mariadb 10.11.14  0.8 ms',
    '  ├ db2:3306  replica  12 ms (300 ms)  open     mariadb 10.11.14  0.8 ms',
    '  └ db4:3306  replica  12 ms (300 ms)  -        mariadb 10.11.14  0.8 ms',
    '  breakers: those of the service at http://app1:3000/ops/',
  ]);
  const silent = { ...REPORT, service: { ...service, error: 'it answered 403' } };
  expect(statusText(silent, 200, plainPaint)[1]).toBe(
    '  - The live page http://app1:3000/ops/ does not tell its breakers: it answered 403',
  );
});

test('no line is wider than the terminal, and in a narrow one roles and lag stay', () => {
  const lines = statusText(REPORT, 50, plainPaint);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(50);
  expect(lines.find((line) => line.includes('db2:3306'))).toMatch(/replica +12 ms \(300 ms\)/);
});

test('what is wrong comes first, wrapped and in full', () => {
  const failure = { kind: 'refused', message: 'connect ECONNREFUSED; start the server' } as const;
  const report: StatusReport = {
    ok: false,
    config: 'x.json',
    mysql: {
      ...MYSQL,
      writer: { kind: 'no-primary' },
      nodes: [database('db1:3306', { up: false, failure, upstream: [] })],
      warnings: [{ code: 'writable-replica', node: 'db2:3306', message: 'db2:3306 takes writes' }],
      troubles: [{ event: 'lag-failed', node: 'db2:3306', message: 'no table of heartbeats' }],
    },
    sessions: { code: 'ERR_STORE_DOWN', message: 'No memcached node can be reached' },
  };
  expect(problemsOf(report)).toEqual([
    'No primary: writes have nowhere to go',
    'db1:3306 is down (refused): connect ECONNREFUSED; start the server',
    'db2:3306 takes writes (writable-replica)',
    'db2:3306: no table of heartbeats (lag-failed)',
    'Sessions: No memcached node can be reached (ERR_STORE_DOWN)',
  ]);
  const lines = statusText(report, 42, plainPaint);
  expect(lines.slice(0, 4)).toEqual([
    'Problems:',
    '  - No primary: writes have nowhere to go',
    '  - db1:3306 is down (refused): connect',
    '    ECONNREFUSED; start the server',
  ]);
});

const [PLACE] = SESSIONS.places;
const mounts = (standing: string): Pick<StatusReport, 'sessions'> => ({
  sessions: { ...SESSIONS, kind: 'files', places: [{ ...PLACE, node: '/srv/a', standing, error: 'EROFS' }] },
});
const seen = (node: DatabaseReport): Omit<StatusReport, 'ok' | 'config'> => ({
  service: { page: 'http://app1/', error: null },
  mysql: { ...MYSQL, nodes: [node] },
});
test.each<[string, string | undefined, Omit<StatusReport, 'ok' | 'config'>]>([
  ['all up', undefined, REPORT],
  ['nothing configured', undefined, {}],
  ['a mount that is well', undefined, mounts('healthy')],
  ['no primary', 'No primary', { mysql: { ...MYSQL, writer: { kind: 'no-primary' } } }],
  [
    'a node that is not known yet',
    'db2 has not answered',
    { mysql: { ...MYSQL, nodes: [PRIMARY, database('db2', { up: false })] } },
  ],
  [
    'a mount that takes no writes',
    '/srv/a takes no sessions (impaired: read-only): EROFS',
    mounts('impaired: read-only'),
  ],
  ['a mount that is being filled', '/srv/a is filling', mounts('filling')],
  [
    'the primary, isolated in a service',
    'db1:3306 is the primary and isolated in the service at http://app1/: every write of that process fails',
    seen({ ...PRIMARY, breaker: 'isolated' }),
  ],
  ['a replica that somebody isolated', undefined, seen(database('db2:3306', { breaker: 'isolated' }))],
  [
    'an open breaker',
    'db2:3306: its breaker is open in the service at http://app1/',
    seen(database('db2:3306', { breaker: 'open' })),
  ],
  [
    'the open breaker of a node that is down',
    'db2:3306 is down (refused)',
    seen(
      database('db2:3306', {
        breaker: 'open',
        up: false,
        failure: { kind: 'refused', message: 'nobody listens' },
      }),
    ),
  ],
  [
    'a primary that is locked',
    'locked: writes wait for a backup',
    {
      mysql: {
        ...MYSQL,
        failover: { mode: 'follow', failure: 'locked', because: 'writes wait for a backup' },
      },
    },
  ],
  [
    'a warming node',
    'is warming',
    { sessions: { ...SESSIONS, places: [{ ...PLACE, standing: 'warming' }] } },
  ],
  ['a part that failed', 'ERR_STORE_DOWN', { sessions: { code: 'ERR_STORE_DOWN', message: '' } }],
])('%s: the problem is %s, and the headline says the same', (_, problem, parts) => {
  const problems = problemsOf(parts);
  const [headline] = statusText({ ok: problems.length === 0, config: 'x', ...parts }, 80, plainPaint);
  if (problem === undefined) expect([problems, headline]).toEqual([[], 'Everything is well.']);
  else expect([problems, headline]).toEqual([[expect.stringContaining(problem)], 'Problems:']);
});

test('a node that began anew says since when', () => {
  const [place] = SESSIONS.places;
  const anew = { ...SESSIONS, places: [{ ...place, begunAnewAt: '2026-11-29T05:00:00.000Z' }] };
  expect(statusText({ ...REPORT, sessions: anew }, 120, plainPaint).join('\n')).toContain(
    'filled, anew since 2026-11-29T05:00:00Z',
  );
});

test('circular replication is shown, every node once', () => {
  const nodes = [database('a', { upstream: ['b'] }), database('b', { upstream: ['a'] })];
  expect(treeOf(nodes).map(({ node, branch }) => `${branch}${node.node}`)).toEqual(['a', '└ b']);
});

test('every source of a replica with several is shown', () => {
  const channel = { name: '', source: 'db1:3306', receiving: 'yes', applying: true, lagMs: 12 };
  const broken = { name: 'stock', source: 'erp:3306', receiving: 'connecting', applying: true, lagMs: null };
  const nodes = [
    PRIMARY,
    database('db2:3306', { channels: [channel] }),
    database('db3:3306', { channels: [channel, broken] }),
  ];
  const lines = statusText({ ...REPORT, mysql: { ...MYSQL, nodes } }, 80, plainPaint);
  expect(lines.filter((line) => line.includes('channel'))).toEqual([
    '  db3:3306, channel (default): from db1:3306, 12 ms behind',
    '  db3:3306, channel stock: from erp:3306, receiving: connecting, applying: yes',
  ]);
});
