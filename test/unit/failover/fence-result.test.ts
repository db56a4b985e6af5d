import { describe, expect, test } from 'vitest';
import { ChangeHooks } from '../../../src/failover/change/change-hooks.js';
import { fenceResultOf } from '../../../src/failover/fence-result.js';
import type { FailoverPlan } from '../../../src/failover/plan/failover-plan.js';
import { mountResource } from '../../../src/failover/resources/mount-resource.js';

const PROVES_NOTHING: readonly unknown[] = [
  { state: 'fenced' },
  { state: 'fenced', proof: ' ' },
  { state: 'fenced', proof: 1 },
  { state: 'failed' },
  { state: 'unknown', detail: '' },
  { state: 'Fenced', proof: 'off' },
  true,
  'fenced',
  null,
  undefined,
];

describe('the hook of a failover', () => {
  /** What became of the step `fence` when the hook answers so. */
  async function fence(answer: unknown): Promise<string> {
    const hooks = new ChangeHooks(
      {
        hooks: { fence: () => answer },
        policy: {},
        clock: { now: () => 0, wall: () => 0 },
        record: () => {},
        publish: () => {},
        primary: () => undefined,
        voters: [],
        options: { cluster: 'c' },
      } as unknown as ConstructorParameters<typeof ChangeHooks>[0],
      new AbortController().signal,
    );
    const plan = { opId: 'op', from: 'db1' } as FailoverPlan;
    return await hooks.runStep('fence', plan).then(
      () => 'goes on',
      (error: Error) => error.message,
    );
  }

  test('lets it go on with a proof only', async () => {
    expect(await fence({ state: 'fenced', proof: 'outlet 2 is off' })).toBe('goes on');
    for (const answer of PROVES_NOTHING) {
      const said = await fence(answer);
      expect(said, JSON.stringify(answer)).toMatch(/^db1 could not be fenced: it /);
      expect(said).not.toMatch(/undefined/);
    }
    expect(await fence({ state: 'fenced' })).toMatch(/without a `proof`/);
    expect(await fence({ state: 'failed', detail: 'no answer' })).toBe('db1 could not be fenced: no answer');
  });
});

test('nothing is mounted without a proof', async () => {
  for (const answer of PROVES_NOTHING) {
    const ran: string[] = [];
    const mount = mountResource({
      source: '/dev/x',
      path: '/nowhere',
      type: 'ext4',
      fence: async () => answer as never,
      run: async (program) => {
        ran.push(program);
        return { code: 0, stdout: '', stderr: '' };
      },
    });
    const context = { name: 'data', until: () => 1, signal: new AbortController().signal, report: () => {} };
    await expect(mount.acquired(context), JSON.stringify(answer)).rejects.toThrow(
      /\/dev\/x is not mounted: fencing ended as '(failed|unknown)'/,
    );
    expect(ran).toEqual([]);
  }
});

test('an answer that says how it ended is taken as it is', () => {
  for (const answer of [
    { state: 'fenced', proof: 'off' },
    { state: 'failed', detail: 'no' },
    { state: 'unknown', detail: 'late' },
  ])
    expect(fenceResultOf(answer)).toEqual(answer);
});
