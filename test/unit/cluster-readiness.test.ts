import { expect, test } from 'vitest';
import { type AnyCluster, readinessOf } from '../../src/cluster-readiness.js';
import { Cluster } from '../../src/create-cluster.js';
import { dashboardState } from '../../src/dashboard/dashboard-state.js';
import { health } from '../../src/express/index.js';
import { prometheusMetrics } from '../../src/telemetry/prometheus/index.js';
import { fakeCluster } from '../../src/testing/index.js';

/** A cluster whose sessions are on mounts in these phases. */
function withMounts(...phases: readonly string[]): AnyCluster {
  const status = () => phases.map((phase, at) => ({ mount: `/srv/${at}`, health: { phase } }));
  const sessions = { status, on: () => undefined, off: () => undefined };
  return new Cluster({
    mysql: undefined,
    sessions: sessions as never,
    failover: undefined,
    cache: undefined,
  });
}
const problemsOf = (cluster: AnyCluster): readonly (readonly string[])[] =>
  dashboardState(cluster, [], [], Date.now()).problems.map(({ severity, text }) => [severity, text]);
const linesOf = (cluster: AnyCluster, name: string): readonly string[] => {
  const metrics = prometheusMetrics(cluster);
  try {
    return metrics
      .text()
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`));
  } finally {
    metrics.close();
  }
};

test('sessions that are read and can be saved nowhere are not ready, critical on the page, and not writable', () => {
  const cluster = withMounts('impaired', 'impaired');
  expect(readinessOf(cluster, ['sessions'])).toEqual({
    ready: false,
    reads: null,
    writes: null,
    sessions: false,
    because: ['no session node takes writes'],
  });
  expect(problemsOf(cluster)).toEqual(
    ['/srv/0', '/srv/1'].map((mount) => ['critical', expect.stringContaining(`${mount} takes no writes`)]),
  );
  expect(linesOf(cluster, 'stormlamp_session_node_writable')).toEqual([
    'stormlamp_session_node_writable{node="/srv/0"} 0',
    'stormlamp_session_node_writable{node="/srv/1"} 0',
  ]);
});

test('one place that takes no writes is a warning, and ready', () => {
  const cluster = withMounts('healthy', 'impaired');
  expect(readinessOf(cluster, ['sessions']).ready).toBe(true);
  expect(problemsOf(cluster)).toEqual([['warning', expect.stringContaining('/srv/1 takes no writes')]]);
  expect(readinessOf(withMounts('healthy', 'filling'), ['sessions']).sessions).toBe(true);
  expect(readinessOf(withMounts('down', 'filling'), ['sessions']).because).toEqual([
    'no session node answers',
  ]);
  expect(readinessOf(withMounts('down', 'down'), ['sessions']).because).toEqual(['no session node answers']);
});

test('a cluster that was closed is not ready, says so on the page, and has no gauges', async () => {
  const fake = await fakeCluster();
  const { cluster } = fake;
  const needs = ['reads', 'writes', 'sessions'] as const;
  expect([cluster.closed, readinessOf(cluster, needs).ready]).toEqual([false, true]);
  expect(linesOf(cluster, 'stormlamp_node_up')).not.toEqual([]);
  await cluster.close();
  expect(cluster.closed).toBe(true);
  expect(readinessOf(cluster, needs)).toEqual({
    ready: false,
    reads: false,
    writes: false,
    sessions: false,
    because: ['the cluster is closed'],
  });
  expect(problemsOf(cluster)[0]).toEqual(['critical', expect.stringContaining('The cluster is closed')]);
  expect(linesOf(cluster, 'stormlamp_node_up')).toEqual([]);
  expect(linesOf(cluster, 'stormlamp_statements_total')).not.toEqual([]);
  await fake.close();
});

test('a need of what the cluster was made without is refused, and the default is what it has', () => {
  const cluster = withMounts('down');
  expect(() => health(cluster, { needs: ['reads'] })).toThrow(/health\.needs.*created without `mysql`/);
  const answered: unknown[] = [];
  const response = { setHeader: () => undefined, end: (body: string) => answered.push(JSON.parse(body)) };
  health(cluster)({ method: 'GET', url: '/readyz' } as never, response as never);
  expect(answered).toMatchObject([{ ready: false, because: ['no session node answers'] }]);
});
