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
  const [block, ...others] = blocksOf('docs/failover.md', 'js');
  // How a node is made anew is typechecked with all blocks, and proven on servers in test/integration/failover-rebuild.test.ts.
  expect(others.map((other) => other.includes('dumpRebuild'))).toEqual([true]);
  const { admin, repl } = servers.accounts;
  const env = {
    HA_USER: admin.user,
    HA_PASSWORD: admin.password,
    REPL_USER: repl.user,
    REPL_PASSWORD: repl.password,
  };
  const { code, stdout, stderr } = await runBlock(block ?? '', servers, { env });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('RESET SLAVE ALL');
  expect(stdout).toMatch(/writes waited \d+ ms/);
});
