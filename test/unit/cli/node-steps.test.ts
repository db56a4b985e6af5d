/** The steps that a running gateway takes, with a store that answers as it is told. */
import { expect, test, vi } from 'vitest';
import { NodeSteps } from '../../../src/cli/node-steps.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import type { SessionStore } from '../../../src/session/session-store.js';

const AFTER = ['cache2', 'cache3:11212'];
const LIST = AFTER.join();
const DOWN = new StormlampError(ErrorCode.STORE_DOWN, 'cache1 came back empty');

/** `'for ever'`: until it is aborted. */
type Answer = Error | 'for ever' | undefined;

function stepsWith(...answers: readonly Answer[]) {
  const taken: unknown[] = [];
  const told: string[] = [];
  const left = [...answers];
  const setNodes = async (
    nodes: readonly string[],
    { step, signal }: { readonly step: string; readonly signal: AbortSignal },
  ): Promise<void> => {
    taken.push([nodes.join(), step]);
    const answer = left.shift();
    if (answer instanceof Error) throw answer;
    if (answer === 'for ever')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  const store = { setNodes, options: { recopyAfterMs: 30_000 } } as unknown as SessionStore;
  const steps = new NodeSteps(store, (line) => told.push(line), new AbortController().signal, 1);
  return { steps, taken, told };
}

test('it takes the steps that the others have taken before it serves', async () => {
  const taken = async (step: 'prepare' | 'switch' | 'finish' | 'cancel'): Promise<unknown[]> => {
    const fake = stepsWith();
    await fake.steps.catchUp({ nodes: AFTER, step });
    return fake.taken;
  };
  expect(await taken('prepare')).toEqual([[LIST, 'prepare']]);
  expect(await taken('switch')).toEqual([
    [LIST, 'prepare'],
    [LIST, 'switch'],
  ]);
  expect(await taken('finish')).toEqual([]);
  expect(await taken('cancel')).toEqual([]);
});

test('a gateway that is started while sessions may be on a silent node waits until that is given up', async () => {
  const { steps, taken, told } = stepsWith(undefined, DOWN, DOWN);
  await steps.catchUp({ nodes: AFTER, step: 'switch' });
  expect(taken.length).toBe(4);
  expect(told).toEqual([expect.stringContaining('has to wait before this serves: cache1 came back empty')]);
  // Or it is to be one of the nodes itself.
  const early = stepsWith(DOWN, DOWN);
  await early.steps.catchUp({ nodes: AFTER, step: 'prepare' });
  expect(early.taken.length).toBe(3);
  expect(early.told).toEqual([expect.stringContaining("step 'prepare' has to wait")]);
  const refused = stepsWith(undefined, new Error('out of turn'));
  await expect(refused.steps.catchUp({ nodes: AFTER, step: 'switch' })).rejects.toThrow('out of turn');
});

test('a step that is taken or refused is told, and a refused one harms nothing', async () => {
  const { steps, told } = stepsWith(undefined, new Error('out of turn'));
  for (let turn = 0; turn < 2; turn += 1) await steps.take({ nodes: AFTER, step: 'switch' });
  expect(told[0]).toBe("nodes: step 'switch' begins for cache2, cache3:11212");
  expect(told[1]).toBe("nodes: step 'switch' is taken for cache2, cache3:11212");
  expect(told[3]).toMatch(/^nodes: step 'switch' is not taken, .*out of turn/);
});

test('a step that lasts ends when the file names another one, and not when it names the same', async () => {
  const { steps, taken, told } = stepsWith('for ever');
  const switched = steps.take({ nodes: AFTER, step: 'switch' });
  const again = steps.take({ nodes: AFTER, step: 'switch' });
  await new Promise((resolve) => setImmediate(resolve));
  await steps.take({ nodes: AFTER, step: 'cancel' });
  await Promise.all([switched, again]);
  expect(taken).toEqual([
    [LIST, 'switch'],
    [LIST, 'cancel'],
  ]);
  expect(told).toEqual([
    "nodes: step 'switch' begins for cache2, cache3:11212",
    "nodes: step 'switch' is not taken, all goes on as it was: the file names another one now",
    "nodes: step 'cancel' is taken for cache2, cache3:11212",
  ]);
});

test('a gateway that catches up takes what its file names by then, before it serves', async () => {
  const { steps, taken } = stepsWith(undefined, 'for ever');
  const caughtUp = steps.catchUp({ nodes: AFTER, step: 'switch' });
  await new Promise((resolve) => setImmediate(resolve));
  void steps.take({ nodes: AFTER, step: 'cancel' });
  await caughtUp;
  expect(taken).toEqual([
    [LIST, 'prepare'],
    [LIST, 'switch'],
    [LIST, 'cancel'],
  ]);
});

test('the step that comes next waits for the one before it, which a process that left it out would never take', async () => {
  const taken: string[] = [];
  const told: string[] = [];
  let end: (() => void) | undefined;
  const setNodes = async (
    _nodes: readonly string[],
    { step, signal }: { readonly step: string; readonly signal: AbortSignal },
  ): Promise<void> => {
    if (step === 'switch')
      await new Promise<void>((resolve, reject) => {
        end = resolve;
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    taken.push(step);
  };
  const store = { setNodes, options: { recopyAfterMs: 30_000 } } as unknown as SessionStore;
  const steps = new NodeSteps(store, (line) => told.push(line), new AbortController().signal, 1);
  void steps.take({ nodes: AFTER, step: 'prepare' });
  void steps.take({ nodes: AFTER, step: 'switch' });
  const finished = steps.take({ nodes: AFTER, step: 'finish' });
  await vi.waitFor(() => expect(end).toBeDefined());
  end?.();
  await finished;
  expect(taken).toEqual(['prepare', 'switch', 'finish']);
  expect(told.filter((line) => line.includes('not taken'))).toEqual([]);
});

test('a gateway whose file names another list while it catches up does not serve by the first one', async () => {
  const { steps } = stepsWith(undefined, 'for ever', new Error('out of turn'));
  const caughtUp = steps.catchUp({ nodes: AFTER, step: 'switch' });
  await new Promise((resolve) => setImmediate(resolve));
  void steps.take({ nodes: ['cache9'], step: 'prepare' });
  await expect(caughtUp).rejects.toThrow('out of turn');
});

test('what calls the change off ends the step under way also when the next one waits for it already', async () => {
  const { steps, taken } = stepsWith('for ever');
  void steps.take({ nodes: AFTER, step: 'switch' });
  void steps.take({ nodes: AFTER, step: 'finish' });
  await new Promise((resolve) => setImmediate(resolve));
  await steps.take({ nodes: AFTER, step: 'cancel' });
  expect(taken).toEqual([
    [LIST, 'switch'],
    [LIST, 'cancel'],
  ]);
});
