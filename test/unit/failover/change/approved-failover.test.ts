/** Mode `approve`: nothing is done before the hook has said yes to the plan, nor after it when the primary is back. */
import { beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../../src/common/clock.js';
import type { Verdict } from '../../../../src/failover/change/ask-hook.js';
import { ChangeHooks } from '../../../../src/failover/change/change-hooks.js';
import { FailoverControl } from '../../../../src/failover/change/failover-control.js';
import type { ChangeInHand, FailoverHooks } from '../../../../src/failover/failover-hooks.js';
import type { FailoverPlan } from '../../../../src/failover/plan/failover-plan.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const surveys = [madeUp('db2', { source }), madeUp('db3', { source })];
const made: FailoverPlan[] = [];
const failed: string[] = [];
let isBack = false;
beforeEach(() => {
  made.length = 0;
  failed.length = 0;
  isBack = false;
});

/** A control of a process that finds db1 dead, and whose hook is `approve`. */
function controlWith(approve: FailoverHooks['approve'], mode = 'approve'): FailoverControl {
  const hooks = new ChangeHooks(
    {
      hooks: { approve },
      policy: { timeoutMs: { approve: 50 } },
      clock: systemClock,
      record: () => undefined,
      publish: (_: string, { error }: { error: Error }) => void failed.push(error.message),
      primary: () => undefined,
      voters: [],
    } as unknown as ConstructorParameters<typeof ChangeHooks>[0],
    new AbortController().signal,
  );
  const control = {
    hooks,
    surveyFrom: async () => ({ nodes: new Map(surveys.map((each) => [each.node, each])), silent: new Map() }),
    context: async () => madeUpContext(surveys),
    make: async (plan: FailoverPlan) => {
      made.push(plan);
      return { ok: true, plan };
    },
    unheard: () => undefined,
  };
  const parts = {
    mode,
    options: { leaseMs: 100, maxLoss: 'any', blockMs: 0 },
    voters: ['db1', 'db2', 'db3'].map((id) => ({ id, kind: 'data', address: { host: id, port: 3306 } })),
    control,
    meta: { rights: async () => ({ pauses: [], known: [], made: [] }) },
    memory: { of: () => undefined },
    seen: () => 'db1',
    count: () => ({ total: 3, reachable: 2, unasked: 0, votedFor: null }),
    verdict: () => ({
      tilted: false,
      failover: isBack ? { warranted: false, because: 'db1 answers' } : { warranted: true, because: '' },
      failure: 'dead-primary',
    }),
    strangers: () => [],
    down: () => new Set<string>(),
  };
  return new FailoverControl(parts as unknown as ConstructorParameters<typeof FailoverControl>[0]);
}

test('the hook is asked once, with the plan that is made when it agrees', async () => {
  const asked: ChangeInHand[] = [];
  await controlWith((change) => {
    asked.push(change);
    expect(made).toEqual([]);
    return 'allow';
  }).makeByItself();
  expect(asked).toMatchObject([{ attempt: 1, plan: { kind: 'failover', from: 'db1', to: 'db2' } }]);
  expect(asked[0]?.plan.steps.length).toBeGreaterThan(5);
  expect(made).toEqual([asked[0]?.plan]);
});

const allow: Verdict = 'allow';
test.each<[string, FailoverHooks['approve'], RegExp, boolean]>([
  ['refuses', () => ({ veto: 'not at night' }), /Not approved: not at night/, false],
  [
    'throws',
    () => {
      throw new Error('the pager is dead');
    },
    /Not approved: hook 'approve' failed: .*the pager is dead/,
    true,
  ],
  ['answers nothing', () => undefined as never, /Not approved: .*only 'allow' means yes/, true],
  [
    'answers too late',
    async ({ signal }) => {
      await new Promise((done) => signal.addEventListener('abort', done, { once: true }));
      return allow;
    },
    /Not approved: hook 'approve' did not answer within 50 ms/,
    true,
  ],
  [
    'agrees when the primary is back',
    () => {
      isBack = true;
      return 'allow';
    },
    /^db1 answers$/,
    false,
  ],
])('nothing is done when the hook %s', async (_, approve, why, isTold) => {
  await expect(controlWith(approve).makeByItself()).rejects.toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message: expect.stringMatching(why),
  });
  expect(made).toEqual([]);
  expect(failed).toHaveLength(isTold ? 1 : 0);
});

test('a hook that wants a delay is asked again', async () => {
  const attempts: number[] = [];
  await controlWith(({ attempt }) => {
    attempts.push(attempt);
    return attempt < 3 ? { delayMs: 1 } : 'allow';
  }).makeByItself();
  expect(attempts).toEqual([1, 2, 3]);
  expect(made).toHaveLength(1);
});

test('in mode `auto` nobody is asked', async () => {
  await controlWith(() => ({ veto: 'never' }), 'auto').makeByItself();
  expect(made).toHaveLength(1);
});
