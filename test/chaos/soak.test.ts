/** An hour (`--seconds=N`) of a process that serves: its heap, its handles and its latencies stay as they were. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { growthIn, soak } from '../support/soak.js';

const SECONDS = Number(process.env['STORMLAMP_CHAOS_SECONDS'] ?? 3_600);
/** Many enough for medians, long enough for a p99. */
const SAMPLES = Math.max(12, Math.min(120, Math.floor(SECONDS / 5)));
const CONTROL = { samples: 12, sampleMs: 2_000 };

let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ replicas: 2, memcached: 2, php: false });
  const table = `${servers.database}.soak`;
  await servers.primary.query(`CREATE TABLE ${table} (id INT PRIMARY KEY, turns INT NOT NULL, text TEXT)`);
  const rows = Array.from({ length: 16 }, (_, id) => `(${id}, 0, 'none')`);
  await servers.primary.query(`INSERT INTO ${table} VALUES ${rows.join(', ')}`);
  await servers.waitForReplication();
});
afterAll(async () => {
  await servers?.close();
});

test.each(['heap', 'handles', 'latency'] as const)('a process whose %s grows is found out', async (ill) => {
  const growth = growthIn(await soak(servers, { ...CONTROL, ill }));
  console.log(ill, growth.join('; '));
  expect(growth.join('; ')).toContain({ heap: 'heapMb', handles: 'handles', latency: 'p50Ms' }[ill]);
});

test('heap, handles and latencies stay flat', async () => {
  const samples = await soak(servers, {
    samples: SAMPLES,
    sampleMs: (SECONDS * 1_000) / SAMPLES,
    onSample: (sample, number) => console.log(`${number}/${SAMPLES}`, JSON.stringify(sample)),
  });
  expect(growthIn(samples)).toEqual([]);
  expect(samples.at(-1)).toMatchObject({ failed: 0 });
  expect(samples.at(-1)?.turns).toBeGreaterThan(SAMPLES);
});
