import { expect, test } from 'vitest';
import type { ChangeControl, MakeOptions } from '../../../../src/failover/change/change-control.js';
import { FailoverControl } from '../../../../src/failover/change/failover-control.js';
import type { FailoverPlan } from '../../../../src/failover/plan/failover-plan.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const status = { Slave_SQL_Running: 'No', Last_SQL_Errno: 1062, Last_SQL_Error: 'Duplicate entry' };
const well = [madeUp('db2', { source }), madeUp('db3', { source })];
const stuck = [madeUp('db2', { source }), madeUp('db3', { source, status })];

/** A control over servers that are `before` when a failover is planned, and `after` under its locks. */
function controlOver(
  before = well,
  after = well,
  votedFor?: string,
  named?: string,
  more: object = {},
): FailoverControl {
  let surveys = before;
  const control = {
    surveyFrom: async () => ({ nodes: new Map(surveys.map((each) => [each.node, each])), silent: new Map() }),
    context: async () => madeUpContext(surveys, { named }),
    make: async (_: FailoverPlan, { again, mayStill }: MakeOptions) => {
      surveys = after;
      const plan = await again();
      await mayStill?.();
      return { ok: true, plan };
    },
    unheard: () => undefined,
    voter: (id: string) => ({ id }),
  };
  const parts = {
    mode: 'auto',
    options: { leaseMs: 100, maxLoss: 'any' },
    voters: ['db1', 'db2', 'db3'].map((id) => ({ id, kind: 'data', address: { host: id, port: 3306 } })),
    control: control as unknown as ChangeControl,
    memory: { of: () => undefined },
    seen: () => 'db1',
    count: () => ({ total: 3, reachable: 2, unasked: 0, votedFor }),
    verdict: () => ({ tilted: false, failover: { warranted: true, because: '' }, failure: 'dead-primary' }),
    strangers: () => [],
    down: () => new Set<string>(),
    ...more,
  };
  return new FailoverControl(parts as unknown as ConstructorParameters<typeof FailoverControl>[0]);
}

test('a replica that stops with an error between the plan and the locks is counted: no majority could vote', async () => {
  expect(await controlOver().make({})).toMatchObject({ plan: { to: 'db2' } });
  await expect(controlOver(well, stuck).make({})).rejects.toThrow(/Only 1 of 3 voters/);
});
test('who names the new primary insists on it, under the locks, too', async () => {
  expect(await controlOver(stuck, stuck).make({ to: 'db2' })).toMatchObject({ plan: { to: 'db2' } });
});
test('who names a node and accepts the loss gets it although others have more, under the locks, too', async () => {
  const ahead = [well[0] ?? madeUp('db2'), madeUp('db3', { source, received: '0-1-105' })];
  await expect(controlOver(ahead, ahead).make({ to: 'db2' })).rejects.toThrow(/db3 has 5 transactions/);
  const { plan } = await controlOver(ahead, ahead).make({ to: 'db2', acceptLoss: true });
  expect(plan).toMatchObject({ to: 'db2', loss: { transactions: 5 } });
});
test('a primary that a majority votes for, and that this process has not seen take over, is what is failed over from', async () => {
  const after = ['db1', 'db3'].map((node) => madeUp(node, { source: { host: 'db2', port: 3306 } }));
  expect(await controlOver(after, after, 'db2', 'db2').plan()).toMatchObject({ from: 'db2', to: 'db1' });
  // Unless the memory of the cluster says otherwise.
  await expect(controlOver(after, after, 'db2', 'db1').plan()).rejects.toThrow(/by hand/);
  expect(await controlOver(after, after, 'db2', 'db1').plan('db3', { force: true })).toMatchObject({
    from: 'db2',
    to: 'db3',
  });
});

test('who gives up does not wait until this process knows of a primary, or has found it dead', async () => {
  const unknown = {
    options: { leaseMs: 600_000, maxLoss: 'any' },
    seen: () => null,
    verdict: () => ({ tilted: false, failover: { warranted: false, because: 'nothing is known' } }),
    count: () => ({ total: 3, reachable: 0, unasked: 3, votedFor: null }),
  };
  for (const force of [false, true]) {
    const giveUp = new AbortController();
    const made = controlOver(well, well, undefined, undefined, unknown).make({
      force,
      signal: giveUp.signal,
    });
    giveUp.abort('the operator went home');
    await expect(made).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'the operator went home' });
  }
});

test('what it makes by itself is asked for once more when the new primary has executed what it had received', async () => {
  const nothing = { pauses: [], known: [], made: [] };
  const paused = { ...nothing, pauses: [{ id: 'p', because: 'new disks (ops)', leftS: 60 }], known: ['p'] };
  const asked: string[] = [];
  const more = (limit: number): object => ({
    meta: {
      rights: async ({ id }: { readonly id: string }) => {
        asked.push(id);
        return asked.length > limit ? paused : nothing;
      },
    },
  });
  // When it is planned, under the locks, and after that: the lost primary is never asked.
  const byItself = controlOver(well, well, undefined, undefined, more(4)).makeByItself();
  await expect(byItself).rejects.toThrow(/paused: new disks/);
  expect(asked).toEqual(['db2', 'db3', 'db2', 'db3', 'db2', 'db3']);
  await expect(
    controlOver(well, well, undefined, undefined, more(60)).makeByItself(),
  ).resolves.toBeUndefined();
});

test('who has not seen the primary asks the new one once more, when it has executed what it had received, whom it knows as that', async () => {
  const asked: string[] = [];
  const makes = async (standing: () => object, force: boolean): Promise<object> => {
    const after = ['db1', 'db3'].map((node) => madeUp(node, { source: { host: 'db2', port: 3306 } }));
    const meta = {
      standing: async ({ id }: { readonly id: string }) => {
        asked.push(id);
        return standing();
      },
      rights: async () => ({ pauses: [], known: [], made: [] }),
    };
    return await controlOver(after, after, 'db2', 'db2', { meta }).make({ force });
  };
  await expect(makes(() => ({ primary: 'db3' }), false)).rejects.toThrow(/names db3: .* by hand/);
  const late = (): object => {
    throw new Error('too late');
  };
  await expect(makes(late, false)).rejects.toThrow('too late');
  expect(await makes(() => ({ primary: 'db2' }), false)).toMatchObject({ plan: { from: 'db2', to: 'db1' } });
  expect(asked).toEqual(['db1', 'db1', 'db1']);
  expect(await makes(late, true)).toMatchObject({ plan: { from: 'db2', to: 'db1' } });
  expect(asked).toHaveLength(3);
});
