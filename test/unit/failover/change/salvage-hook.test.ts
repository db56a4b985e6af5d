import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/common/clock.js';
import { ChangeHooks } from '../../../../src/failover/change/change-hooks.js';
import type { FailoverHooks } from '../../../../src/index.js';

const plan = { opId: 'op', from: 'db1', to: 'db2' };

function hooksWith(salvage: FailoverHooks['salvage']) {
  const told: unknown[] = [];
  const parts = {
    hooks: { salvage },
    policy: { timeoutMs: { salvage: 20 } },
    clock: systemClock,
    record: () => undefined,
    publish: (event: string, detail: object) => told.push({ event, ...detail }),
    voters: [],
  };
  return { hooks: new ChangeHooks(parts as never, new AbortController().signal), told };
}

test('`salvage` is called with the old primary and the plan', async () => {
  const calls: unknown[] = [];
  const { hooks, told } = hooksWith(({ node, plan: given, attempt }) => {
    calls.push({ node, opId: given.opId, attempt });
  });
  await hooks.runStep('salvage', plan as never);
  expect(calls).toEqual([{ node: 'db1', opId: 'op', attempt: 1 }]);
  expect(told).toEqual([]);
});

test.each<[string, FailoverHooks['salvage'], RegExp]>([
  ['fails', () => Promise.reject(new Error('no route to host')), /failed: no route to host/],
  ['does not end', () => new Promise(() => undefined), /did not answer within 20 ms/],
])('one that %s is told, and the failover goes on', async (_what, salvage, message) => {
  const { hooks, told } = hooksWith(salvage);
  await hooks.runStep('salvage', plan as never);
  expect(told).toMatchObject([{ event: 'hook-failed', hook: 'salvage' }]);
  expect(String((told[0] as { error: Error }).error)).toMatch(message);
});

test('a change that is given up meanwhile waits for it no longer', async () => {
  const { hooks } = hooksWith(() => new Promise(() => undefined));
  const given = new AbortController();
  const running = hooks.runStep('salvage', plan as never, given.signal);
  given.abort(new Error('the locks are lost'));
  await expect(running).rejects.toThrow('the locks are lost');
});
