/** Replicas that no read takes: on the live page, for readiness and in the status, which must not contradict each other. */
import { expect, test } from 'vitest';
import { plainPaint } from '../../src/cli/paint.js';
import { describeMysql } from '../../src/cli/status/look-at-cluster.js';
import { problemsOf } from '../../src/cli/status/status-problems.js';
import { statusText } from '../../src/cli/status/status-text.js';
import { readinessOf } from '../../src/cluster-readiness.js';
import { dashboardState } from '../../src/dashboard/dashboard-state.js';
import { type FakeCluster, type FakeClusterOptions, fakeCluster } from '../../src/testing/index.js';

const HOUR_MS = 3_600_000;
const NOBODY = 'No node serves reads: every read fails';

async function told({ cluster }: FakeCluster) {
  const { mysql, failover } = cluster;
  const report = { ...(await describeMysql(mysql, failover, new Map())), troubles: [] };
  const status = problemsOf({ mysql: report });
  const [headline] = statusText({ ok: status.length === 0, config: '', mysql: report }, 100, plainPaint);
  const page = dashboardState(cluster, [], [], 0).problems.map(
    ({ severity, text }) => `${severity}: ${text}`,
  );
  const { ready, because } = readinessOf(cluster, ['reads']);
  return { status, headline, page, readiness: [ready, ...because] };
}

async function withLag(
  mysql: FakeClusterOptions['mysql'],
  lags: Readonly<Record<string, number | null>>,
): Promise<FakeCluster> {
  const fake = await fakeCluster({ mysql });
  for (const [node, lagMs] of Object.entries(lags)) await fake.lag(node, lagMs);
  return fake;
}

test('replicas that are fit are no problem', async () => {
  await using fake = await withLag({}, {});
  expect(await told(fake)).toEqual({
    status: [],
    headline: 'Everything is well.',
    page: [],
    readiness: [true],
  });
});

test('each replica that no read takes is told with the reason, and that it is no more', async () => {
  await using fake = await withLag({}, { db2: HOUR_MS, db3: null });
  const late = expect.stringMatching(
    /^(warning: )?db2:3306 serves no reads: it may be 36\d+ ms behind, more than 5000 ms$/,
  );
  const unknown = 'db3:3306 serves no reads: its lag is unknown';
  expect(await told(fake)).toEqual({
    status: [late, unknown],
    headline: 'Problems:',
    page: [late, `warning: ${unknown}`],
    // The primary serves them.
    readiness: [true],
  });
  await fake.lag('db2', 0);
  await fake.lag('db3', 0);
  expect(await told(fake)).toMatchObject({ status: [], page: [], readiness: [true] });
});

test.each<[string, FakeClusterOptions['mysql']]>([
  ['the read preference asks for a replica', { reads: { preference: 'replica' } }],
  ['the primary may take none', { reads: { primaryShareLimit: 0 } }],
])('nobody serves reads when all replicas are late and %s', async (_, mysql) => {
  await using fake = await withLag(mysql, { db2: HOUR_MS, db3: HOUR_MS });
  await expect(fake.cluster.mysql.query('SELECT 1')).rejects.toMatchObject({ code: 'ERR_NO_REPLICA' });
  const { status, headline, page, readiness } = await told(fake);
  expect([status[0], status.length, headline]).toEqual([NOBODY, 3, 'Problems:']);
  expect([page[0], page.length]).toEqual([`critical: ${NOBODY}`, 3]);
  expect(readiness).toEqual([false, 'no node serves reads']);
});

test('what a warning says already is not said twice', async () => {
  await using fake = await withLag({}, { db2: HOUR_MS });
  const { topology } = fake.cluster.mysql;
  const warnings = [{ code: 'replication-stopped', node: 'db2:3306', message: 'db2 stands still' }] as const;
  fake.cluster.mysql.topology = () => ({ ...topology.call(fake.cluster.mysql), warnings });
  expect(await told(fake)).toMatchObject({
    status: ['db2 stands still (replication-stopped)'],
    page: ['warning: db2 stands still'],
  });
});

test('a replica that is new is judged when its lag can be known', async () => {
  await using fake = await withLag({}, {});
  const { mysql } = fake.cluster;
  await fake.lag('db2', null);
  await fake.kill('db2');
  const unfit = (): readonly string[] => mysql.readFitness().unfit.map(({ node }) => node);
  await fake.start('db2');
  await expect.poll(unfit, { timeout: 5_000 }).toEqual(['db2:3306']);
  expect(mysql.readFitness().mayChange).toBe(false);
});
