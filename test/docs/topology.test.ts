/** What docs/topology.md shows works when it is pasted; web servers with and without affinity are processes of their own. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { blocksOf, letAppMonitor, runBlock } from './run-block.js';

let servers: LocalCluster;
const blocks = blocksOf('docs/topology.md', 'js');

beforeAll(async () => {
  servers = await startLocalCluster({ replicas: 1, memcached: 0, php: false });
  await letAppMonitor(servers);
});
afterAll(async () => {
  await servers?.close();
});

test('the page has the blocks that are run here', () => {
  expect(blocks).toHaveLength(2);
});

test('one node is enough to know the picture', async () => {
  const { code, stdout, stderr } = await runBlock(blocks[0] ?? '', servers);
  expect([code, stderr]).toEqual([0, '']);
  // The account of the page may not list replicas, but a replica names its source.
  const [picture, ...nodes] = stdout.trim().split('\n');
  expect(picture).toBe('1 primary 2 0');
  const each = servers.databases.map(({ id, role }) => `${id} up closed ${role}`);
  expect(nodes.sort()).toEqual(each.sort());
});

test('web1 reads from the primary, the other one from the replica', async () => {
  const block = (blocks[1] ?? '').replace("'db1:3306'", `'${servers.primary.id}'`);
  const reads = await Promise.all(
    ['web1', 'web2'].map((HOST) => runBlock(block, servers, { env: { HOST } })),
  );
  expect(reads.map(({ stdout }) => stdout.trim())).toEqual([servers.primary.id, servers.replicas[0]?.id]);
});
