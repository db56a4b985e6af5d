/** What docs/diagnostics.md and docs/command-line.md show works when it is pasted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findClusterConfig } from '../../src/cli/cluster-config.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { blocksOf, letAppMonitor, runBlock } from './run-block.js';

let servers: LocalCluster;
const [listening = ''] = blocksOf('docs/diagnostics.md', 'js');
const [configuration = ''] = blocksOf('docs/command-line.md', 'js');

beforeAll(async () => {
  servers = await startLocalCluster({ memcached: 0, php: false });
  await letAppMonitor(servers);
});
afterAll(async () => {
  await servers?.close();
});

test('a subscriber counts the reads of each node', async () => {
  const { code, stdout, stderr } = await runBlock(listening, servers);
  expect([code, stderr]).toEqual([0, '']);
  const counts = [...stdout.matchAll(/^127\.0\.0\.1:\d+ served (\d+) reads$/gm)].map(([, count]) =>
    Number(count),
  );
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
});

test('NODE_DEBUG prints what passes, without passwords', async () => {
  const { code, stderr } = await runBlock(listening, servers, { env: { NODE_DEBUG: 'stormlamp' } });
  expect(code).toBe(0);
  expect(stderr).toMatch(/STORMLAMP \d+: route \{"sql":"SELECT \? AS id","kind":"read"/);
  expect(stderr).toMatch(/STORMLAMP \d+: topology \{/);
  expect(stderr).not.toContain(servers.accounts.app.password);
});

test('the configuration of the command line is found and accepted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-docs-'));
  try {
    writeFileSync(join(folder, 'stormlamp.config.mjs'), configuration);
    const { options } = await findClusterConfig(undefined, {}, folder);
    expect(options.sessions).toEqual({ nodes: ['cache1:11211', 'cache2:11211'] });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
