/** What the page on replication shows works when it is pasted. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { blocksOf, runBlock } from './run-block.js';

let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 3 });
});
afterAll(async () => {
  await servers?.close();
});

const blocks = blocksOf('docs/replication.md', 'js');

test('the first example saves on both nodes', async () => {
  const { code, stdout, stderr } = await runBlock(blocks[0] ?? '', servers);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('saved on 2 nodes');
});

test('the example of a resync tells that every node is complete', async () => {
  const { code, stdout, stderr } = await runBlock(blocks[1] ?? '', servers);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.match(/: complete, 0 copied/g)).toHaveLength(2);
});

test('the example of a third node takes its steps', async () => {
  const told = `sessions.on('nodes-changed', ({ step, nodes }) => console.log(step, nodes.length));`;
  const block = (blocks[2] ?? '').replace('await sessions.setNodes', `${told}\nawait sessions.setNodes`);
  const { code, stdout, stderr } = await runBlock(block, servers);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe('prepare 2\nswitch 3\nfinish 3\n');
});

test('every block in JavaScript was run', () => {
  expect(blocks).toHaveLength(3);
});
