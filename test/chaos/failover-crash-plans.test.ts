/**
 * The process that makes a change is killed at the steps that plans have in some clusters only: with witnesses, hooks, scheduled events,
 * self-fence, semi-synchronous replication, without GTIDs; and at those of the repairs that nobody asks for.
 */
import { describe, expect } from 'vitest';
import type { LocalCluster } from '../../src/testing/index.js';
import { type EndPoint, now } from '../support/app-fleet.js';
import { byFileAndPosition } from '../support/by-file-and-position.js';
import {
  crashAtStep,
  crashInFailover,
  crashInForcedFailover,
  everywhere,
  writableNodes,
} from '../support/crash-at-step.js';
import { type CrashedRepair, crashRepairs } from '../support/crash-in-repair.js';
import { COMMON, ONCE_FORCED } from '../support/crash-steps.js';
import { type CrashKind, crashTour } from '../support/crash-tour.js';
import type { World, WorldOptions } from '../support/failover-world.js';
import { inWordsOf } from '../support/replication-words.js';
import { scenario } from '../support/scenarios.js';

const SCHEDULER = ['--event-scheduler=ON'];
const everything: WorldOptions = {
  witnesses: 1,
  serverArgs: SCHEDULER,
  failover: { blockMs: 0 },
  hooks: {
    beforeSwitchover: 'allow',
    beforeFailover: 'allow',
    fence: { state: 'fenced', proof: 'it has no power' },
    afterPromote: 'allow',
    afterFailover: 'allow',
  },
  prepare: async (servers) => {
    await servers.primary.query(
      "CREATE EVENT shop.seldom ON SCHEDULE EVERY 1 DAY STARTS '2038-01-01 00:00:00' DO SELECT 1",
    );
    await servers.waitForReplication();
  },
};

/** A tour through `steps`, and through what the plans have besides what every cluster has. */
async function tour(
  world: World,
  crash: CrashKind,
  steps: readonly string[],
  leaves: RegExp = COMMON,
  grows = true,
): Promise<object> {
  const died: string[] = [];
  const tried = await crashTour(world, {
    crash,
    steps,
    leaves,
    grows,
    onResult: (result) => void (result.died && died.push(result.point.step)),
  });
  await world.finish();
  // Else the plans had none of it.
  for (const step of steps) expect(died).toContain(step);
  return { tried };
}

describe('with a witness, hooks and scheduled events', () => {
  scenario('PS a switchover', everything, (world) =>
    tour(world, crashAtStep, ['make-tables-0', 'beforeSwitchover', 'event-0', 'vote']),
  );
  scenario('PF a failover', everything, (world) =>
    tour(world, crashInFailover, ['make-tables-0', 'beforeFailover', 'fence', 'event-0', 'vote']),
  );
  scenario('PX a forced failover', everything, (world) =>
    tour(
      world,
      crashInForcedFailover,
      ['beforeFailover', 'fence'],
      new RegExp(`${COMMON.source}|${ONCE_FORCED.source}|^(event-|vote$|afterPromote$)`),
    ),
  );
});

describe('a forced failover after its point of no return', () => {
  // The old primary may have what nobody else has, and is left as it is: a cluster for each.
  for (const step of [
    'epoch',
    'begin',
    'take-writes',
    'verify-writes',
    'follow-0',
    'start-replication',
    'release',
  ])
    scenario(`PX-${step} killed after it`, { failover: { blockMs: 0 } }, (world) =>
      tour(world, crashInForcedFailover, [step], COMMON, false),
    );
});

describe('with self-fence and semi-synchronous replication', () => {
  scenario(
    'PE a failover from a primary that fences itself',
    { failover: { blockMs: 0, selfFenceMs: 4_000 }, serverArgs: SCHEDULER },
    (world) => tour(world, crashInFailover, ['wait-fence']),
  );
  const semiSync: WorldOptions = { semiSync: true, failover: { blockMs: 0 } };
  scenario('PY a switchover, semi-synchronous', semiSync, (world) =>
    tour(world, crashAtStep, ['make-tables-5', 'semi-sync']),
  );
  scenario('PZ a failover, semi-synchronous', semiSync, (world) =>
    tour(world, crashInFailover, ['semi-sync']),
  );
  scenario(
    'PO a failover to a node that is left alone, semi-synchronous',
    { ...semiSync, replicas: 1, witnesses: 1 },
    (world) => tour(world, crashInFailover, ['owed-table', 'owe-semi-sync']),
  );
});

