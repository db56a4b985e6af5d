/** What docs/telemetry.md shows works when it is pasted, and its table names the metrics that there are. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseMetrics } from '../../src/telemetry/database-metrics.js';
import { storeMetrics } from '../../src/telemetry/store-metrics.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT } from '../support/run-node.js';
import { blocksOf, letAppMonitor, runBlock } from './run-block.js';

let servers: LocalCluster;
const [logs = '', text = '', registry = '', otel = '', ...more] = blocksOf('docs/telemetry.md', 'js');

beforeAll(async () => {
  servers = await startLocalCluster({ replicas: 2, php: false });
  await letAppMonitor(servers);
});
afterAll(async () => {
  await servers?.close();
});

test('the page has the blocks that are run here', () => {
  expect([logs, text, registry, otel].map((block) => block.length > 0)).toEqual([true, true, true, true]);
  expect(more).toEqual([]);
});

test('a cluster that is well says nothing to console', async () => {
  expect(await runBlock(logs, servers)).toMatchObject({ code: 0, stdout: '', stderr: '' });
});

test.each([
  ['as text', text],
  ['in a registry', registry],
])('the primary is told to Prometheus %s', async (_how, block) => {
  const stdout = `stormlamp_node_primary{node="${servers.primary.id}"} 1\n`;
  expect(await runBlock(block, servers)).toMatchObject({ code: 0, stdout, stderr: '' });
});

test('a span is told to OpenTelemetry', async () => {
  const { code, stdout, stderr } = await runBlock(otel, servers);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain("name: 'SELECT'");
  expect(stdout).toContain("'db.query.text': 'SELECT ? AS lamp'");
});

test('every metric is in the table', () => {
  const page = readFileSync(join(ROOT, 'docs/telemetry.md'), 'utf8');
  const named = new Set<string>();
  for (const [, cell = ''] of page.matchAll(/^\| (`stormlamp_[^|]*) \|/gm)) {
    const names = [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '');
    for (const name of names) {
      const stem = (names[0] ?? '').replace(/_(up|bytes)$/, '');
      named.add(name.startsWith('_') ? stem + name : name);
    }
  }
  for (const { name } of [...databaseMetrics, ...storeMetrics]) expect(named, name).toContain(name);
});
