/** A replica that was only found is no voter: no plan looks at it, and both preflight and the plan say so. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0, replicas: 3 });
}, 120_000);
afterAll(async () => {
  await servers?.close();
});

test('a replica that no configuration names', async () => {
  const { admin, repl } = servers.accounts;
  const { mysql } = servers.options();
  const [stranger, ...named] = servers.replicas;
  const replicas = (mysql.replicas ?? []).filter(
    (each) => !JSON.stringify(each).includes(String(stranger?.port)),
  );
  expect(replicas).toHaveLength(named.length);
  await using cluster = await createCluster({
    // Who lists replicas needs a privilege.
    mysql: { ...mysql, replicas, discover: true, monitor: { credentials: admin } },
    failover: {
      mode: 'auto',
      credentials: admin,
      replication: repl,
      maxLoss: 'any',
      leaseMs: 2_000,
    },
  });
  const id = await eventually(
    'it is found',
    () => cluster.mysql.topology().nodes.find((node) => node.id.endsWith(`:${stranger?.port}`))?.id,
  );
  const { ok, checks } = await eventually('its source is known', async () => {
    const report = await cluster.failover.preflight();
    return report.checks.some(({ name }) => name === 'every-replica-votes') ? report : undefined;
  });
  expect(ok).toBe(true);
  expect(checks.filter(({ name }) => name === 'every-replica-votes')).toMatchObject([
    { node: id, result: 'warn', detail: expect.stringContaining('mysql.replicas') },
  ]);
  const told: string[] = [];
  cluster.failover.on('nodes-managed', ({ message }) => told.push(message));
  const words = await eventually('it is told', () =>
    told.find((message) => message.includes(`${id} (a replica of`)),
  );
  expect(words).toContain(`makes plans for ${[servers.primary, ...named].map((node) => node.id).join(', ')}`);
  expect(await cluster.failover.history()).toContainEqual(
    expect.objectContaining({ kind: 'nodes-managed', message: words }),
  );
  const plan = await cluster.failover.plan('failover');
  expect(plan.warnings).toEqual([expect.stringContaining(`it is left on ${servers.primary.id}`)]);
  expect(plan.steps.some(({ node }) => node === id)).toBe(false);
});
