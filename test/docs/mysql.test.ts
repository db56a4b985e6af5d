/** What docs/mysql.md shows works when it is pasted: every block after the first one uses its `db`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { blocksOf, letAppMonitor, runBlock } from './run-block.js';

let servers: LocalCluster;
const [opening = '', ...blocks] = blocksOf('docs/mysql.md', 'js');

beforeAll(async () => {
  servers = await startLocalCluster({ memcached: 0, php: false });
  await servers.primary.query(
    'CREATE TABLE shop.cart (id INT AUTO_INCREMENT PRIMARY KEY, owner VARCHAR(50), item VARCHAR(50))',
  );
  await letAppMonitor(servers);
});
afterAll(async () => {
  await servers?.close();
});

test('the page has the blocks that are run here', () => {
  expect(opening).toContain('createMysqlCluster({');
  expect(blocks).toHaveLength(9);
});

test.each(blocks.map((block) => [block.split('\n')[0] ?? '', block]))('%s', async (_first, block) => {
  const { user, password } = servers.accounts.app;
  const env = { DB_USER: user, DB_PASSWORD: password };
  const ran = await runBlock(`${opening}\n${block}`, servers, { env, append: 'await db.close();' });
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(ran.stdout === '' && block.includes('console.log')).toBe(false);
});

test('what the blocks of the query builders wrote is there', async () => {
  const rows = await servers.primary.query<{ item: string }>(
    'SELECT DISTINCT item FROM shop.cart ORDER BY item',
  );
  expect(rows.map(({ item }) => item)).toEqual(['drizzle', 'knex', 'kysely', 'lamp', 'typeorm']);
});
