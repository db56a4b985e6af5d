/** When commits wait for replicas again, and that it is forgotten then. */
import { expect, test } from 'vitest';
import { SemiSyncDesk } from '../../../../src/failover/overseer/semi-sync-desk.js';
import type { FailoverPlan } from '../../../../src/failover/plan/failover-plan.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const SET = { rpl_semi_sync_master_enabled: 'OFF', rpl_semi_sync_slave_enabled: 'ON' };
const source = { host: 'db2', port: 3306 };
const look = (executed: string, received: string, on = false): PlanContext =>
  madeUpContext(
    [
      madeUp('db2', {
        executed,
        acknowledgers: 1,
        variables: on ? { ...SET, rpl_semi_sync_master_enabled: 'ON' } : SET,
      }),
      madeUp('db1', { source, executed: received, variables: SET }),
    ],
    { owesSemiSync: new Set(['db2']) },
  );

function desk(ok: boolean): {
  readonly made: FailoverPlan[];
  readonly paid: string[];
  readonly desk: SemiSyncDesk;
} {
  const made: FailoverPlan[] = [];
  const paid: string[] = [];
  const control = {
    voter: (id: string) => ({ id }),
    make: async (plan: FailoverPlan, { again }: { again: () => unknown }) => {
      made.push(plan);
      await again();
      return { ok };
    },
  };
  const meta = { paySemiSync: async ({ id }: { id: string }) => void paid.push(id) };
  return { made, paid, desk: new SemiSyncDesk({ control, meta } as never) };
}

test('a replica has to have received what the primary had a look ago; when it is on, that is noted', async () => {
  const { desk: shop, made, paid } = desk(true);
  const switchOn = (now: PlanContext): Promise<boolean> => shop.switchOn(now, 'db2', async () => now);
  expect(await switchOn(look('0-2-100', '0-2-100'))).toBe(false);
  expect(await switchOn(look('0-2-200', '0-2-99'))).toBe(false);
  expect(await switchOn(look('0-2-300', '0-2-250'))).toBe(true);
  expect([made.length, paid]).toEqual([1, []]);
  expect(await switchOn(look('0-2-400', '0-2-400', true))).toBe(false);
  expect([made.length, paid]).toEqual([1, ['db2']]);
});

test('what fails is not tried again at once', async () => {
  const { desk: shop, made } = desk(false);
  const now = look('0-2-100', '0-2-100');
  for (let count = 0; count < 4; count += 1)
    expect(await shop.switchOn(now, 'db2', async () => now)).toBe(false);
  expect(made.length).toBe(1);
});
