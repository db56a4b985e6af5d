/** That the checks of every failover scenario can fail: each is given what it has to find. */
import { describe, expect } from 'vitest';
import type { LocalCluster } from '../../src/testing/index.js';
import { now } from '../support/app-fleet.js';
import { lawlessWriter } from '../support/handover.js';
import { inWordsOf } from '../support/replication-words.js';
import { scenario } from '../support/scenarios.js';

/** Makes all replicas a second late, which is early enough to be read from. */
async function delayed({ replicas, flavor }: LocalCluster): Promise<void> {
  const sql = ['STOP SLAVE', 'CHANGE MASTER TO MASTER_DELAY=1', 'START SLAVE'];
  for (const node of replicas) for (const statement of sql) await node.query(inWordsOf(flavor, statement));
}

describe('controls', () => {
  scenario('C1 two primaries: a writer without a lease is found', {}, async (world) => {
    const lawless = await lawlessWriter(world.servers, world.first);
    const since = now();
    const cut = world.servers.isolate(world.first);
    await world.failedOver(since);
    const others = await lawless.stop();
    expect(await world.twoPrimaries()).toEqual([]);
    const [found, ...more] = await world.twoPrimaries(others);
    expect(found).toMatch(/^two primaries: /);
    expect(more).toEqual([]);
    cut.heal();
    await world.finish({ mayLose: true, others });
    return { found };
  });

  scenario(
    'C2 reads without a scope do not see their own writes on replicas that are late',
    {
      readers: { own: 0, unscoped: 1 },
      prepare: delayed,
    },
    async (world) => {
      const since = now();
      await world.until('more is written', () => world.acknowledgedAfter(since) > 100);
      await expect(world.finish()).rejects.toThrow(/was shown 0 of the 1 rows that its scope had written/);
    },
  );

  scenario(
    'C3 reads in a scope see their own writes on such replicas',
    { prepare: delayed },
    async (world) => {
      // Each waits up to a second for its replica, or goes to the primary.
      const reads = (): number => world.fleet.reads().filter(({ kind }) => kind === 'own').length;
      await world.until('they have read', () => reads() > 10);
      await world.finish();
      return { reads: reads() };
    },
  );
});
