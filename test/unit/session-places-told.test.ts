/** Session nodes and mounts that are read and take no writes: on the live page, in the metrics, and for readiness. */
import { expect, test } from 'vitest';
import { readinessOf } from '../../src/cluster-readiness.js';
import { dashboardState } from '../../src/dashboard/dashboard-state.js';
import { storeMetrics } from '../../src/telemetry/store-metrics.js';
import { fakeCluster } from '../../src/testing/index.js';

const mount = (name: string, phase: string, why?: string) => ({
  mount: `/srv/${name}`,
  health: why === undefined ? { phase } : { phase, why, error: new Error(`/srv/${name}/sess_secret`) },
});
const cache = (name: string, changes: object = {}) => ({
  node: `${name}:11211`,
  reads: 'closed',
  writes: 'closed',
  standing: 'filled',
  begunAnewAt: undefined,
  memory: undefined,
  silent: false,
  ...changes,
});

async function told(places: readonly object[]) {
  await using fake = await fakeCluster();
  const cluster = new Proxy(fake.cluster, {
    get(target, key) {
      if (key === 'sessions') return { status: () => places };
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const metric = storeMetrics.find(({ name }) => name === 'stormlamp_session_node_writable');
  const { ready, sessions, because } = readinessOf(cluster, ['sessions']);
  const state = dashboardState(cluster, [], [], 0);
  expect(JSON.stringify(state)).not.toContain('sess_secret');
  return {
    problems: state.problems.map(({ severity, text }) => `${severity}: ${text}`),
    writable: metric?.read(cluster).map(({ value }) => value),
    readiness: [ready, sessions, ...because],
  };
}

test.each([
  [
    'a mount that is full',
    [mount('a', 'impaired', 'full'), mount('b', 'healthy')],
    ['warning: Session node /srv/a takes no writes (full): sessions have a copy less'],
    [0, 1],
    [true, true],
  ],
  [
    'mounts that all take no writes',
    [mount('a', 'impaired', 'full'), mount('b', 'impaired', 'read-only')],
    [
      'critical: Session node /srv/a takes no writes (full), nor does another one: no session can be saved',
      'critical: Session node /srv/b takes no writes (read-only), nor does another one: no session can be saved',
    ],
    [0, 0],
    [false, false, 'no session node takes writes'],
  ],
  [
    'a mount that is down beside one that takes no writes',
    [mount('a', 'down', 'hung'), mount('b', 'impaired', 'denied')],
    [
      'critical: Session node /srv/a does not answer (hung)',
      'critical: Session node /srv/b takes no writes (denied), nor does another one: no session can be saved',
    ],
    [0, 0],
    [false, false, 'no session node takes writes'],
  ],
  [
    'a mount that is being filled',
    [mount('a', 'filling'), mount('b', 'healthy')],
    [
      'warning: Session node /srv/a is being filled: it answers no reads until it has the sessions of the others',
    ],
    [1, 1],
    [true, true],
  ],
  [
    'a mount that is being filled beside one that is gone',
    [mount('a', 'down', 'missing'), mount('b', 'filling')],
    [
      'critical: Session node /srv/a does not answer (missing)',
      'critical: Session node /srv/b is being filled and answers no reads until then, nor does another one: no session can be loaded or saved',
    ],
    [0, 0],
    [false, false, 'no session node answers'],
  ],
  [
    'a mount that is being filled beside one that is full',
    [mount('a', 'impaired', 'full'), mount('b', 'filling')],
    [
      'critical: Session node /srv/a takes no writes (full), nor does another one: no session can be saved',
      'critical: Session node /srv/b is being filled: it answers no reads until it has the sessions of the others',
    ],
    [0, 0],
    [false, false, 'no session node takes writes'],
  ],
  [
    'memcached nodes that have never answered, before their breakers open',
    [cache('cache1', { standing: 'warming', silent: true }), cache('cache2', { silent: true })],
    [
      'critical: Session node cache1:11211 does not answer (it never did)',
      'critical: Session node cache2:11211 does not answer (it never did)',
    ],
    [0, 0],
    [false, false, 'no session node answers'],
  ],
  [
    'a memcached node whose breaker for writes is open',
    [cache('cache1', { writes: 'open', standing: 'suspect' }), cache('cache2')],
    [
      'warning: Session node cache1:11211 takes no writes (breaker open): sessions have a copy less',
      'warning: Session node cache1:11211 is suspect: its misses are not believed',
    ],
    [0, 1],
    [true, true],
  ],
  [
    'memcached nodes that are down',
    [cache('cache1', { reads: 'open', writes: 'open' }), cache('cache2', { reads: 'open', writes: 'open' })],
    [
      'critical: Session node cache1:11211 does not answer (breaker open)',
      'critical: Session node cache2:11211 does not answer (breaker open)',
    ],
    [0, 0],
    [false, false, 'no session node answers'],
  ],
])('%s', async (_, places, problems, writable, readiness) => {
  expect(await told(places)).toEqual({ problems, writable, readiness });
});
