/**
 * The traps of opossum (T1 to T27; there is no T26): each is first sprung on opossum itself, so that the test means something,
 * and then shown to be out of reach through our breaker.
 */
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { rotation } from '../../../src/breaker/breaker-pulse.js';
import type { NodeBreaker } from '../../../src/breaker/node-breaker.js';
import { createNodeBreaker } from '../../../src/breaker/opossum-breaker.js';

/** As much of opossum as its traps need. */
interface Raw {
  fire(...args: unknown[]): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): this;
  open(): void;
  close(): void;
  disable(): void;
  shutdown(): void;
  healthCheck(check: () => unknown, intervalMs?: number): void;
  getSignal(): AbortSignal;
  toJSON(): { readonly state: { readonly lastTimerAt: unknown } };
  readonly opened: boolean;
  readonly closed: boolean;
  readonly halfOpen: boolean;
  readonly stats: { readonly fires: number; readonly failures: number };
  readonly status: { readonly window: readonly { readonly latencyTimes: number[] }[] };
}
const Opossum = createRequire(import.meta.url)('opossum') as new (
  action: (...args: never[]) => unknown,
  options?: Record<string, unknown>,
) => Raw;

const dead = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const duplicate = Object.assign(new Error('Duplicate entry'), { errno: 1062 });
const never = (): Promise<never> => new Promise(() => undefined);
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};
const wait = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

const raws: Raw[] = [];
function raw(action: (...args: never[]) => unknown, options: Record<string, unknown> = {}): Raw {
  const one = new Opossum(action, options);
  raws.push(one);
  return one;
}
const ours: NodeBreaker[] = [];
function breaker(options: Partial<Parameters<typeof createNodeBreaker>[0]> = {}): NodeBreaker {
  const isNodeFault = (error: unknown): boolean => error !== duplicate;
  const one = createNodeBreaker({ node: 'db1', operation: 'read', isNodeFault, ...options });
  ours.push(one);
  return one;
}
const fail = (gate: NodeBreaker, times: number, error: unknown = dead): void => {
  for (let n = 0; n < times; n += 1) gate.admit().failure(error);
};
async function recover(gate: NodeBreaker): Promise<void> {
  await wait(30_000);
  gate.probed({ ok: true });
  gate.probed({ ok: true });
}

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
  for (const one of raws.splice(0)) one.shutdown();
  for (const one of ours.splice(0)) one.close();
  await settle();
  vi.clearAllTimers();
  vi.useRealTimers();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', onUnhandled);
});

