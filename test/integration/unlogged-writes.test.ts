/** Servers that log only some databases: what a change of the primary would lose is told before, and not done by itself. */
import { expect, test } from 'vitest';
import { createCluster } from '../../src/index.js';
import { startLocalCluster } from '../../src/testing/index.js';

test.each(['mariadb', 'mysql'] as const)('%s with `binlog_ignore_db`', async (flavor) => {
  const servers = await startLocalCluster({
    flavor,
    replicas: 2,
    php: false,
    memcached: 0,
    serverArgs: { mysql: ['--binlog-ignore-db=scratch'] },
  });
  try {
    const { admin, repl } = servers.accounts;
    const cluster = await createCluster({
      mysql: servers.options().mysql,
      failover: {
        mode: 'approve',
        credentials: admin,
        replication: repl,
        maxLoss: 'any',
        hooks: { approve: () => 'allow' },
      },
    });
    try {
      const { failover } = cluster;
      const warned = (await failover.preflight()).checks.filter(
        ({ name, result }) => name === 'logs-everything' && result === 'warn',
      );
      expect(warned.map(({ node }) => node).sort()).toEqual(servers.databases.map(({ id }) => id).sort());
      for (const { detail } of warned) expect(detail).toContain('scratch');
      await expect(failover.plan('switchover')).rejects.toMatchObject({
        code: 'ERR_CHANGE_REFUSED',
        message: expect.stringMatching(
          /does not log all writes .*scratch.*is lost with the change.*name the new primary/,
        ),
      });
      const [first] = servers.replicas;
      await expect(failover.plan('switchover', first?.id)).rejects.toMatchObject({
        code: 'ERR_CHANGE_REFUSED',
        message: expect.stringContaining('it does not log all writes'),
      });
    } finally {
      await cluster.close();
    }
  } finally {
    await servers.close();
  }
});
