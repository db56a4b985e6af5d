/** A plan is looked at again when it is confirmed: the minute in which operators click is that of a failover. */
import { expect, test } from 'vitest';
import { ActionPlans } from '../../../src/dashboard/action-plans.js';
import { fakeCluster } from '../../../src/testing/index.js';

test.each([
  ['db2:3306', /^db2:3306 is the primary by now: .* Nothing was done/],
  ['db1:3306', /^db1:3306 is not the primary any more: .* Nothing was done/],
])('%s, whose role changed since the plan, is not taken out', async (node, why) => {
  await using fake = await fakeCluster({ replicas: 1 });
  const { cluster } = fake;
  const plans = new ActionPlans(cluster);
  const plan = await plans.make('isolate', node);
  await fake.promote('db2');
  expect(() => plans.confirm(plan?.id)).toThrow(why);
  expect(plans.isOutHere(node)).toBe(false);
  expect(cluster.failover.state.nodes.map(({ suspicion }) => suspicion)).not.toContain('isolated');
});

test('a plan that was carried out is known to have been: one that was refused, or never was, is not', async () => {
  await using fake = await fakeCluster({ replicas: 1 });
  const plans = new ActionPlans(fake.cluster);
  const [first, second] = [await plans.make('isolate', 'db2:3306'), await plans.make('isolate', 'db1:3306')];
  expect([plans.confirm(first?.id), plans.confirm(first?.id)]).toEqual([true, false]);
  await fake.promote('db2');
  expect(() => plans.confirm(second?.id)).toThrow('Nothing was done');
  expect([first?.id, second?.id, 'another', undefined].map((id) => plans.wasCarriedOut(id))).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test('a node is let in again only here where it was taken out here, and not twice', async () => {
  await using fake = await fakeCluster({ replicas: 1 });
  const { cluster } = fake;
  const plans = new ActionPlans(cluster);
  using _ = cluster.failover.isolate('db1:3306', { reason: 'by code' });
  expect(await plans.make('release', 'db1:3306')).toBeUndefined();
  plans.confirm((await plans.make('isolate', 'db2:3306'))?.id);
  expect(plans.isOutHere('db2:3306')).toBe(true);
  const [first, second] = [await plans.make('release', 'db2:3306'), await plans.make('release', 'db2:3306')];
  expect(plans.confirm(first?.id)).toBe(true);
  expect(() => plans.confirm(second?.id)).toThrow(/db2:3306 is not out any more/);
  expect(plans.isOutHere('db2:3306')).toBe(false);
});