describe('opossum alone, and behind our breaker', () => {
  test('T1: one failure opens it', async () => {
    const one = raw(() => Promise.reject(dead));
    await one.fire().catch(() => undefined);
    expect(one.opened).toBe(true);
    const gate = breaker();
    fail(gate, 1);
    await settle();
    expect(gate.allows).toBe(true);
  });

  test('T2: without a timeout a half-open call that never ends shuts it for ever', async () => {
    const one = raw(never, { timeout: false, resetTimeout: 100 });
    one.open();
    await wait(100);
    one.fire().catch(() => undefined);
    await wait(3_600_000);
    await expect(one.fire()).rejects.toMatchObject({ code: 'EOPENBREAKER' });
    const gate = breaker();
    gate.open('test');
    await recover(gate);
    // A call that nobody ever settles.
    gate.admit();
    await wait(3_600_000);
    expect(gate.allows).toBe(true);
  });

  test('T3: one timeout aborts all calls, the later ones too', async () => {
    const one = raw(never, { abortController: new AbortController(), timeout: 50, volumeThreshold: 100 });
    one.fire().catch(() => undefined);
    await wait(60);
    expect(one.getSignal().aborted).toBe(true);
    // Our calls hold no signal of the breaker: a ticket can be settled and nothing else.
    const gate = breaker({ callTimeoutMs: 1_000 });
    gate.admit();
    await wait(3_000);
    expect(Object.keys(gate.admit())).not.toContain('signal');
    expect(gate.allows).toBe(true);
  });

  test('T4: an error that its filter lets pass closes a half-open breaker by a call of a user', async () => {
    const one = raw(() => Promise.reject(duplicate), { errorFilter: () => true, resetTimeout: 100 });
    one.open();
    await wait(100);
    await one.fire().catch(() => undefined);
    expect(one.closed).toBe(true);
    const gate = breaker();
    gate.open('test');
    await wait(3_600_000);
    expect(() => gate.admit()).toThrow(/open for/);
    // A probe that is answered with such an error closes it: the node is alive.
    gate.probed({ ok: false, error: duplicate });
    gate.probed({ ok: false, error: duplicate });
    expect(gate.allows).toBe(true);
  });

  test('T5: a filter that throws leaves the call unsettled', async () => {
    const one = raw(() => Promise.reject(dead), {
      errorFilter: () => {
        throw new Error('bug');
      },
    });
    let settled = false;
    one.fire().then(
      () => {
        settled = true;
      },
      () => {
        settled = true;
      },
    );
    await wait(60_000);
    expect(settled).toBe(false);
    const gate = breaker({
      isNodeFault: () => {
        throw new Error('bug');
      },
    });
    expect(() => fail(gate, 3)).not.toThrow();
    expect(gate.allows).toBe(false);
  });

  test('T6: a listener that throws turns a success into a failure', async () => {
    const one = raw(() => Promise.resolve('committed'));
    one.on('success', () => {
      throw new Error('bug in a metric');
    });
    await expect(one.fire()).rejects.toThrow('bug in a metric');
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const gate = breaker({
      onChange: () => {
        throw new Error('bug in a metric');
      },
    });
    expect(() => fail(gate, 3)).not.toThrow();
    await recover(gate);
    expect(() => gate.admit().success()).not.toThrow();
    warned.mockRestore();
  });

  test('T7: an action that gives no promise is a failure', async () => {
    const one = raw(() => undefined);
    await expect(one.fire()).rejects.toThrow(TypeError);
    // Our calls run outside of it: what they return is never looked at.
    const gate = breaker();
    for (let n = 0; n < 50; n += 1) gate.admit().success();
    await settle();
    expect(gate.allows).toBe(true);
  });

  test('T8: coalescing keeps results, errors too', async () => {
    let calls = 0;
    const one = raw(() => Promise.resolve(++calls), { coalesce: true });
    expect([await one.fire(), await one.fire()]).toEqual([1, 1]);
    const gate = breaker();
    const tickets = [gate.admit(), gate.admit()];
    expect(tickets[0]).not.toBe(tickets[1]);
  });

  test('T9: two breakers of one options object share what is kept', async () => {
    const options = { coalesce: true };
    const primary = raw(() => Promise.resolve('primary'), options);
    const replica = raw(() => Promise.resolve('replica'), options);
    await primary.fire();
    expect(await replica.fire()).toBe('primary');
    const shared = Object.freeze({ node: 'a', operation: 'read' as const, isNodeFault: () => true });
    const [a, b] = [createNodeBreaker(shared), createNodeBreaker(shared)];
    ours.push(a, b);
    fail(a, 3);
    expect([a.allows, b.allows]).toEqual([false, true]);
  });

  test('T10: its health check goes on after the end', async () => {
    let checks = 0;
    const one = raw(() => Promise.resolve());
    one.healthCheck(() => {
      checks += 1;
      return Promise.resolve();
    }, 100);
    one.shutdown();
    await wait(1_000);
    expect(checks).toBeGreaterThan(5);
    const gate = breaker();
    gate.close();
    for (let n = 0; n < 10; n += 1) gate.probed({ ok: false, error: dead });
    expect(gate.state).toEqual({ phase: 'closed' });
  });

  test('T11: it becomes half-open by itself although the node is known to be down', async () => {
    const one = raw(() => Promise.resolve(), { resetTimeout: 100 });
    one.open();
    await wait(100);
    await one.fire();
    expect(one.closed).toBe(true);
    const gate = breaker();
    fail(gate, 3);
    for (let n = 0; n < 60; n += 1) {
      await wait(60_000);
      gate.probed({ ok: false, error: dead });
    }
    expect(gate.allows).toBe(false);
    expect(gate.state.phase).toBe('open');
  });

  test('T12: a health check that gives no promise throws out of a timer', () => {
    const one = raw(() => Promise.resolve());
    expect(() => one.healthCheck(() => 1, 100)).toThrow(TypeError);
    const gate = breaker();
    expect(() => gate.probed({ ok: false, error: undefined })).not.toThrow();
    expect(() => gate.probed({ ok: false, error: null })).not.toThrow();
  });

  test('T13: waiting for ever means one millisecond', async () => {
    vi.useRealTimers();
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const one = raw(() => Promise.resolve(), { resetTimeout: Number.POSITIVE_INFINITY });
    one.open();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(one.halfOpen).toBe(true);
    warned.mockRestore();
    vi.useFakeTimers();
    const gate = breaker();
    gate.isolate('for ever');
    await wait(86_400_000);
    expect(gate.state.phase).toBe('isolated');
  });

  test('T14: its capacity is freed by a timeout while the work goes on', async () => {
    let running = 0;
    const one = raw(
      () => {
        running += 1;
        return never();
      },
      { capacity: 2, timeout: 50, volumeThreshold: 1_000 },
    );
    for (let n = 0; n < 5; n += 1) {
      for (let m = 0; m < 2; m += 1) one.fire().catch(() => undefined);
      await wait(60);
    }
    expect(running).toBe(10);
    // Ours limits nothing: how many calls run at once is the pool's matter.
    const gate = breaker();
    for (let n = 0; n < 10_000; n += 1) gate.admit();
    expect(gate.allows).toBe(true);
  });

  test('T15: a success from before the opening closes it', async () => {
    let finish = (): void => undefined;
    const one = raw(() => new Promise<void>((resolve) => (finish = resolve)), { resetTimeout: 100 });
    const early = one.fire();
    const finishEarly = finish;
    one.open();
    await wait(100);
    finishEarly();
    await early;
    expect(one.closed).toBe(true);
    const gate = breaker();
    const ticket = gate.admit();
    gate.open('test');
    await wait(600);
    gate.probed({ ok: true });
    ticket.success();
    await settle();
    expect(gate.state).toMatchObject({ phase: 'half-open', successes: 1 });
  });

  test('T16: failures of before the closing count afterwards', async () => {
    let ok = false;
    const one = raw(() => (ok ? Promise.resolve() : Promise.reject(dead)), {
      volumeThreshold: 5,
      timeout: false,
    });
    for (let n = 0; n < 5; n += 1) await one.fire().catch(() => undefined);
    one.close();
    ok = true;
    await one.fire();
    ok = false;
    await one.fire().catch(() => undefined);
    expect(one.opened).toBe(true);
    const gate = breaker();
    fail(gate, 3);
    await recover(gate);
    gate.admit().success();
    fail(gate, 1);
    await settle();
    expect(gate.allows).toBe(true);
  });

  test('T17: refused calls thin the error rate', async () => {
    const one = raw(() => Promise.reject(dead), { timeout: false });
    one.open();
    for (let n = 0; n < 99; n += 1) await one.fire().catch(() => undefined);
    expect(one.stats).toMatchObject({ fires: 99, failures: 0 });
    const gate = breaker({ consecutiveFailures: 1_000 });
    gate.open('test');
    for (let n = 0; n < 99; n += 1) expect(() => gate.admit()).toThrow();
    await recover(gate);
    for (let n = 0; n < 6; n += 1) fail(gate, 1);
    for (let n = 0; n < 3; n += 1) gate.admit().success();
    fail(gate, 1);
    await settle();
    expect(gate.allows).toBe(false);
  });

  test('T18: it keeps the latency of every call', async () => {
    const one = raw(() => Promise.resolve(), { rollingPercentilesEnabled: false, timeout: false });
    for (let n = 0; n < 500; n += 1) await one.fire();
    const kept = (of: Raw): number =>
      of.status.window.reduce((sum, each) => sum + each.latencyTimes.length, 0);
    expect(kept(one)).toBe(500);
    const fired = vi.spyOn(Opossum.prototype as Raw, 'fire');
    const gate = breaker();
    for (let n = 0; n < 500; n += 1) {
      gate.admit().success();
      if (n % 100 === 0) fail(gate, 1);
    }
    await settle();
    await wait(1_000);
    expect(kept(fired.mock.contexts[0] as unknown as Raw)).toBe(0);
    fired.mockRestore();
  });

  test('T19: what it writes down of an opening is the time when it was made', async () => {
    const one = raw(() => Promise.resolve());
    const made = Date.now();
    await wait(5_000);
    one.open();
    expect(one.toJSON().state.lastTimerAt).toBe(made);
    const gate = breaker();
    await wait(5_000);
    gate.open('test');
    expect(gate.state).toMatchObject({ phase: 'open', since: performance.now() });
  });

  test('T20 and T21: two timers each, and a warning at eleven that share one', async () => {
    const before = vi.getTimerCount();
    raw(() => Promise.resolve());
    expect(vi.getTimerCount() - before).toBe(2);
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const start = vi.getTimerCount();
    for (let n = 0; n < 40; n += 1) breaker({ node: `db${n}` }).admit();
    expect(vi.getTimerCount() - start).toBe(1);
    expect(rotation.getMaxListeners()).toBe(0);
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });

  test("T22: traffic undoes an operator's opening", async () => {
    const one = raw(() => Promise.resolve(), { resetTimeout: 100 });
    one.open();
    await wait(100);
    await one.fire();
    expect(one.closed).toBe(true);
    const gate = breaker();
    const release = gate.isolate('maintenance');
    for (let n = 0; n < 100; n += 1) {
      await wait(10_000);
      gate.probed({ ok: true });
      expect(() => gate.admit()).toThrow(/isolated/);
    }
    release();
    expect(gate.allows).toBe(true);
  });

  test('T23: what is kept is handed out while it is open', async () => {
    const one = raw(() => Promise.resolve('old'), { cache: true });
    await one.fire();
    one.open();
    expect(await one.fire()).toBe('old');
    const gate = breaker();
    gate.admit().success();
    gate.open('test');
    expect(() => gate.admit()).toThrow();
  });

  test('T24: switching it off takes the time limit away', async () => {
    const one = raw(never, { timeout: 50 });
    one.disable();
    let settled = false;
    one.fire().catch(() => {
      settled = true;
    });
    await wait(10_000);
    expect(settled).toBe(false);
    // Ours never has the time limit of a call: that is the deadline's matter, whatever the breaker is.
    const gate = breaker();
    gate.close();
    expect(() => gate.admit().failure(dead)).not.toThrow();
  });

  test('T25: a store of results that throws counts a success as a failure', async () => {
    const one = raw(() => Promise.resolve('fine'), {
      cache: true,
      cacheTransport: {
        get: () => undefined,
        set: () => {
          throw new Error('store is full');
        },
        flush: () => undefined,
      },
    });
    await one.fire().catch(() => undefined);
    await settle();
    expect(one.stats.failures).toBe(1);
    const gate = breaker();
    for (let n = 0; n < 20; n += 1) gate.admit().success();
    await settle();
    expect(gate.allows).toBe(true);
  });

  test('T27: a stall of this process is taken for a timeout of the node', async () => {
    vi.useRealTimers();
    const block = (ms: number): void => {
      const until = performance.now() + ms;
      while (performance.now() < until);
    };
    // The work is done before the limit; its answer waits in the loop while the process is busy.
    const { readFile } = await import('node:fs/promises');
    const one = raw(() => readFile(import.meta.filename), { timeout: 50, volumeThreshold: 100 });
    const call = one.fire();
    block(200);
    await expect(call).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    vi.useFakeTimers();
    const gate = breaker({ callTimeoutMs: 2_000 });
    const tickets = [gate.admit(), gate.admit(), gate.admit()];
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 30_000);
    await wait(1_000);
    expect(gate.allows).toBe(true);
    for (const ticket of tickets) ticket.success();
    now.mockRestore();
    expect(gate.allows).toBe(true);
  });
});
