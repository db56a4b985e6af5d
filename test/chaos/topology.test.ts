/**
 * How the nodes are found and known, and which of them serve, on every kind of server: whatever `npm test` asks of one of them
 * only, or of none.
 */
import { describe } from 'vitest';

process.env['STORMLAMP_CLIENT_DATABASES'] = 'all';

const SUITES: Readonly<Record<string, () => Promise<unknown>>> = {
  'what breaks and is mended': () => import('../integration/topology-live.test.js'),
  'every source of lag': () => import('../integration/lag-sources.test.js'),
  'nodes that are found': () => import('../integration/discovery.test.js'),
  'Group Replication': () => import('../integration/group-replication.test.js'),
  'a monitor for many processes': () => import('../integration/shared-monitor.test.js'),
  'what is a failure and what only looks like one': () => import('../integration/failure-detector.test.js'),
  Galera: () => import('../integration/galera.test.js'),
};

for (const [name, load] of Object.entries(SUITES)) {
  describe(name, async () => {
    await load();
  });
}
