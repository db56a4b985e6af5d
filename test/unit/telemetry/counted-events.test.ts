import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../../../src/create-cluster.js';
import { createCluster, type FileSessionStore } from '../../../src/index.js';
import { cacheLines, failoverLines, mysqlLines, sessionLines } from '../../../src/log-lines.js';
import { COUNTED_PARTS, countedEvents } from '../../../src/telemetry/counted-events.js';
import { prometheusMetrics } from '../../../src/telemetry/prometheus/index.js';
import { fakeCluster } from '../../../src/testing/index.js';

let folder: string;
let mounts: readonly string[];
let cluster: Cluster<FileSessionStore>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-counted-'));
  mounts = ['a', 'b'].map((name) => join(folder, name));
  for (const mount of mounts) mkdirSync(mount);
  cluster = await createCluster({ sessions: { mounts: [...mounts] }, cache: { nodes: ['127.0.0.1:1'] } });
});
afterAll(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('what the log tells is counted, but for what has a metric of its own, and steps', () => {
  const lines = { mysql: mysqlLines, sessions: sessionLines, failover: failoverLines, cache: cacheLines };
  const uncounted = COUNTED_PARTS.map((part) => {
    const counted = countedEvents(cluster, part).map(([event]) => event);
    return [part, Object.keys(lines[part]).filter((event) => !counted.includes(event))];
  });
  expect(Object.fromEntries(uncounted)).toEqual({
    mysql: ['node-changed'],
    sessions: [],
    failover: ['suspicion-changed', 'change-step'],
    cache: ['node-failed'],
  });
});

test('what happens to mounts is counted by mount, from 0, and to the cache by event', () => {
  using metrics = prometheusMetrics(cluster);
  const of = (labels: string): string | undefined =>
    metrics
      .text()
      .split('\n')
      .find((line) => line.startsWith(`stormlamp_events_total{${labels}} `))
      ?.split('} ')[1];
  const failed = `part="sessions",event="repair-failed",node="${mounts[1]}"`;
  const differed = `part="sessions",event="copies-differed",node="${mounts[0]}",kept="its own"`;
  const skipped = 'part="sessions",event="file-skipped"';
  const unread = 'part="cache",event="value-unreadable"';
  expect([failed, differed, skipped, unread].map(of)).toEqual(['0', '0', '0', '0']);
  const error = new Error('EIO');
  cluster.sessions.publish('repair-failed', { mount: mounts[1] ?? '', error });
  cluster.sessions.publish('copies-differed', { mount: mounts[0] ?? '', kept: 'its own' });
  cluster.sessions.publish('file-skipped', { file: 'sess_ab', error });
  cluster.cache.publish('value-unreadable', { key: 'secret', error });
  expect([failed, differed, skipped, unread].map(of)).toEqual(['1', '1', '1', '1']);
  expect(metrics.text()).not.toMatch(/sess_ab|secret/);
});

test('of a store without mounts none are counted', async () => {
  const fake = await fakeCluster();
  const counted = countedEvents(fake.cluster, 'sessions').map(([event]) => event);
  expect(counted).toContain('recopy-skipped');
  expect(counted).not.toContain('mount-changed');
  await fake.close();
});
