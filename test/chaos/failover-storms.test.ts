/** Processes, links and operators that misbehave for longer: herds, flapping, narrow and torn links, hooks that hang, restarts of all. */
import { describe, expect } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import { now } from '../support/app-fleet.js';
import { writableNodes } from '../support/crash-at-step.js';
import type { World } from '../support/failover-world.js';
import { scenario } from '../support/scenarios.js';

async function writesGoOn(world: World): Promise<void> {
  const at = now();
  await world.until('writes go on', () => world.acknowledgedAfter(at) > 10);
}

async function failureBecomes(world: World, wanted: string | null): Promise<void> {
  const app = world.fleet.apps[0];
  await world.until(`the trouble is ${wanted}`, async () => {
    const { failure } = (await app?.ask<{ failure: string | null }>('state')) ?? { failure: '' };
    return failure === wanted;
  });
}

describe('processes', () => {
  scenario('13 the elected process dies, and twenty begin at once', {}, async (world) => {
    const since = now();
    world.leader().signal('SIGKILL');
    // On a machine that is too busy to answer anybody some give up; that is what supervisors are for.
    const herd = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => world.app(`herd${index}`, 0, { maxLoss: 'any' })),
    );
    await world.until(
      'another one is elected',
      () => world.event('leadership-changed', since, ({ detail }) => detail['leads'] === true) !== undefined,
    );
    await world.noFailover(since, 1_000);
    await writesGoOn(world);
    await world.finish();
    return { started: herd.filter(({ status }) => status === 'fulfilled').length };
  });

  scenario('51 all servers and all processes are restarted one after the other', {}, async (world) => {
    for (const replica of world.servers.replicas) {
      await replica.restart();
      await writesGoOn(world);
    }
    const switched = await world.until('a switchover is made', async () => {
      const result = await world
        .leader()
        .ask<ChangeResult>('switchover')
        .catch(() => undefined);
      return result?.ok === true;
    });
    expect(switched).toBe(true);
    await world.first.restart();
    await writesGoOn(world);
    for (const app of [...world.fleet.apps]) {
      await world.app(`${app.name}2`, 2, { maxLoss: 'any' });
      await app.ask('close').catch(() => undefined);
      await app.exited;
      await writesGoOn(world);
    }
    await world.finish();
  });
});

describe('links', () => {
  scenario(
    '20 closed, reset and silent are told apart, and replicas that hear the primary veto',
    {},
    async (world) => {
      const since = now();
      for (const [fault, kind] of [
        [() => world.first.faults.reset({ only: 'clients' }), 'dead-primary'],
        [() => world.first.faults.partition({ only: 'clients' }), 'unreachable-primary'],
        [() => world.first.faults.halfOpen({ only: 'clients' }), 'unreachable-primary'],
      ] as const) {
        const active = fault();
        await failureBecomes(world, kind);
        active.heal();
        await failureBecomes(world, null);
        await writesGoOn(world);
      }
      await world.noFailover(since, 100);
      await world.finish();
    },
  );

  scenario('21 the link to the primary flaps for a minute', {}, async (world) => {
    const since = now();
    while (now() - since < 60_000) {
      const cut = world.servers.isolate(world.first);
      await new Promise((done) => setTimeout(done, 1_000));
      cut.heal();
      await new Promise((done) => setTimeout(done, 1_000));
    }
    await writesGoOn(world);
    const made = world.fleet.events.filter(
      ({ event, at, detail }) =>
        event === 'change-done' && at > since && (detail['plan'] as { kind: string }).kind === 'failover',
    );
    expect(made.length).toBeLessThanOrEqual(1);
    await world.finish({ mayLose: made.length > 0 });
    return { failovers: made.length };
  });

  scenario('22 the replication link is narrow, then the primary dies', {}, async (world) => {
    const narrow = world.first.faults.throttle({ bytesPerSecond: 500, only: 'replication' });
    const since = now();
    await world.noFailover(since, 6_000);
    await world.first.kill();
    narrow.heal();
    const plan = await world.failedOver(since);
    const { lost } = await world.finish({ mayLose: true });
    return { lost: lost.length, told: plan.loss };
  });

  scenario('24 packets of one byte, and resets in the middle of answers', {}, async (world) => {
    const since = now();
    const slices = world.first.faults.slice({ bytes: 1, only: 'clients' });
    await writesGoOn(world);
    const unknownSoFar = (): number =>
      world.fleet.operations().filter(({ outcome, began }) => outcome === 'unknown' && began > since).length;
    // Until one of them was in the middle of an answer.
    let rounds = 0;
    for (; rounds < 5 || (rounds < 100 && unknownSoFar() === 0); rounds += 1) {
      const reset = world.first.faults.reset({ only: 'clients' });
      await new Promise((done) => setTimeout(done, 50));
      reset.heal();
      await writesGoOn(world);
    }
    slices.heal();
    await world.noFailover(since, 100);
    const { unknown, acknowledged } = await world.finish();
    expect(unknown).toBeGreaterThan(0);
    return { unknown, acknowledged, rounds };
  });
});

/** A primary dies, the failover is given up for the reason that `words` tell, and nobody writes before it is back. */
async function givenUp(world: World, words: string): Promise<void> {
  const since = now();
  await world.first.kill();
  await world.until(
    'the failover is given up',
    () =>
      world.event('change-aborted', since, ({ detail }) => String(detail['message']).includes(words)) !==
      undefined,
  );
  expect(await writableNodes(world.servers)).toEqual([]);
  await world.first.start();
  await writesGoOn(world);
  await world.finish();
}

describe('hooks', () => {
  scenario(
    '49 a fence that does not know lets nobody be promoted',
    { hooks: { fence: { state: 'unknown', detail: 'no answer of the switch' } } },
    (world) => givenUp(world, 'no answer of the switch'),
  );

  scenario(
    '49h a hook that hangs is a veto',
    { hooks: { beforeFailover: 'hang' }, failover: { hookPolicy: { timeoutMs: { beforeFailover: 1_000 } } } },
    (world) => givenUp(world, 'beforeFailover'),
  );

  scenario('49t a hook that throws is a veto', { hooks: { beforeFailover: 'throw' } }, (world) =>
    givenUp(world, 'the hook is broken'),
  );

  scenario(
    '49l a hook that answers after its time is a veto',
    {
      hooks: { beforeFailover: { afterMs: 2_000, answer: 'allow' } },
      failover: { hookPolicy: { timeoutMs: { beforeFailover: 1_000 } } },
    },
    (world) => givenUp(world, 'beforeFailover'),
  );
});
