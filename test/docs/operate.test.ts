/** What docs/operate.md, docs/testing.md and docs/mysql2.md show works when it is pasted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT, startNode } from '../support/run-node.js';
import { blocksOf, letAppMonitor, runBlock } from './run-block.js';

let servers: LocalCluster;
let folder: string;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false });
  await servers.primary.query('CREATE TABLE shop.cart (id INT PRIMARY KEY)');
  await letAppMonitor(servers);
  folder = mkdtempSync(join(ROOT, '.stormlamp-docs-'));
});
afterAll(async () => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  await servers?.close();
});

test('the service of the page starts and stops', async () => {
  const [block = '', ...others] = blocksOf('docs/operate.md', 'js');
  expect(others).toEqual([]);
  const { user, password } = servers.accounts.app;
  const urlOf = ({ id }: { readonly id: string }) => `mysql://${user}:${password}@${id}/shop`;
  const env = {
    PRIMARY_URL: urlOf(servers.primary),
    REPLICA_URLS: servers.replicas.map(urlOf).join(','),
    SCOPE_SECRET: 'a secret that is long enough',
  };
  const append = `
    import { once } from 'node:events';
    if (!server.listening) await once(server, 'listening');
    const ask = async (path) => {
      const answer = await fetch('http://127.0.0.1:' + server.address().port + path);
      return answer.status + ' ' + (await answer.text());
    };
    console.log(await ask('/'));
    console.log((await ask('/readyz')).slice(0, 17));
    process.kill(process.pid, 'SIGTERM');
    while (!(await ask('/readyz')).startsWith('503'));
    console.log(await ask('/readyz'), await ask('/'));`;
  const ran = await runBlock(block, servers, { env: { ...env, PORT: '0', DRAIN_MS: '1500' }, append });
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  // Its logger is `console`.
  const said = ran.stdout.split('\n').filter((line) => !line.startsWith('stormlamp:') && line !== '');
  expect(said).toEqual(['200 {"n":0}', '200 {"ready":true', '503 stopping 200 {"n":0}']);
});

test('the first step away from mysql2', async () => {
  const [block = ''] = blocksOf('docs/mysql2.md', 'js');
  expect(await runBlock(block, servers)).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
});

test.each(
  blocksOf('docs/testing.md', 'js')
    .filter((block) => !block.includes('@jest/globals'))
    .map((block) => [/test\('([^']+)'/.exec(block)?.[1] ?? 'cases', block]),
)('in a test of yours: %s', async (_name, block) => {
  const file = join(folder, 'page.test.mjs');
  writeFileSync(file, block);
  const { code, stdout } = await startNode(['--test', file]).finished;
  expect([code, /^# fail 0$/m.test(stdout)], stdout).toEqual([0, true]);
});

test('a cluster without servers keeps its process running until it is closed, as docs/testing.md says', async () => {
  const file = join(folder, 'fake.mjs');
  const code = `import { fakeCluster } from 'stormlamp/testing';
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const fake = await fakeCluster();
    fake.answer('SELECT 1 AS one', [{ one: 1 }]);
    await fake.cluster.mysql.query('SELECT 1 AS one');
    const open = timers();
    await fake.close();
    console.log(before, open, timers());`;
  writeFileSync(file, code);
  expect(await startNode([file]).finished).toMatchObject({ code: 0, stderr: '', stdout: '0 1 0\n' });
});
