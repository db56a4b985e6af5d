import { expect, test } from 'vitest';
import { Cluster } from '../../../src/create-cluster.js';
import { dashboardState } from '../../../src/dashboard/dashboard-state.js';
import { fakeCluster } from '../../../src/testing/index.js';

test('what the failure says of the primary is not said twice, though it is counted up meanwhile', async () => {
  await using fake = await fakeCluster();
  let asked = 0;
  const failover = {
    get state() {
      asked += 1;
      const because = `${asked} probes in a row failed`;
      const nodes = [{ node: 'db1:3306', suspicion: 'objectively-down', because }];
      return {
        ...fake.cluster.failover.state,
        nodes,
        failure: 'dead-primary',
        because: `db1:3306: ${because}`,
      };
    },
  };
  const cluster = new Proxy(fake.cluster, {
    get: (target, key) => (key === 'failover' ? failover : Reflect.get(target, key, target)),
  });
  const { problems } = dashboardState(cluster, [], [], 0);
  expect(problems.map(({ text }) => text)).toEqual(['dead-primary: db1:3306: 1 probes in a row failed']);
});

test('a cluster without databases has no primary to miss', async () => {
  await using fake = await fakeCluster();
  const { sessions } = fake.cluster;
  const alone = new Cluster({ mysql: undefined, sessions, failover: undefined, cache: undefined });
  expect(dashboardState(alone, [], [], 0)).toMatchObject({
    ...{ hasDatabases: false, writer: null, mode: null, nodes: [], problems: [] },
    sessions: [{ standing: 'filled' }, { standing: 'filled' }],
  });
  expect(dashboardState(fake.cluster, [], [], 0).hasDatabases).toBe(true);
});
