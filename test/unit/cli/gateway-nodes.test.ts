import { expect, test } from 'vitest';
import { catchUp, sessionsBefore, takeStep } from '../../../src/cli/gateway-nodes.js';
import type { SessionStore } from '../../../src/session/session-store.js';

const BEFORE = ['cache1:11211', 'cache2'];
const AFTER = ['cache2', 'cache3:11212'];
const SESSIONS = {
  nodes: BEFORE,
  copies: 2,
  placement: { distribution: 'ketama_weighted', weights: [1, 2] },
  addressMap: { 'cache1:11211': '127.0.0.1:1', 'cache2:11211': '127.0.0.1:2' },
} as const;
const signal = new AbortController().signal;

function storeThat(...answers: readonly (Error | undefined)[]): {
  readonly store: SessionStore;
  readonly taken: unknown[];
} {
  const taken: unknown[] = [];
  const left = [...answers];
  const setNodes = async (nodes: readonly string[], options: { readonly step: string }): Promise<void> => {
    taken.push([nodes.join(), options.step]);
    const answer = left.shift();
    if (answer !== undefined) throw answer;
  };
  return { store: { setNodes } as unknown as SessionStore, taken };
}

test('a gateway begins with the old list, and after the change with the new one and what belongs to it', () => {
  for (const step of ['prepare', 'switch', 'cancel'] as const)
    expect(sessionsBefore(SESSIONS, { nodes: AFTER, step })).toBe(SESSIONS);
  expect(sessionsBefore(SESSIONS, undefined)).toBe(SESSIONS);
  const addressMap = { 'cache3:11212': '127.0.0.1:3' };
  expect(sessionsBefore(SESSIONS, { nodes: AFTER, step: 'finish', addressMap })).toEqual({
    nodes: AFTER,
    copies: 2,
    placement: { distribution: 'ketama_weighted' },
    addressMap: { 'cache2:11211': '127.0.0.1:2', 'cache3:11212': '127.0.0.1:3' },
  });
  expect(sessionsBefore(SESSIONS, { nodes: AFTER, step: 'finish', weights: [3, 4] })).toMatchObject({
    placement: { weights: [3, 4] },
  });
});

test('it takes the steps that the others have taken before it serves', async () => {
  const taken = async (step: 'prepare' | 'switch' | 'finish' | 'cancel'): Promise<unknown[]> => {
    const fake = storeThat();
    await catchUp(fake.store, { nodes: AFTER, step }, signal);
    return fake.taken;
  };
  expect(await taken('prepare')).toEqual([[AFTER.join(), 'prepare']]);
  expect(await taken('switch')).toEqual([
    [AFTER.join(), 'prepare'],
    [AFTER.join(), 'switch'],
  ]);
  expect(await taken('finish')).toEqual([]);
  expect(await taken('cancel')).toEqual([]);
});

test('a step that is taken or refused is told, and a refused one harms nothing', async () => {
  const told: string[] = [];
  const { store } = storeThat(undefined, new Error('out of turn'));
  for (let turn = 0; turn < 2; turn += 1)
    await takeStep(store, { nodes: AFTER, step: 'switch' }, signal, (line) => told.push(line));
  expect(told[0]).toBe("nodes: step 'switch' is taken for cache2, cache3:11212");
  expect(told[1]).toMatch(/^nodes: step 'switch' is not taken, .*out of turn/);
});
