/** A breaker that opens and closes ten thousand times leaves no timer, no listener and no memory behind. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { rotation } from '../../src/breaker/breaker-pulse.js';
import { createNodeBreaker } from '../../src/breaker/opossum-breaker.js';

const ROUNDS = Number(process.env['STORMLAMP_CHAOS_OPERATIONS'] ?? 10_000);
/** More than a closing waits for at most. */
const LONG_MS = 30_000;

beforeAll(() => {
  vi.useFakeTimers();
});
afterAll(() => {
  vi.useRealTimers();
});

test(`${ROUNDS} times open and closed`, async () => {
  const listeners = rotation.listenerCount('rotate');
  const gate = createNodeBreaker({ node: 'db1:3306', operation: 'read', isNodeFault: () => true });
  const heapMb: number[] = [];
  const timers: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let n = 0; n < 3; n += 1) gate.admit().failure(new Error('gone'));
    expect(gate.allows).toBe(false);
    await vi.advanceTimersByTimeAsync(LONG_MS);
    for (let n = 0; n < 2; n += 1) gate.probed({ ok: true });
    expect(gate.allows).toBe(true);
    if (round % Math.ceil(ROUNDS / 20) !== 0) continue;
    heapMb.push(process.memoryUsage().heapUsed / 1e6);
    timers.push(vi.getTimerCount());
  }
  console.log({ heapMb: heapMb.map(Math.round), timers });
  expect(rotation.listenerCount('rotate')).toBe(listeners + 1);
  expect(timers.at(-1)).toBe(timers[1]);
  // The least of each half: what the garbage collector had just left.
  const half = heapMb.length / 2;
  expect(Math.min(...heapMb.slice(half))).toBeLessThan(Math.min(...heapMb.slice(1, half)) + 10);
  gate.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(rotation.listenerCount('rotate')).toBe(listeners);
});
