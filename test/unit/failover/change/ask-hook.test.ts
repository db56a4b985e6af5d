import { getEventListeners } from 'node:events';
import { expect, test, vi } from 'vitest';
import { systemClock } from '../../../../src/common/clock.js';
import { askHook, type HookLimits } from '../../../../src/failover/change/ask-hook.js';

const limits = (more: Partial<HookLimits> = {}): HookLimits => ({
  timeoutMs: 10_000,
  onTimeout: 'veto',
  signal: new AbortController().signal,
  ...more,
});
const ask = (hook: Parameters<typeof askHook>[1], more: Partial<HookLimits> = {}, name = 'beforeFailover') =>
  askHook(name, hook, limits(more), systemClock);

test.each([
  ['nothing', undefined, 'allow'],
  ['allow', 'allow', 'allow'],
  ['a veto', { veto: 'no' }, { veto: 'no' }],
  ['a delay', { delayMs: 5 }, { delayMs: 5 }],
])('%s is what it says', async (_, answer, verdict) => {
  expect(await ask(() => answer)).toEqual(verdict);
});

test.each([
  ['nothing', undefined, { veto: "hook 'approve' answered nothing, and only 'allow' means yes" }],
  ['null', null, { veto: expect.stringContaining('neither') }],
  ['true', true, { veto: expect.stringContaining('neither') }],
  ['allow', 'allow', 'allow'],
  ['a veto', { veto: 'no' }, { veto: 'no' }],
])('whoever shall approve says yes in so many words: %s', async (_, answer, verdict) => {
  expect(await ask(() => answer, {}, 'approve')).toEqual(verdict);
});

test('what is no answer is a veto', async () => {
  expect(await ask(() => true)).toMatchObject({ veto: expect.stringContaining('neither') });
});

test('an exception is a veto that says why', async () => {
  const thrown = await ask(() => {
    throw new Error('no electricity');
  });
  expect(thrown).toMatchObject({ veto: expect.stringContaining('no electricity') });
});

test('what a database answered the hook is told by its number: its text quotes values', async () => {
  const answer = Object.assign(new Error("Duplicate entry 'ada@example.com' for key 'email'"), {
    errno: 1062,
    sqlState: '23000',
  });
  const failing = (error: Error) => ask(() => Promise.reject(error));
  const told = { veto: "hook 'beforeFailover' failed: error 1062 of the server (23000)" };
  expect(await failing(answer)).toEqual(told);
  expect(await failing(new Error(`Not written: ${answer.message}`, { cause: answer }))).toEqual({
    veto: "hook 'beforeFailover' failed: Not written: error 1062 of the server (23000)",
  });
});

test('silence is a veto, and the hook is told that its time is over', async () => {
  let signal: AbortSignal | undefined;
  const verdict = await ask(
    (frame) => {
      signal = frame.signal;
      return new Promise(() => {});
    },
    { timeoutMs: 5 },
  );
  expect(verdict).toMatchObject({ veto: expect.stringContaining('5 ms') });
  expect(signal?.aborted).toBe(true);
});

test('silence may mean to go on', async () => {
  expect(await ask(() => new Promise(() => {}), { timeoutMs: 5, onTimeout: 'continue' })).toBe('allow');
});

test('a manager that closes waits for no hook', async () => {
  const closing = new AbortController();
  const asked = ask(() => new Promise(() => {}), { signal: closing.signal });
  closing.abort();
  expect(await asked).toMatchObject({ veto: expect.stringContaining('closes') });
});

test('one that has answered is told nothing later, and nothing is left of it', async () => {
  vi.useFakeTimers();
  try {
    const closing = new AbortController();
    let given: AbortSignal | undefined;
    const hook: Parameters<typeof askHook>[1] = ({ signal }) => {
      given = signal;
    };
    await ask(hook, { timeoutMs: 50, signal: closing.signal });
    expect([vi.getTimerCount(), getEventListeners(closing.signal, 'abort').length]).toEqual([0, 0]);
    await vi.advanceTimersByTimeAsync(100);
    closing.abort();
    expect(given?.aborted).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});
