import { expect, test } from 'vitest';
import { plainPaint } from '../../../../src/cli/paint.js';
import type { TopDatabase, TopReport } from '../../../../src/cli/top/top-report.js';
import { topText } from '../../../../src/cli/top/top-text.js';

const DATABASE: TopDatabase = {
  node: 'db1:3306',
  role: 'primary',
  queriesPerSecond: 1234.4,
  readsPerSecond: 1000,
  writesPerSecond: 20.2,
  appliedPerSecond: null,
  running: 3,
  connected: 41,
  queryP50Ms: null,
  queryP95Ms: null,
  probeP50Ms: 0.42,
  probeP95Ms: 1.26,
  lagMs: null,
  lags: [null, null],
  error: null,
};
const REPORT: TopReport = {
  ok: false,
  at: '2026-01-01T00:00:00.000Z',
  databases: [
    DATABASE,
    {
      ...DATABASE,
      node: 'db2:3306',
      role: 'replica',
      writesPerSecond: null,
      appliedPerSecond: 20.2,
      lagMs: 120,
      lags: [0, 60, 120],
    },
    {
      ...DATABASE,
      node: 'db3:3306',
      role: 'down',
      queriesPerSecond: null,
      running: null,
      connected: null,
      error: 'it is no MySQL server',
    },
  ],
  caches: [
    {
      node: 'cache1:11211',
      up: true,
      standing: 'filled',
      getsPerSecond: 50,
      setsPerSecond: 5,
      evictionsPerSecond: 0,
      items: 7,
      repair: null,
      repaired: {
        repairs: 2,
        items: 1620,
        last: { kind: 'mend', items: 20, elapsedMs: 12, at: '2026-01-01T00:00:00.000Z' },
      },
      error: null,
    },
    {
      node: 'cache2:11211',
      up: false,
      standing: 'down',
      getsPerSecond: null,
      setsPerSecond: null,
      evictionsPerSecond: null,
      items: null,
      repair: null,
      repaired: null,
      error: 'connect ECONNREFUSED',
    },
  ],
};

test('times of statements where a server tells them', () => {
  const [primary, ...others] = REPORT.databases;
  const told = { ...(primary ?? DATABASE), queryP50Ms: 0.1, queryP95Ms: 100 };
  const [, , heading, first, second] = topText({ ...REPORT, databases: [told, ...others] }, 120, plainPaint);
  expect(heading).toContain('query p50/p95 ms');
  expect(first).toContain('0.1/100.0');
  expect(second).toContain('-/-');
});

test('a picture in 120 columns', () => {
  expect(topText(REPORT, 120, plainPaint)).toMatchInlineSnapshot(`
    [
      "stormlamp top  2026-01-01T00:00:00.000Z",
      "",
      "MySQL     role     queries/s  reads/s    writes/s  busy/open  probe p50/p95 ms   lag ms  lag",
      "db1:3306  primary       1234     1000          20       3/41           0.4/1.3        -",
      "db2:3306  replica       1234     1000  20 applied       3/41           0.4/1.3      120  ▁▅█",
      "db3:3306  down             -     1000          20        -/-           0.4/1.3        -",
      "",
      "sessions      state      gets/s    sets/s     items  evicted/s  repairs",
      "cache1:11211  filled         50         5         7          0  1620 done",
      "cache2:11211  down            -         -         -          -  -",
      "",
      "db3:3306: it is no MySQL server",
      "cache2:11211: connect ECONNREFUSED",
    ]
  `);
});

test('with long names in 40 columns every node has a few lines', () => {
  const databases = REPORT.databases.map((each) => ({ ...each, node: `database-${each.node}.example.com` }));
  expect(topText({ ...REPORT, databases, caches: [] }, 40, plainPaint)).toEqual([
    'stormlamp top  2026-01-01T00:00:00.000Z',
    '',
    'MySQL',
    'database-db1:3306.example.com',
    '    role primary, queries/s 1234, lag ms',
    '    -',
    'database-db2:3306.example.com',
    '    role replica, queries/s 1234, lag ms',
    '    120',
    'database-db3:3306.example.com',
    '    role down, queries/s -, lag ms -',
    '',
    'database-db3:3306.example.com: it is no',
    'MySQL server',
  ]);
});

test.each([40, 60, 80])('in %i columns nothing is wider, and statements and lag stay', (width) => {
  const lines = topText(REPORT, width, plainPaint);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
  expect(lines.find((line) => line.startsWith('db2'))).toMatch(/1234 .*120/);
});

test.each(['db2:3306', 'db2.shop.internal:3306'])('in 80 columns the lag of %s is drawn', (node) => {
  const [database] = REPORT.databases.slice(1, 2).map((each) => ({ ...each, node }));
  const lines = topText({ ...REPORT, databases: database === undefined ? [] : [database] }, 80, plainPaint);
  expect(lines.find((line) => line.startsWith(node))).toMatch(/ 0\.4\/1\.3 +120 {2}▁▅█$/);
});

test.each([
  [{ kind: 'fill', copied: 600, skipped: 72, total: 1600 }, 'fill 42 %'],
  [{ kind: 'move', copied: 1700, skipped: 0, total: 1600 }, 'move 100 %'],
  [{ kind: 'recopy', copied: 0, skipped: 0, total: 0 }, 'recopy 100 %'],
  [{ kind: 'mend', copied: 0, skipped: 0, total: null }, 'mend'],
])('in 80 columns it is told how far a repair is: %o is %s', (repair, told) => {
  const caches = REPORT.caches.map((each) => ({
    ...each,
    node: 'cache1.shop.internal:11211',
    standing: 'warming',
    repair: { ...repair, elapsedMs: 900 },
  }));
  const lines = topText({ ...REPORT, databases: [], caches }, 80, plainPaint);
  const line = lines.find((each) => each.startsWith('cache1')) ?? '';
  expect(line.endsWith(`  ${told}`)).toBe(true);
  expect(line.length).toBeLessThanOrEqual(80);
});
