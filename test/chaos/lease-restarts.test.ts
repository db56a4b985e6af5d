/** Database servers are restarted one after the other, as for an update, under a lease that they are the voters of. */
import { expect, test } from 'vitest';
import { startLeaderLease } from '../../src/index.js';
import { startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';

const LEASE_MS = 2_500;

test.each(DATABASES)('$name: the lease is kept', { timeout: 300_000 }, async ({ options }) => {
  const servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
  const { user, password } = servers.accounts.monitor;
  const story: string[] = [];
  const lease = await startLeaderLease({
    name: 'vip',
    voters: servers.databases.map(({ host, port }) => ({ host, port, user, password })),
    leaseMs: LEASE_MS,
    resource: {
      acquired: () => void story.push('acquired'),
      lost: ({ because }) => void story.push(because),
    },
  });
  const missing = new Set<string>();
  lease.on('voters-missing', (event) => {
    missing.clear();
    for (const { voter } of event.missing) missing.add(voter);
  });
  try {
    await eventually('it is in charge', () => lease.phase === 'leading');
    for (const node of [...servers.databases, ...servers.databases]) {
      await node.kill();
      await eventually('it is missing', () => missing.has(node.id));
      await node.start();
      await eventually('it is locked again', () => missing.size === 0);
      // From here on it counts in the time that the page names.
      const backAt = performance.now();
      await eventually('it counts', () => performance.now() > backAt + 3 * LEASE_MS);
    }
    expect(story).toEqual(['acquired']);
  } finally {
    await lease.close();
    await servers.close();
  }
});
