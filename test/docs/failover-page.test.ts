/** What docs/failover.md shows works when it is pasted. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { blocksOf, letAppMonitor, runBlock } from './run-block.js';

let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
  await letAppMonitor(servers);
});
afterAll(async () => {
  await servers?.close();
});

test('the plan is shown and the switchover made', { timeout: 120_000 }, async () => {
  const [block] = blocksOf('docs/failover.md', 'js');
  const { code, stdout, stderr } = await runBlock(block ?? '', servers, { env: accounts() });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('RESET SLAVE ALL');
  expect(stdout).toMatch(/writes waited \d+ ms/);
});

// That a node is made anew by it is proven in test/integration/failover-rebuild.test.ts, with a node that needs it.
test('nodes can be made anew, and no switch happens by itself', async () => {
  const [, block = ''] = blocksOf('docs/failover.md', 'js');
  const append = `
    const { checks } = await cluster.failover.preflight();
    console.log(cluster.failover.state.mode, checks.some(({ name }) => name === 'rebuild-privileges'));
    await cluster.close();`;
  const ran = await runBlock(block, servers, { env: accounts(), append });
  expect(ran).toMatchObject({ code: 0, stderr: '', stdout: 'approve true\n' });
});

function accounts(): Record<string, string> {
  const { admin, repl } = servers.accounts;
  return {
    HA_USER: admin.user,
    HA_PASSWORD: admin.password,
    REPL_USER: repl.user,
    REPL_PASSWORD: repl.password,
  };
}
