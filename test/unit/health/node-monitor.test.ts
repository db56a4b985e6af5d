import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { NodeMonitor } from '../../../src/health/node-monitor.js';
import type { NodeSeed, Observation } from '../../../src/topology/node-description.js';
import { master, seeds } from '../../spec/topology/made-up-servers.js';
import { type Answer, ScriptedProbe } from './scripted-probe.js';

const seed = seeds({ a: 'primary' })[0] as NodeSeed;
const lost = Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST' });
const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

let monitor: NodeMonitor;
let seen: Observation[];
let probe: ScriptedProbe;
function watch(answer: Answer = master('a'), random = (): number => 1): NodeMonitor {
  seen = [];
  probe = new ScriptedProbe(answer);
  monitor = new NodeMonitor({
    seed,
    probe,
    intervalMs: 1000,
    timeoutMs: 500,
    onObservation: (observation) => seen.push(observation),
    random,
  });
  return monitor;
}
const wait = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  monitor.close();
  await wait(1000);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('the loop', () => {
  test('it looks at once and then every interval', async () => {
    watch().start();
    await wait(3_500);
    expect(seen.length).toBe(4);
    expect(seen[0]).toMatchObject({ node: 'a', ok: true, latencyMs: 2, facts: { serverId: 1 } });
    const gaps = probe.starts.slice(1).map((start, index) => start - (probe.starts[index] ?? 0));
    expect(gaps).toEqual([1000, 1000, 1000]);
  });

  test('what a request asked for is told outside of it, and so are the looks that follow', async () => {
    const requests = new AsyncLocalStorage<string>();
    const told: unknown[] = [];
    watch().start();
    await wait(10);
    seen.push = () => told.push(requests.getStore());
    requests.run('a request', () => void monitor.checkNow());
    await wait(2_500);
    expect(told).toEqual([undefined, undefined, undefined]);
  });

  test('the interval is shortened by chance, so that many processes do not look together, never prolonged', async () => {
    let n = 0;
    watch(master('a'), () => [0, 0.5, 0.999][n++ % 3] ?? 0).start();
    await wait(10_000);
    const gaps = probe.starts.slice(1).map((start, index) => start - (probe.starts[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(800);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1000);
    expect(new Set(gaps).size).toBeGreaterThan(2);
  });

  test('starting twice is starting once', async () => {
    watch().start();
    monitor.start();
    await wait(1_500);
    expect(probe.starts.length).toBe(2);
  });

  test('probes never overlap, also when the node is silent and everybody asks', async () => {
    watch('silence').start();
    for (let n = 0; n < 50; n += 1) {
      void monitor.checkNow();
      await wait(33);
    }
    expect(probe.mostRunning).toBe(1);
    expect(seen.length).toBeGreaterThan(1);
  });
});

describe('a look at once', () => {
  test('all who ask at one time share one probe', async () => {
    watch().start();
    await wait(500);
    const before = probe.starts.length;
    await Promise.all([monitor.checkNow(), monitor.checkNow(), monitor.checkNow(), wait(100)]);
    expect(probe.starts.length).toBe(before + 1);
  });

  test('who asks while a probe runs gets one that began afterwards', async () => {
    watch('silence').start();
    await wait(100);
    probe.answer = master('a', { readOnly: true });
    const asked = monitor.checkNow();
    await wait(450);
    await asked;
    expect(seen.at(-1)).toMatchObject({ ok: true, facts: { readOnly: true } });
  });

  test('a storm of askers does not become a storm of probes', async () => {
    watch().start();
    await wait(500);
    const before = probe.starts.length;
    for (let n = 0; n < 1000; n += 1) {
      void monitor.checkNow();
      await wait(1);
    }
    expect(probe.starts.length - before).toBeLessThanOrEqual(1000 / 50 + 1);
  });

  test('the loop goes on after it', async () => {
    watch().start();
    await wait(500);
    void monitor.checkNow();
    await wait(3_000);
    expect(probe.starts.length).toBe(5);
  });

  test('it works before the start and does not start the loop', async () => {
    watch();
    const asked = monitor.checkNow();
    await wait(10);
    await asked;
    await wait(5_000);
    expect(probe.starts.length).toBe(1);
  });
});

describe('a hurry', () => {
  test('the node is looked at four to ten times a second until the hurry ends', async () => {
    watch(refused).start();
    await wait(100);
    const before = probe.starts.length;
    monitor.hurryUntil(performance.now() + 2_000);
    await wait(2_000);
    const hurried = probe.starts.length - before;
    expect(hurried).toBeGreaterThanOrEqual(7);
    expect(hurried).toBeLessThanOrEqual(20);
    await wait(5_000);
    expect(probe.starts.length - before - hurried).toBeLessThanOrEqual(6);
  });

  test('an earlier end stops it', async () => {
    watch(refused).start();
    await wait(100);
    monitor.hurryUntil(performance.now() + 30_000);
    await wait(1_000);
    monitor.hurryUntil(Number.NEGATIVE_INFINITY);
    const before = probe.starts.length;
    await wait(3_000);
    expect(probe.starts.length - before).toBeLessThanOrEqual(4);
  });
});

describe('failures', () => {
  test('a refused connection is told at once, classified, with the error as it came', async () => {
    watch(refused).start();
    await wait(10);
    expect(seen).toEqual(
      [{ node: 'a', at: 2, ok: false, failure: 'refused', error: refused }].map((o) =>
        expect.objectContaining({ ...o, at: expect.any(Number) }),
      ),
    );
    expect(probe.starts.length).toBe(1);
  });

  test('a connection that broke while it was idle is looked at again before anything is told', async () => {
    watch();
    probe.next.push(lost);
    monitor.start();
    await wait(10);
    expect(probe.starts.length).toBe(2);
    expect(seen).toMatchObject([{ ok: true }]);
  });

  test('a server that is gone fails the second look too', async () => {
    watch();
    probe.next.push(lost, refused);
    monitor.start();
    await wait(10);
    expect(seen).toMatchObject([{ ok: false, failure: 'refused' }]);
  });

  test('a silent node has failed after the deadline, and the probe is told to stop', async () => {
    watch('silence').start();
    await wait(499);
    expect(seen).toEqual([]);
    await wait(2);
    expect(seen).toMatchObject([{ ok: false, failure: 'timeout-query' }]);
    expect(probe.running).toBe(0);
  });

  test('both looks together take no longer than the deadline', async () => {
    watch('silence');
    probe.next.push(lost);
    monitor.start();
    await wait(501);
    expect(seen.length).toBe(1);
  });

  test('a probe that throws instead of rejecting is a failed probe', async () => {
    watch();
    probe.probe = () => {
      throw new Error('bug in a probe');
    };
    monitor.start();
    await wait(10);
    expect(seen).toMatchObject([{ ok: false, failure: 'other', error: { message: 'bug in a probe' } }]);
  });

  test('what is no Error is told as one', async () => {
    watch();
    probe.probe = () => Promise.reject('text');
    monitor.start();
    await wait(10);
    expect(seen[0]).toMatchObject({ ok: false, error: expect.any(Error) });
  });

  test('a stall of this process is not held against the node', async () => {
    watch('silence').start();
    await wait(100);
    // The clock ran on while no timer fired; the answer is read after the timers.
    const now = performance.now.bind(performance);
    const stall = vi.spyOn(performance, 'now').mockImplementation(() => now() + 5_000);
    probe.answer = master('a');
    await wait(460);
    stall.mockRestore();
    await wait(100);
    expect(seen.filter(({ ok }) => !ok)).toEqual([]);
    expect(seen.length).toBeGreaterThan(0);
  });

  test('a process that always stalls does not excuse a silent node for ever', async () => {
    watch('silence').start();
    const now = performance.now.bind(performance);
    let ahead = 0;
    const stall = vi.spyOn(performance, 'now').mockImplementation(() => {
      ahead += 200;
      return now() + ahead;
    });
    await wait(5_000);
    stall.mockRestore();
    expect(seen.some(({ ok }) => !ok)).toBe(true);
  });
});

describe('closing', () => {
  test('nothing is told after it, the probe is stopped and closed once', async () => {
    watch('silence').start();
    await wait(100);
    monitor.close();
    monitor.close();
    await wait(5_000);
    expect(seen).toEqual([]);
    expect(probe).toMatchObject({ running: 0, closed: 1 });
  });

  test('asking a closed monitor resolves and looks at nothing', async () => {
    watch();
    monitor.close();
    await monitor.checkNow();
    expect(probe.starts).toEqual([]);
  });
});
