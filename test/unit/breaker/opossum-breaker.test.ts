import CircuitBreaker from 'opossum';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  breakerDefaults,
  type NodeBreakerOptions,
  readBreakerPolicy,
} from '../../../src/breaker/breaker-options.js';
import { rotation } from '../../../src/breaker/breaker-pulse.js';
import type { BreakerChange, NodeBreaker } from '../../../src/breaker/node-breaker.js';
import { createNodeBreaker } from '../../../src/breaker/opossum-breaker.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';

const dead = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:3306'), { code: 'ECONNREFUSED' });
const duplicate = Object.assign(new Error('Duplicate entry'), { errno: 1062 });
const isNodeFault = (error: unknown): boolean => error !== duplicate;

const made: NodeBreaker[] = [];
function breaker(options: Partial<NodeBreakerOptions> = {}): NodeBreaker {
  const made1 = createNodeBreaker({ node: 'db1:3306', operation: 'read', isNodeFault, ...options });
  made.push(made1);
  return made1;
}
/** Lets opossum see what was settled: its counting takes a few turns of the microtask queue. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};
function fail(gate: NodeBreaker, times: number, error: unknown = dead): void {
  for (let n = 0; n < times; n += 1) gate.admit().failure(error);
}
const wait = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => {
  unhandled.push(error);
};

beforeEach(() => {
  vi.useFakeTimers();
  unhandled.length = 0;
  process.on('unhandledRejection', onUnhandled);
});
afterEach(async () => {
  for (const one of made.splice(0)) one.close();
  await settle();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
});

describe('opening', () => {
  test('three faults in a row open it and the refusal says why', () => {
    const gate = breaker();
    fail(gate, 2);
    expect(gate.allows).toBe(true);
    fail(gate, 1);
    expect(gate.allows).toBe(false);
    expect(gate.state).toMatchObject({ phase: 'open' });
    expect(() => gate.admit()).toThrow(
      expect.objectContaining({
        code: ErrorCode.BREAKER_OPEN,
        node: 'db1:3306',
        message: expect.stringContaining('3 calls in a row failed, the last with: connect ECONNREFUSED'),
      }),
    );
  });

  test('one success between faults starts the count again', () => {
    const gate = breaker();
    fail(gate, 2);
    gate.admit().success();
    fail(gate, 2);
    expect(gate.allows).toBe(true);
  });

  test('one failure alone never opens it (T1)', async () => {
    const gate = breaker();
    fail(gate, 1);
    await settle();
    expect(gate.allows).toBe(true);
  });

  test('errors that only a living server can send never open it (T4 the right way round)', async () => {
    const gate = breaker();
    fail(gate, 500, duplicate);
    await settle();
    expect(gate.allows).toBe(true);
  });

  test('an answered error ends a row of faults', () => {
    const gate = breaker();
    fail(gate, 2);
    fail(gate, 1, duplicate);
    fail(gate, 2);
    expect(gate.allows).toBe(true);
  });

  test('a caller who gives up counts neither for nor against the node', async () => {
    const gate = breaker();
    const gaveUp = new StormlampError(ErrorCode.ABORTED, 'aborted');
    fail(gate, 50, gaveUp);
    await settle();
    expect(gate.allows).toBe(true);
    fail(gate, 2);
    fail(gate, 1, gaveUp);
    fail(gate, 1);
    expect(gate.allows).toBe(false);
  });

  test('more than half of ten calls failing opens it although no three failed in a row', async () => {
    const gate = breaker();
    for (let n = 0; n < 4; n += 1) {
      fail(gate, 2);
      gate.admit().success();
      await settle();
    }
    expect(gate.allows).toBe(false);
    expect(gate.state).toMatchObject({ phase: 'open', reason: 'too many of the recent calls failed' });
  });

  test('callers who give up do not hold the share of failed calls down', async () => {
    const gate = breaker();
    for (let n = 0; n < 4; n += 1) {
      fail(gate, 2);
      fail(gate, 2, new StormlampError(ErrorCode.ABORTED, 'aborted'));
      gate.admit().success();
      await settle();
    }
    expect(gate.state).toMatchObject({ phase: 'open', reason: 'too many of the recent calls failed' });
  });

  test('faults older than the window are forgotten', async () => {
    const gate = breaker();
    for (let n = 0; n < 3; n += 1) {
      fail(gate, 2);
      gate.admit().success();
    }
    await settle();
    await wait(11_000);
    // Nine new calls are too few to judge by; with the old ones more than half would have failed.
    for (let n = 0; n < 4; n += 1) {
      fail(gate, 1);
      gate.admit().success();
    }
    gate.admit().success();
    await settle();
    expect(gate.allows).toBe(true);
  });

  test('a classifier that throws counts the error against the node and the call still settles (T5)', () => {
    const gate = breaker({
      isNodeFault: () => {
        throw new Error('bug');
      },
    });
    expect(() => fail(gate, 3)).not.toThrow();
    expect(gate.allows).toBe(false);
  });

  test('the last node that can serve is never ejected by its calls, but open() is obeyed', async () => {
    const gate = breaker({ canOpen: () => false });
    fail(gate, 100);
    await settle();
    expect(gate.allows).toBe(true);
    gate.open('verdict');
    expect(gate.allows).toBe(false);
  });

  test('the last node that could not be ejected is judged afresh when another one is back', async () => {
    let alone = true;
    const gate = breaker({ canOpen: () => !alone, consecutiveFailures: 1000 });
    fail(gate, 100);
    await settle();
    alone = false;
    for (let n = 0; n < 9; n += 1) gate.admit().success();
    await settle();
    expect(gate.allows).toBe(true);
    fail(gate, 10);
    await settle();
    expect(gate.allows).toBe(false);
  });

  test('three failed probes in a row open it without any traffic', () => {
    const gate = breaker();
    gate.probed({ ok: false, error: dead });
    gate.probed({ ok: false, error: dead });
    gate.probed({ ok: true });
    gate.probed({ ok: false, error: dead });
    gate.probed({ ok: false, error: dead });
    expect(gate.allows).toBe(true);
    gate.probed({ ok: false, error: dead });
    expect(gate.state).toMatchObject({ phase: 'open', reason: expect.stringContaining('3 probes in a row') });
  });

  test('good probes do not hide that the calls of users fail', () => {
    const gate = breaker();
    for (let n = 0; n < 3; n += 1) {
      fail(gate, 1);
      gate.probed({ ok: true });
    }
    expect(gate.allows).toBe(false);
  });

  test('a ticket counts once, whatever is called on it later', () => {
    const gate = breaker();
    const ticket = gate.admit();
    for (let n = 0; n < 5; n += 1) ticket.failure(dead);
    ticket.success();
    fail(gate, 1);
    expect(gate.allows).toBe(true);
    fail(gate, 1);
    expect(gate.allows).toBe(false);
  });
});

describe('closing', () => {
  test('two good probes after the wait close it, user calls never try (T11, T22)', async () => {
    const gate = breaker();
    gate.open('test');
    await wait(3_600_000);
    expect(() => gate.admit()).toThrow();
    gate.probed({ ok: true });
    expect(gate.state).toMatchObject({ phase: 'half-open', successes: 1 });
    expect(() => gate.admit()).toThrow(/half-open/);
    gate.probed({ ok: true });
    expect(gate.state).toEqual({ phase: 'closed' });
    gate.admit().success();
  });

  test('probes that succeed at once do not close it: the node was just as good when it failed', async () => {
    const gate = breaker();
    gate.open('test');
    gate.probed({ ok: true });
    gate.probed({ ok: true });
    expect(gate.state.phase).toBe('open');
    await wait(500);
    gate.probed({ ok: true });
    gate.probed({ ok: true });
    expect(gate.state.phase).toBe('closed');
  });

  test('a failed probe sends a half-open breaker back to open', async () => {
    const gate = breaker();
    gate.open('test');
    await wait(500);
    gate.probed({ ok: true });
    gate.probed({ ok: false, error: dead });
    expect(gate.state.phase).toBe('open');
    gate.probed({ ok: true });
    expect(gate.state).toMatchObject({ phase: 'half-open', successes: 1 });
  });

  test('an opening soon after a closing waits longer each time, up to the bound', async () => {
    const gate = breaker();
    const waits: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      gate.open('test');
      const state = gate.state;
      if (state.phase === 'open') waits.push(state.nextProbeAt - state.since);
      await wait(30_000);
      gate.probed({ ok: true });
      gate.probed({ ok: true });
      expect(gate.state.phase).toBe('closed');
    }
    expect(waits[0]).toBeLessThanOrEqual(500);
    expect(waits[5]).toBeGreaterThan(7_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_000);
  });

  test('a result of a call from before the opening changes nothing afterwards (T15)', async () => {
    const gate = breaker();
    const early = Array.from({ length: 20 }, () => gate.admit());
    gate.open('test');
    await wait(500);
    gate.probed({ ok: true });
    early[0]?.success();
    await settle();
    expect(gate.state).toMatchObject({ phase: 'half-open', successes: 1 });
    gate.probed({ ok: true });
    for (const ticket of early.slice(1)) ticket.failure(dead);
    await settle();
    expect(gate.state.phase).toBe('closed');
  });

  test('the window starts empty after closing (T16)', async () => {
    const gate = breaker();
    for (let n = 0; n < 4; n += 1) {
      fail(gate, 2);
      gate.admit().success();
      await settle();
    }
    expect(gate.state.phase).toBe('open');
    await wait(600);
    gate.probed({ ok: true });
    gate.probed({ ok: true });
    for (let n = 0; n < 3; n += 1) {
      fail(gate, 1);
      gate.admit().success();
      gate.admit().success();
      await settle();
    }
    expect(gate.state.phase).toBe('closed');
  });

  test('calls that went well count in the rate although opossum is told of them only with the next failure or second', async () => {
    // No more than half of the calls fail, before and after the window moved on.
    const well = breaker({ volumeThreshold: 10 });
    for (let second = 0; second < 3; second += 1) {
      for (let n = 0; n < 20; n += 1) {
        well.admit().success();
        fail(well, 1);
        await settle();
      }
      await wait(1_000);
    }
    expect(well.allows).toBe(true);
    fail(well, 1);
    await settle();
    expect(well.allows).toBe(false);
  });

  test('refused calls do not dilute the error rate (T17)', async () => {
    const gate = breaker({ consecutiveFailures: 1000 });
    gate.open('test');
    for (let n = 0; n < 1000; n += 1) expect(() => gate.admit()).toThrow();
    await wait(500);
    gate.probed({ ok: true });
    gate.probed({ ok: true });
    fail(gate, 10);
    await settle();
    expect(gate.state.phase).toBe('open');
  });

  test('it never becomes half-open by itself, even after a month (T13)', async () => {
    const gate = breaker();
    gate.open('test');
    vi.setSystemTime(Date.now() + 2_147_483_647);
    await wait(60_000);
    expect(gate.state.phase).toBe('open');
  });
});

describe('isolation', () => {
  test('no traffic and no probe undoes it, only the release (T22)', async () => {
    const gate = breaker();
    const release = gate.isolate('maintenance');
    for (let n = 0; n < 10; n += 1) {
      await wait(10_000);
      gate.probed({ ok: true });
    }
    expect(gate.allows).toBe(false);
    expect(gate.state).toMatchObject({ phase: 'isolated', reason: 'maintenance' });
    expect(() => gate.admit()).toThrow(/isolated .*maintenance/);
    release();
    release();
    expect(gate.allows).toBe(true);
  });

  test('every holder must release it', () => {
    const gate = breaker();
    const first = gate.isolate('one');
    const second = gate.isolate('two');
    first();
    expect(gate.state).toMatchObject({ phase: 'isolated', reason: 'two' });
    second();
    expect(gate.state.phase).toBe('closed');
  });

  test('probes keep working behind it: a node that died meanwhile is open when released', () => {
    const gate = breaker();
    const release = gate.isolate('maintenance');
    for (let n = 0; n < 3; n += 1) gate.probed({ ok: false, error: dead });
    release();
    expect(gate.state.phase).toBe('open');
  });
});

describe('harmlessness', () => {
  test('every change of phase is told once, with before and after', async () => {
    const changes: BreakerChange[] = [];
    const gate = breaker({ onChange: (change) => changes.push(change) });
    fail(gate, 5 - 2);
    await wait(500);
    gate.probed({ ok: true });
    gate.probed({ ok: true });
    gate.isolate('m')();
    expect(changes.map(({ before, after }) => `${before.phase}>${after.phase}`)).toEqual([
      'closed>open',
      'open>half-open',
      'half-open>closed',
      'closed>isolated',
      'isolated>closed',
    ]);
    expect(changes[0]).toMatchObject({ node: 'db1:3306', operation: 'read' });
  });

  test('a listener that throws harms no caller (T6)', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const gate = breaker({
      onChange: () => {
        throw new Error('bug in a listener');
      },
    });
    expect(() => fail(gate, 3)).not.toThrow();
    expect(gate.allows).toBe(false);
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
  });

  test('a canOpen that throws does not keep a dead node in', () => {
    const gate = breaker({
      canOpen: () => {
        throw new Error('bug');
      },
    });
    fail(gate, 3);
    expect(gate.allows).toBe(false);
  });

  test('a call that nobody settles counts as a fault after the backstop (T2)', async () => {
    const gate = breaker({ callTimeoutMs: 2_000 });
    const forgotten = [gate.admit(), gate.admit(), gate.admit()];
    await wait(5_000);
    expect(gate.state).toMatchObject({
      phase: 'open',
      reason: expect.stringContaining('not settled within'),
    });
    for (const ticket of forgotten) ticket.success();
    expect(gate.state.phase).toBe('open');
  });

  test('the backstop does not ask the classifier: silence is no answer', async () => {
    const gate = breaker({ callTimeoutMs: 2_000, isNodeFault: () => false });
    for (let n = 0; n < 3; n += 1) gate.admit();
    await wait(5_000);
    expect(gate.state.phase).toBe('open');
  });

  test('a stall of this process is not held against the node (T27)', async () => {
    const gate = breaker({ callTimeoutMs: 2_000 });
    const tickets = [gate.admit(), gate.admit(), gate.admit()];
    // The monotonic clock runs on while no timer fires: what a long synchronous task does.
    const stalled = performance.now() + 30_000;
    const now = vi.spyOn(performance, 'now').mockReturnValue(stalled);
    await wait(1_000);
    expect(gate.allows).toBe(true);
    for (const ticket of tickets) ticket.success();
    now.mockRestore();
    expect(gate.allows).toBe(true);
  });

  test('a settled call leaves no timer and many breakers share one (T20, T21)', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const gates = Array.from({ length: 40 }, (_, n) => breaker({ node: `db${n}:3306` }));
    for (const gate of gates) gate.admit().success();
    await settle();
    expect(vi.getTimerCount()).toBe(1);
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });

  test('an open breaker holds no timer of its own', () => {
    const gate = breaker();
    gate.open('test');
    expect(vi.getTimerCount()).toBe(1);
  });

  test('a breaker does not share state with another made from the same options object (T9)', () => {
    const options: NodeBreakerOptions = Object.freeze({ node: 'a', operation: 'read', isNodeFault });
    const [a, b] = [createNodeBreaker(options), createNodeBreaker(options)];
    made.push(a, b);
    fail(a, 3);
    expect([a.allows, b.allows]).toEqual([false, true]);
  });

  test('after close() calls go through uncounted and nothing is reported (T10)', async () => {
    const changes: BreakerChange[] = [];
    const gate = breaker({ onChange: (change) => changes.push(change) });
    const early = gate.admit();
    gate.close();
    gate.close();
    early.failure(dead);
    fail(gate, 100);
    gate.open('late');
    gate.probed({ ok: false, error: dead });
    await settle();
    expect(gate.allows).toBe(true);
    expect(changes).toEqual([]);
  });

  test('memory for latencies is given back every second (T18)', async () => {
    const fired = vi.spyOn(CircuitBreaker.prototype, 'fire');
    const gate = breaker();
    for (let n = 0; n < 1000; n += 1) {
      gate.admit().success();
      if (n % 4 === 0) fail(gate, 1);
    }
    await settle();
    const { window } = (fired.mock.contexts[0] as CircuitBreaker).status;
    const kept = (): number => window.reduce((sum, { latencyTimes }) => sum + latencyTimes.length, 0);
    expect(kept()).toBe(250);
    await wait(1_000);
    expect(kept()).toBe(0);
    fired.mockRestore();
  });

  test('nothing of opossum is in use that leads to T2, T3, T8, T13, T14, T19, T23 or T25', () => {
    const fired = vi.spyOn(CircuitBreaker.prototype, 'fire');
    fail(breaker(), 1);
    const { options } = fired.mock.contexts[0] as unknown as { options: Record<string, unknown> };
    fired.mockRestore();
    expect(options).toMatchObject({
      timeout: false,
      resetTimeout: 2_147_483_647,
      coalesce: false,
      capacity: Number.MAX_SAFE_INTEGER,
      enableSnapshots: false,
      rollingPercentilesEnabled: false,
    });
    for (const name of [
      'abortController',
      'autoRenewAbortController',
      'cache',
      'state',
      'status',
      'allowWarmUp',
    ]) {
      expect(options[name], name).toBeUndefined();
    }
  });

  test('opossum never runs a health check of its own (T10, T12)', async () => {
    const checked = vi.spyOn(
      CircuitBreaker.prototype as unknown as { healthCheck: () => void },
      'healthCheck',
    );
    const gate = breaker();
    fail(gate, 3);
    await wait(60_000);
    expect(checked).not.toHaveBeenCalled();
    checked.mockRestore();
  });

  test('a call that is under way holds no timer (T21, T24)', () => {
    const gate = breaker();
    for (let n = 0; n < 100; n += 1) gate.admit();
    expect(vi.getTimerCount()).toBe(1);
  });

  test('openings and closings leave nothing behind (T20)', async () => {
    const before = rotation.listenerCount('rotate');
    const gate = breaker();
    for (let round = 0; round < 20; round += 1) {
      fail(gate, 3);
      await wait(30_000);
      gate.probed({ ok: true });
      gate.probed({ ok: true });
      expect(gate.allows).toBe(true);
    }
    expect(rotation.listenerCount('rotate')).toBe(before + 1);
    gate.close();
    expect(rotation.listenerCount('rotate')).toBe(before);
  });
});

describe('options', () => {
  test('an unknown option is named', () => {
    expect(() => breaker({ consecutiveFailure: 3 } as never)).toThrow(/did you mean `consecutiveFailures`/);
  });

  test('the defaults are those that the options name', () => {
    expect(breakerDefaults).toEqual({
      consecutiveFailures: 3,
      errorThresholdPercentage: 50,
      volumeThreshold: 10,
      windowMs: 10_000,
      callTimeoutMs: 60_000,
      probeBackoff: { firstMs: 500, maxMs: 30_000 },
      closeAfterSuccesses: 2,
    });
    expect(readBreakerPolicy({ node: 'a', operation: 'get', isNodeFault })).toEqual(breakerDefaults);
  });

  test('a volume threshold that would let one failure open it is refused (T1)', () => {
    expect(() => breaker({ volumeThreshold: 0 })).toThrow(/breaker.volumeThreshold/);
  });
});
