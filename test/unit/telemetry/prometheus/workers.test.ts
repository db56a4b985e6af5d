import { AggregatorRegistry, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { prometheusMetrics } from '../../../../src/telemetry/prometheus/index.js';
import { fakeCluster } from '../../../../src/testing/index.js';

test('of the workers of a Node cluster what they have is added up, and the worst tells what is up', async () => {
  const workers: object[] = [];
  for (const statements of [1, 4]) {
    const fake = await fakeCluster();
    fake.answer(/./, [{ a: 1 }]);
    for (let sent = 0; sent < statements; sent += 1) await fake.cluster.mysql.query('SELECT 1 FROM t');
    if (statements === 4) await fake.kill('db2');
    const register = new Registry();
    const metrics = prometheusMetrics(fake.cluster, { register });
    workers.push(await register.getMetricsAsJSON());
    metrics.close();
    await fake.close();
  }
  const text = await AggregatorRegistry.aggregate(workers).metrics();
  const valuesOf = (name: string): Readonly<Record<string, number>> =>
    Object.fromEntries(
      [...text.matchAll(new RegExp(`^${name}\\{node="(\\w+)\\S*\\} (\\S+)$`, 'gm'))].map(
        ([, node = '', value]) => [node, Number(value)],
      ),
    );
  expect(valuesOf('stormlamp_pool_max_connections')).toEqual({ db1: 20, db2: 20, db3: 20 });
  expect(valuesOf('stormlamp_node_up')).toEqual({ db1: 1, db2: 0, db3: 1 });
  expect(valuesOf('stormlamp_node_primary')).toEqual({ db1: 1, db2: 0, db3: 0 });
  expect(Object.values(valuesOf('stormlamp_session_node_up'))).toEqual([1, 1]);
});