describe('without GTIDs', () => {
  const byPlace: WorldOptions = { prepare: byFileAndPosition, failover: { blockMs: 0 } };
  // From there on it can be undone. What comes later leaves the others to be made anew.
  const UNDONE = [
    'lock-change',
    'begin',
    'refuse-writes',
    'drain',
    'same-position',
    'new-position',
    'wait-handover',
  ];
  scenario('PN a switchover', byPlace, (world) => tour(world, crashAtStep, UNDONE, COMMON, false));

  // A primary that was replaced has to be made anew: a cluster for each.
  for (const step of ['freeze', 'assert-same', 'new-position', 'confirm-again'])
    scenario(`PN-${step} a failover, killed after it`, byPlace, async (world) => {
      const victim = await world.victim('victim', { step, phase: 'finished' });
      const apps = world.fleet.apps.filter((app) => app !== victim);
      await Promise.all(apps.map((app) => app.ask('hold')));
      await everywhere(world.servers, world.first);
      const since = now();
      await world.first.kill();
      await Promise.all(apps.map((app) => app.ask('go')));
      await world.until('it dies', async () => {
        if (victim.alive)
          await victim.ask('failover', { force: true, acceptLoss: true }).catch(() => undefined);
        return !victim.alive;
      });
      const died = now();
      await world.until('writes go on', () => world.acknowledgedAfter(died) > 20);
      expect(await writableNodes(world.servers)).toHaveLength(1);
      await world.finish();
      return { outageMs: Math.round(world.fleet.longestGapMs(since, now())) };
    });
});

describe('repairs that nobody asks for', () => {
  const idle: WorldOptions = { failover: { automatic: false, blockMs: 0 }, elects: false };

  async function repaired(world: World, repair: CrashedRepair, steps: readonly string[]): Promise<object> {
    const tried = await crashRepairs(world, repair, steps);
    await world.finish();
    return { tried };
  }

  /** A process dies in the midst of a switchover. */
  async function leftUnfinished(world: World, point: EndPoint): Promise<void> {
    await world.until('it dies in the midst of a switchover', async () => {
      const victim = await world.victim(`k${world.fleet.apps.length}`, point);
      await victim.ask('switchover').catch(() => undefined);
      if (victim.alive) await victim.ask('close').catch(() => undefined);
      return victim.child.signalCode === 'SIGKILL';
    });
  }

  for (const [name, step] of [
    ['PR the undoing of a switchover', 'final-position'],
    ['PG the rest of a switchover', 'verify-writes'],
  ] as const)
    scenario(name, idle, (world) =>
      repaired(
        world,
        {
          kind: 'resume',
          mark: 'assert-complete',
          cause: () => leftUnfinished(world, { step, phase: 'finished' }),
        },
        ['lock-change'],
      ),
    );

  scenario('PV the vote of a witness', { ...idle, witnesses: 1 }, async (world) => {
    const [witness] = world.witnesses;
    const voted = async (): Promise<string | undefined> =>
      (await witness?.query<{ vote: string }>('SELECT vote FROM ha_meta.vote'))?.[0]?.vote;
    const repair: CrashedRepair = {
      kind: 'rejoin',
      mark: 'vote',
      cause: async () => {
        await world.until('it votes', async () => (await voted()) === world.first.id);
        await witness?.query('UPDATE ha_meta.vote SET vote=?', [world.servers.replicas[0]?.id]);
      },
      isWell: async () => (await voted()) === world.first.id,
    };
    return await repaired(world, repair, ['lock-change']);
  });

  scenario('PC the closing of a node with transactions of its own', idle, async (world) => {
    const [stray] = world.servers.replicas;
    if (stray === undefined) throw new Error('a replica is needed');
    const repair: CrashedRepair = {
      kind: 'rejoin',
      mark: 'refuse-writes',
      alone: new Set([stray.id]),
      cause: async () => {
        const [status] = await world.ask(stray, 'SHOW SLAVE STATUS');
        if (status !== undefined) {
          await world.ask(stray, 'STOP SLAVE');
          await world.ask(stray, 'RESET SLAVE ALL');
        }
        await opened(world.servers, stray);
        await stray.query('CREATE DATABASE IF NOT EXISTS stray');
      },
    };
    return await repaired(world, repair, ['lock-change']);
  });

  scenario('PT replicas that a failover has left without a receiver', idle, async (world) => {
    const repair: CrashedRepair = {
      kind: 'rejoin',
      mark: 'start-receiving',
      cause: async () => {
        const [old] = await writableNodes(world.servers);
        if (old === undefined) throw new Error('no node takes writes');
        const writers = world.fleet.apps.filter(({ alive }) => alive);
        await Promise.all(writers.map((app) => app.ask('hold')));
        await everywhere(world.servers, old);
        const replicas = world.servers.databases.filter((node) => node !== old);
        await Promise.all(replicas.map((node) => world.ask(node, 'STOP SLAVE IO_THREAD')));
        await old.kill();
        await Promise.all(writers.map((app) => app.ask('go')));
      },
      isWell: async () => {
        if ((await writableNodes(world.servers)).length !== 1) return false;
        await Promise.all(
          world.servers.databases.filter(({ state }) => state === 'stopped').map((node) => node.start()),
        );
        return true;
      },
    };
    return await repaired(world, repair, ['lock-change']);
  });
});

/** Makes a node take writes. */
async function opened({ flavor }: LocalCluster, node: World['first']): Promise<void> {
  if (flavor === 'mysql') await node.query('SET GLOBAL super_read_only=0');
  await node.query(inWordsOf(flavor, 'SET GLOBAL read_only=0'));
}
