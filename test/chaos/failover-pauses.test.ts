/** A pause that the lost primary had and the replicas have only received: nothing is made by itself all the same. */
import { createConnection } from 'mysql2/promise';
import { expect, test } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import { type Cluster, createCluster } from '../../src/index.js';
import { type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';

test('it is kept by who heard it from the primary, and found by who did not when the new primary has executed it', {
  timeout: 600_000,
}, async () => {
  await using servers = await startLocalCluster({ php: false, memcached: 0 });
  const { admin, repl } = servers.accounts;
  const begin = (host: string): Promise<Cluster> =>
    createCluster({
      mysql: servers.options().mysql,
      failover: {
        mode: 'auto',
        credentials: admin,
        replication: repl,
        maxLoss: 'any',
        leaseMs: 3_000,
        host,
      },
    });
  const first = await begin('a');
  const blocked: string[] = [];
  const started: string[] = [];
  first.failover.on('failover-blocked', ({ why }) => blocked.push(why));
  first.failover.on('change-started', ({ plan }) => started.push(plan.kind));
  await eventually('there is a primary', () => first.failover.plan('switchover').catch(() => undefined));
  await servers.waitForReplication();

  // What writes there waits, what reads there does not.
  const held = await Promise.all(servers.replicas.map((node) => lockPauses(node, admin)));
  await first.failover.pause({ ttlMs: 3_600_000, reason: 'new disks' });
  await eventually('the replicas have received it', async () => {
    const states = await Promise.all(servers.replicas.map((node) => node.query('SHOW FULL PROCESSLIST')));
    return states.every((rows) => rows.some(({ State }) => /metadata lock/.test(String(State))));
  });
  // Looks at the primary, and hears of it.
  await first.failover.plan('switchover');
  await servers.primary.kill();
  await eventually('it is told that it is paused', () => blocked.some((why) => /paused/.test(why)));
  expect(blocked.join('\n')).toMatch(/paused: new disks .* no node that answers has executed that/);
  expect(started).toEqual([]);
  await first.close();

  const second = await begin('b');
  const ended: Extract<ChangeResult, { ok: false }>['clusterState'][] = [];
  const steps: string[] = [];
  second.failover.on('change-step', ({ step, phase }) => steps.push(`${step.id} ${phase}`));
  second.failover.on('change-aborted', ({ error, at, clusterState }) => {
    ended.push(clusterState);
    expect([at, error.message]).toEqual(['confirm-again', expect.stringContaining('paused: new disks')]);
  });
  await eventually(
    'it waits until the new primary has executed what it has received',
    () => steps.some((each) => /^drain@.* started$/.test(each)),
    120_000,
  );
  await Promise.all(held.map((connection) => connection.end()));
  await eventually('it is given up', () => ended.length > 0, 60_000);
  expect(ended[0]).toBe('undone');
  for (const node of servers.replicas)
    expect(await node.query('SELECT @@read_only AS closed')).toEqual([{ closed: 1 }]);
  await second.close();
});

async function lockPauses(
  node: LocalDatabaseNode,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<Awaited<ReturnType<typeof createConnection>>> {
  const connection = await createConnection({ host: '127.0.0.1', port: node.port, user, password });
  await connection.query('LOCK TABLES ha_meta.pauses READ');
  return connection;
}
