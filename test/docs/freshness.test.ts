/** What docs/freshness.md shows works when it is pasted. Its PHP block is run by test/integration/request-scope.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { blocksOf, letAppMonitor, runBlock } from './run-block.js';

let servers: LocalCluster;
const blocks = blocksOf('docs/freshness.md', 'js');

beforeAll(async () => {
  servers = await startLocalCluster();
  await servers.primary.query(
    'CREATE TABLE shop.cart (id INT AUTO_INCREMENT PRIMARY KEY, owner VARCHAR(50), item VARCHAR(50))',
  );
  await letAppMonitor(servers);
});
afterAll(async () => {
  await servers?.close();
});

test('the page has the blocks that are run here', () => {
  expect(blocks).toHaveLength(4);
  expect(blocksOf('docs/freshness.md', 'php')).toHaveLength(1);
});

test('a scope sees its write', async () => {
  const { code, stdout, stderr } = await runBlock(blocks[0] ?? '', servers);
  expect([code, stderr]).toEqual([0, '']);
  expect(Number(stdout)).toBeGreaterThanOrEqual(1);
});

test('reads go on for a time that is chosen when the primary is lost', async () => {
  expect(await runBlock(blocks[1] ?? '', servers)).toMatchObject({ code: 0, stderr: '' });
});

test('a token is taken and read after', async () => {
  const append = `if (!/^\\d+-\\d+-\\d+$/.test(token)) throw new Error(token);`;
  expect(await runBlock(blocks[2] ?? '', servers, { append })).toMatchObject({ code: 0, stderr: '' });
});

test('the middleware is made', async () => {
  const env = { SCOPE_SECRET: 'a secret that is long enough' };
  const append = 'await cluster.close();';
  expect(await runBlock(blocks[3] ?? '', servers, { env, append })).toMatchObject({ code: 0, stderr: '' });
});
